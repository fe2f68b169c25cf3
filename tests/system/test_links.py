"""Links as the kernel has them: what is told of them, and many of them at once."""

import json

from booted import LINK, MANAGER, PROPERTIES, ROOT, Booted


class Links(Booted):
    def setUp(self):
        super().setUp()
        # Nobody but the test touches these.
        self.run_in("systemctl", "stop", "NetworkManager.service", "systemd-networkd.socket",
                    "systemd-networkd.service")

    def kernel_says(self, name):
        [link] = json.loads(self.run_in("ip", "-json", "-details", "link", "show", "dev", name))
        up = "UP" in link["flags"]
        carrier = "LOWER_UP" in link["flags"]
        speed = self.run_in("cat", f"/sys/class/net/{name}/speed", check=False).stdout.strip() or "0"
        return {
            "Interface": link["ifname"],
            "HardwareAddress": link.get("permaddr", link["address"]),
            "State": "up" if carrier else "no-carrier" if up else "down",
            "SpeedMbps": max(int(speed), 0),
        }

    def equal(self, name="lan0"):
        shown = self.seen.get((self.path(name), LINK), {})
        said = self.kernel_says(name)
        return said == {key: shown.get(key) for key in said}

    def test_are_told_of_as_ip_and_sysfs_say(self):
        self.plug()
        states = []
        for change in (["up"], ["down"], ["up"], ["address", "52:54:00:00:00:07"]):
            self.run_in("ip", "link", "set", "lan0", *change)
            self.wait(self.equal, f"what ip says after {change}")
            states.append(self.property("State", LINK, self.path("lan0")))
        self.run_in("ip", "-n", "desk", "link", "set", "lan0-far", "down")
        self.wait(lambda: self.kernel_says("lan0")["State"] == "no-carrier" and self.equal(), "the cut")
        self.run_in("ip", "-n", "desk", "link", "set", "lan0-far", "up")
        self.wait(lambda: self.kernel_says("lan0")["State"] == "up" and self.equal(), "the cable")
        self.assertEqual(states[1], "down")
        self.assertGreater(self.property("SpeedMbps", LINK, self.path("lan0")), 0)
        # A virtual cable has neither a device nor a driver below it.
        self.assertEqual(self.property("Bus", LINK, self.path("lan0")), "")

    def test_what_is_no_cable_is_no_link(self):
        self.plug()
        self.run_in("ip", "link", "add", "br0", "type", "bridge")
        self.addCleanup(self.unplug, "br0")
        self.plug("lan9", "52:54:00:00:00:09")
        self.wait(lambda: (self.path("lan9"), LINK) in self.seen, "the cable that came last")
        self.assertEqual(
            {path for path, interface in self.seen if interface == LINK},
            {self.path("lan0"), self.path("lan9")},
        )

    def test_hundreds_that_come_and_go(self):
        """They come and go in a few batches, while somebody asks all the time."""
        self.plug("lan0")
        pid = self.unit("MainPID")
        names = [f"x{number}" for number in range(200)]
        add = "".join(f"link add {name} type veth peer name {name}f netns desk\n" for name in names)
        flap = "".join(f"link set {name} up\nlink set {name} down\n" for name in names)
        remove = "".join(f"link del {name}\n" for name in names)
        for lines in [add, flap, remove] * 2:
            flood = self.flood(lines)
            asked = 0
            while flood.poll() is None:
                self.call(ROOT, PROPERTIES, "Get", "(ss)", MANAGER, "Armed")
                asked += 1
            flood.stdin.close()
            self.assertEqual(flood.returncode, 0)
            self.assertGreater(asked, 0)
        self.plug("lan1", "52:54:00:00:00:02")
        wanted = {self.path("lan0"), self.path("lan1")}
        self.wait(lambda: {path for path, interface in self.seen if interface == LINK} == wanted,
                  "what is left")
        self.assertEqual({path for path in self.objects() if "/links/" in path}, wanted)
        self.assertEqual(self.unit("MainPID"), pid)

    def flood(self, lines):
        """Lets ip do all of that at once."""
        file = "run/flood"
        self.write(file, lines)
        return self.system.start("ip", "-batch", f"/{file}")
