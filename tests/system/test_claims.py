"""The stiefellink is kept from the real NetworkManager and the real systemd-networkd, both of
which want it, and given back to both."""

import json

from booted import CLAIMED, HANDOFF, LINK, MANAGER, PROPERTIES, ROOT, SERVICE, UNIT, Booted, DBusError

NETWORK_MANAGER = "org.freedesktop.NetworkManager"
NETWORKD = "org.freedesktop.network1"
UNMANAGED, ACTIVATED = 10, 100
# It is never done when NetworkManager takes away what it has given.
WANTED = {"configuring", "configured"}
OTHERS = {"10.1.0.1", "10.2.0.1"}


class Networks(Booted):
    def of_network_manager(self, name="lan0"):
        """NetworkManager's state of a device, None if it does not know it."""
        try:
            device = self.call_on(NETWORK_MANAGER, "/org/freedesktop/NetworkManager", NETWORK_MANAGER,
                                  "GetDeviceByIpIface", "(s)", name)
            return self.call_on(NETWORK_MANAGER, device, PROPERTIES, "Get", "(ss)",
                                f"{NETWORK_MANAGER}.Device", "State")
        except DBusError:
            return None

    def of_networkd(self, name="lan0"):
        try:
            _, link = self.call_on(NETWORKD, "/org/freedesktop/network1", f"{NETWORKD}.Manager",
                                   "GetLinkByName", "(s)", name)
            return self.call_on(NETWORKD, link, PROPERTIES, "Get", "(ss)", f"{NETWORKD}.Link",
                                "AdministrativeState")
        except DBusError:
            return None

    def addresses(self, name="lan0"):
        """Its IPv4 addresses."""
        done = self.run_in("ip", "-json", "-4", "address", "show", "dev", name, check=False)
        return {address["local"] for link in json.loads(done.stdout or "[]")
                for address in link.get("addr_info", [])}

    def is_taken(self, name="lan0"):
        return (self.of_network_manager(name), self.of_networkd(name)) == (UNMANAGED, "unmanaged")

    def wait_until_taken(self, name="lan0"):
        self.wait_until_left_alone(name)
        self.assertEqual(self.addresses(name), set())

    def wait_until_left_alone(self, name="lan0"):
        self.wait_for("Managed", False, LINK, self.path(name))
        self.wait(lambda: self.is_taken(name), "both to leave it alone")

    def wait_until_theirs(self, name="lan0"):
        self.wait(lambda: self.of_network_manager(name) == ACTIVATED, "NetworkManager")
        self.wait(lambda: self.of_networkd(name) in WANTED, "networkd")
        # Each of them may take away what the other has given.
        self.wait(lambda: self.addresses(name) & OTHERS, "an address of theirs")

    def wait_for_index(self, name="lan0"):
        """Until both services know the link that is there now."""
        index = int((self.system.root / f"sys/class/net/{name}/ifindex").read_text())

        def known():
            try:
                found, _ = self.call_on(NETWORKD, "/org/freedesktop/network1", f"{NETWORKD}.Manager",
                                        "GetLinkByName", "(s)", name)
            except DBusError:
                return False
            return found == index and self.of_network_manager(name) is not None
        self.wait(known, f"both to see {name}")


