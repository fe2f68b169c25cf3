"""Links: what they are used for, and who may configure them meanwhile."""

from gi.repository import GLib

from harness import (
    CLAIMED, HANDOFF, LINK, MANAGER, PROPERTIES, ROOT, Case,
)

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
LAN0 = "52:54:00:00:00:01"
LAN1 = "52:54:00:00:00:02"


class Links(Case):
    def configure(self):
        super().configure()
        self.plug("lan0", LAN0)

    def path(self, name):
        return f"{ROOT}/links/{name}"

    def plug(self, name, mac):
        self.script(f"link add {name} {mac}")
        self.wait(lambda: (self.path(name), LINK) in self.seen, f"the link {name}")

    def unplug(self, name):
        self.script(f"link remove {name}")
        self.wait(lambda: (self.path(name), LINK) not in self.seen, f"the end of {name}")

    def policy(self, name, policy):
        value = GLib.Variant("s", policy)
        self.call(self.path(name), PROPERTIES, "Set", "(ssv)", LINK, "Policy", value)

    def claimed(self):
        return [place for place in self.left_behind() if place in CLAIMED]

    def checks(self, subject):
        return [check[1:3] for check in self.property("Checks", MANAGER) if check[0] == subject]


class Policy(Links):
    def test_is_kept_over_a_restart_and_for_the_device(self):
        self.assertEqual(self.property("Policy", LINK, self.path("lan0")), "shared")
        self.policy("lan0", "dedicated")
        self.assertEqual(self.property("Policy", LINK, self.path("lan0")), "dedicated")
        file = self.machine / "var/lib/stiefelsystem/links.json"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.kill()
        self.start()
        # It is known by its address, whatever it is called now.
        self.plug("eth7", LAN0)
        self.plug("lan0", LAN1)
        self.assertEqual(self.property("Policy", LINK, self.path("eth7")), "dedicated")
        self.assertEqual(self.property("Policy", LINK, self.path("lan0")), "shared")

    def test_comes_before_the_configuration(self):
        self.write("etc/stiefelsystem/10.toml", '[link]\ninterface = "lan0"\n')
        self.call(ROOT, MANAGER, "Refresh")
        self.wait_for("Policy", "dedicated", LINK, self.path("lan0"))
        self.policy("lan0", "shared")
        self.assertEqual(self.property("Policy", LINK, self.path("lan0")), "shared")
        self.assertEqual(self.checks("link"), [("ok", "All wired interfaces are used")])

    def test_that_is_none_changes_nothing(self):
        for value in ["", "Dedicated", "x" * 10_000_000]:
            text = self.assert_refused(
                INVALID, self.path("lan0"), PROPERTIES, "Set", "(ssv)", LINK, "Policy",
                GLib.Variant("s", value),
            )
            self.assertLess(len(text), 200)
        self.assertEqual(self.property("Policy", LINK, self.path("lan0")), "shared")

    def test_ignored_links_hear_nothing_and_carry_nothing(self):
        pairing = self.pair()
        self.arm()
        self.plug("lan1", LAN1)
        self.policy("lan0", "ignore")
        self.assertIn(f"ignored {LAN0}", self.script("audience"))
        self.begin(pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        self.assertEqual(self.ticket()["links"], [LAN1])

    def test_tells_what_the_device_is(self):
        shown = self.seen[self.path("lan0"), LINK]
        self.assertEqual(
            (shown["HardwareAddress"], shown["Bus"], shown["DeviceId"], shown["Driver"]),
            (LAN0, "usb", "0bda:8156", "simulated"),
        )
        self.script("link cable lan0 100")
        self.wait_for("SpeedMbps", 100, LINK, self.path("lan0"))
        self.script("link cable lan0 off")
        self.wait_for("State", "no-carrier", LINK, self.path("lan0"))


class Claim(Links):
    def configure(self):
        super().configure()
        self.policy("lan0", "dedicated")

    def managed(self, value, name="lan0"):
        self.wait_for("Managed", value, LINK, self.path(name))

    def test_holds_while_armed_and_no_longer(self):
        self.assertEqual(self.claimed(), [])
        self.mock("Calls")
        self.arm()
        self.managed(False)
        self.assertEqual(self.claimed(), CLAIMED)
        for file in CLAIMED:
            self.assertRegex((self.machine / file).read_text(), r"\blan0\b")
        self.assertIn("networkd.Reload", self.mock("Calls"))
        self.call(ROOT, MANAGER, "Disarm")
        self.managed(True)
        self.assertEqual(self.claimed(), [])
        self.assertIn("NetworkManager.Reload 1", self.mock("Calls"))

    def test_begins_and_ends_with_the_policy(self):
        self.arm()
        self.managed(False)
        self.policy("lan0", "shared")
        self.managed(True)
        self.assertEqual(self.claimed(), [])
        self.policy("lan0", "dedicated")
        self.managed(False)

    def test_holds_while_unplugged_so_that_a_replug_finds_it(self):
        self.arm()
        self.managed(False)
        self.unplug("lan0")
        self.call(ROOT, MANAGER, "Refresh")
        self.assertEqual(self.claimed(), CLAIMED)
        self.mock("Calls")
        self.plug("lan0", LAN0)
        self.managed(False)
        # The services know it already: nothing is told twice.
        self.assertEqual([call for call in self.mock("Calls") if "Reload" in call], [])

    def test_of_two_links(self):
        self.plug("lan1", LAN1)
        self.policy("lan1", "dedicated")
        self.arm()
        self.managed(False)
        self.managed(False, "lan1")
        self.assertIn("Name=lan0 lan1", (self.machine / CLAIMED[1]).read_text())
        self.policy("lan0", "shared")
        self.managed(True)
        self.assertIn("Name=lan1\n", (self.machine / CLAIMED[1]).read_text())

    def test_outlives_a_crash_and_is_taken_back_by_the_next_daemon(self):
        self.arm()
        self.managed(False)
        self.kill()
        self.assertEqual(self.claimed(), CLAIMED)
        self.mock("Calls")
        self.start()
        self.plug("lan0", LAN0)
        self.managed(False)
        self.assertEqual([call for call in self.mock("Calls") if "Reload" in call], [])
        self.kill()
        (self.machine / "var/lib/stiefelsystem/armed").unlink()
        self.start()
        self.wait(lambda: self.claimed() == [], "the end of the claim")

    def test_ends_with_the_daemon(self):
        self.arm()
        self.managed(False)
        self.assertEqual(self.terminate(), 0)
        self.assertEqual(self.claimed(), [])

    def test_that_a_service_refuses_is_told_of(self):
        self.mock("Fail", "(as)", ["NetworkManager.Reload"])
        self.arm()
        self.wait(lambda: self.checks("link")[0][0] == "warn", "the warning")
        self.assertIn("NetworkManager", self.checks("link")[0][1])
        self.assertTrue(self.property("Managed", LINK, self.path("lan0")))
        self.mock("Fail", "(as)", [])
        self.unplug("lan0")
        self.plug("lan0", LAN0)
        self.managed(False)
        self.assertEqual(self.checks("link")[0][0], "ok")


class Checks(Links):
    def test_of_the_cable(self):
        self.policy("lan0", "dedicated")
        self.script("link cable lan0 off")
        self.wait(lambda: self.checks("link")[0][0] == "warn", "the loose cable")
        self.script("link cable lan0 100")
        self.wait(lambda: "100 Mbit/s" in self.checks("link")[0][1], "the slow cable")
        self.script("link cable lan0 2500")
        self.wait(lambda: self.checks("link")[0][0] == "ok", "the good cable")
        self.unplug("lan0")
        self.wait(lambda: "not there" in self.checks("link")[0][1], "the missing link")
        self.assertEqual(self.property("Blockers"), [("pairing", *self.no_pairing())])

    def no_pairing(self):
        [check] = [c for c in self.property("Checks", MANAGER) if c[0] == "pairing"]
        return check[2:4]

    def test_of_a_driver_that_the_ramdisk_lacks(self):
        manifest = self.machine / "var/lib/stiefelsystem/images/simulated.json"
        text = manifest.read_text()
        lacking = '"missing_modules":[{"module":"r8152","lacks":"mii"}]'
        manifest.write_text(text.replace('"missing_modules":[]', lacking))
        self.call(ROOT, MANAGER, "Refresh")
        self.assertEqual(self.checks("driver")[0][0], "ok")
        self.script("link driver lan0 r8152")
        self.wait(lambda: self.checks("driver")[0][0] == "warn", "the missing driver")
        self.assertIn("r8152", self.checks("driver")[0][1])

    def test_of_a_system_that_finds_its_disk_by_name(self):
        pairing = self.pair()
        self.write("proc/cmdline", "root=/dev/sda2 ro\n")
        self.write("etc/fstab", "/dev/sda1 /boot ext4 defaults 0 2\n")
        self.call(ROOT, MANAGER, "Refresh")
        self.assertEqual([verdict for verdict, _ in self.checks("names")], ["block", "block"])
        text = self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", pairing, {})
        self.assertIn("/dev/sda2", text)
        self.assertIn("blkid", text)


class Sessions(Links):
    def test_of_several_people(self):
        self.mock("Sessions", "(a(us))", [(1000, "anna"), (1000, "anna"), (105, "gdm")])
        self.mock("Sessions", "(a(us))", [(1000, "anna"), (1001, "bert"), (105, "gdm")])
        self.wait(lambda: self.checks("session")[0][0] == "warn", "the people")
        self.assertTrue(self.checks("session")[0][1].endswith("anna, bert"))
        self.mock("Sessions", "(a(us))", [(1000, "anna"), (1000, "anna"), (105, "gdm")])
        self.wait(lambda: self.checks("session")[0][0] == "ok", "one person")


class Simulated(Links):
    SERVICES = []

    def test_several_people_are_named(self):
        self.script("users anna bert")
        self.wait(lambda: self.checks("session")[0][0] == "warn", "the people")
        self.assertIn("anna, bert", self.checks("session")[0][1])
        self.script("users anna")
        self.wait(lambda: self.checks("session")[0][0] == "ok", "one person")