class Claims(Networks):
    def setUp(self):
        super().setUp()
        self.plug()
        self.dedicate()
        self.wait_until_theirs()

    def taken(self):
        self.arm()
        self.wait_until_taken()

    def test_taken_while_armed_and_given_back(self):
        self.taken()
        self.call(ROOT, MANAGER, "Disarm")
        self.wait_for("Managed", True, LINK, self.path("lan0"))
        self.wait_until_theirs()
        self.assertEqual(self.left_behind(), [])

    def test_a_replug_finds_it_taken(self):
        self.taken()
        for _ in range(3):
            self.unplug()
            self.plug()
            self.wait_for_index()
            self.wait_until_taken()
            # It is on, because a search is heard on no other.
            self.wait(lambda: self.property("State", LINK, self.path("lan0")) == "up", "the carrier")
        self.call(ROOT, MANAGER, "Disarm")
        self.wait_until_theirs()

    def test_a_link_with_another_name_is_the_same(self):
        self.taken()
        self.run_in("ip", "link", "set", "lan0", "down")
        self.run_in("ip", "link", "set", "lan0", "name", "lan7")
        self.addCleanup(self.unplug, "lan7")
        self.wait_until_taken("lan7")
        self.assertEqual(self.property("Policy", LINK, self.path("lan7")), "dedicated")
        self.assertNotIn((self.path("lan0"), LINK), self.seen)
        self.run_in("ip", "link", "set", "lan7", "down")
        self.run_in("ip", "link", "set", "lan7", "name", "lan0")
        self.wait_until_taken()

    def test_taken_from_services_that_start_anew(self):
        self.taken()
        for unit in ("NetworkManager.service", "systemd-networkd.service"):
            self.run_in("systemctl", "restart", unit)
            self.wait_for_index()
            self.wait_until_taken()
        self.call(ROOT, MANAGER, "Disarm")
        self.wait_until_theirs()

    def test_taken_from_services_that_were_not_there(self):
        units = ["NetworkManager.service", "systemd-networkd.service", "systemd-networkd.socket"]
        self.run_in("systemctl", "stop", *units)
        self.arm()
        self.wait_for("Managed", False, LINK, self.path("lan0"))
        self.run_in("systemctl", "start", *units)
        self.wait_for_index()
        # What they gave it before they ended, they do not know any more.
        self.wait_until_left_alone()
        self.run_in("systemctl", "stop", *units)
        self.call(ROOT, MANAGER, "Disarm")
        self.wait_for("Managed", True, LINK, self.path("lan0"))
        self.assertEqual(self.left_behind(), [])
        self.run_in("systemctl", "start", *units)
        self.wait(lambda: self.of_network_manager() == ACTIVATED, "NetworkManager")
        self.wait(lambda: self.of_networkd() in WANTED, "networkd")

    def test_a_killed_daemon_is_back_and_holds_it(self):
        self.taken()
        before = self.unit("MainPID")
        self.signal_to(UNIT, "KILL")
        # Nobody gives it back meanwhile, and a replug meanwhile finds it taken.
        self.unplug()
        self.plug()
        self.wait(lambda: self.unit("MainPID") not in (before, "0"), "another daemon")
        self.wait(lambda: self._owner(SERVICE), "its name")
        self.prime()
        self.wait_for_index()
        self.wait_until_taken()
        self.assertTrue(self.property("Armed", MANAGER))
        self.call(ROOT, MANAGER, "Disarm")
        self.wait_until_theirs()

    def test_a_daemon_that_starts_anew_takes_it_again(self):
        self.taken()
        self.run_in("systemctl", "stop", UNIT)
        self.assertEqual(self.left_behind(), [])
        self.wait_until_theirs()
        self.run_in("systemctl", "start", UNIT)
        self.prime()
        self.wait_until_taken()

    def test_one_that_hangs_holds_up_neither_us_nor_the_other(self):
        self.stopped("NetworkManager.service")
        self.arm()
        self.wait(lambda: self.of_networkd() == "unmanaged", "networkd")
        self.assertTrue(self.property("Managed", LINK, self.path("lan0")), "not by both yet")
        self.resume("NetworkManager.service")
        self.wait_until_taken()

    def test_one_that_hangs_too_long_is_told_of_and_asked_again(self):
        self.stopped("NetworkManager.service")
        self.arm()
        self.wait(lambda: self.check("link")[0] == "warn", "the complaint")
        self.assertIn("NetworkManager", self.check("link")[1])
        self.resume("NetworkManager.service")
        self.wait_until_taken()
        self.assertEqual(self.check("link")[0], "ok")


class Trigger(Networks):
    @classmethod
    def prepare(cls):
        cls.system.run("stiefelctl", "update")

    def setUp(self):
        super().setUp()
        self.write("etc/stiefelsystem/10-plug.toml", '[hand-off]\non-plug = "ask"\n')
        self.plug()
        self.dedicate()
        self.pair()
        self.arm()
        self.wait_until_taken()

    def test_plugging_it_in_asks_for_a_hand_off(self):
        self.assertEqual(self.property("State"), "idle")
        self.unplug()
        self.wait(lambda: (self.path("lan0"), LINK) not in self.seen, "the end of the link")
        self.assertEqual(self.property("State"), "idle")
        self.plug("lan1", "52:54:00:00:00:02")
        self.wait(lambda: (self.path("lan1"), LINK) in self.seen, "the other link")
        self.assertEqual(self.property("State"), "idle")
        self.plug()
        self.wait_for("State", "announced")
        self.wait_until_taken()
        self.call(ROOT, HANDOFF, "Cancel")
        self.wait_for("State", "idle")
        self.assertEqual(self.left_behind(), CLAIMED)
