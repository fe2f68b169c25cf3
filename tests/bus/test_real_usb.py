"""A USB network adapter as the real daemon sees it: what the kernel says of links is a virtual
cable's, and what sysfs says of the device below it is umockdev's."""

import os
import pathlib

from harness import LINK, ROOT, Case

ADAPTER = "enx00e04c680001"
# A world of its own for whoever is not simulated: a network with one cable, nothing of this
# machine's state, and the devices that umockdev makes.
START = """
mount --make-rprivate / && mount -t tmpfs none /var/lib && mount -t tmpfs none /run &&
ip link add "$1" address 00:e0:4c:68:00:01 type veth peer name far &&
shift && exec umockdev-wrapper "$@"
"""
BED = """
import gi, subprocess, sys
gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev
bed = UMockdev.Testbed.new()
adapter = bed.add_device("usb", "1-2", None, ["idVendor", "0bda", "idProduct", "8156"], [])
interface = bed.add_device("usb", "1-2:1.0", adapter, ["bInterfaceClass", "ff"], [])
bed.set_attribute_link(interface, "driver", "../../../bus/usb/drivers/r8152")
net = bed.add_device("net", sys.argv[1], interface, ["speed", "2500", "type", "1"], [])
bed.set_attribute_link(net, "device", "../../1-2:1.0")
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


class Usb(Case):
    SERVICES = []

    def start(self):
        command = [str(pathlib.Path(os.environ["STIEFEL_BIN"]) / "stiefeld"), "--bus", self.address]
        bed = ["/usr/bin/python3", "-B", "-c", BED, ADAPTER, *command]
        self.daemon = self._spawn(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
             "sh", "-c", START, "sh", ADAPTER, *bed],
            stderr=self.log, env=os.environ | {"TMPDIR": str(self.folder)},
        )
        self.wait(lambda: self.daemon.poll() is not None or self._owner("org.stiefelsystem.Stiefel1"), "the name")
        self.assertIsNone(self.daemon.poll(), (self.folder / "log").read_text())

    def test_tells_what_it_is_plugged_into(self):
        path = f"{ROOT}/links/{ADAPTER}"

        def shown():
            links = self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
            return links.get(path, {}).get(LINK, {})
        self.wait(shown, "the adapter")
        names = ("HardwareAddress", "Bus", "DeviceId", "Driver", "SpeedMbps")
        self.assertEqual(
            tuple(shown()[name] for name in names),
            ("00:e0:4c:68:00:01", "usb", "0bda:8156", "r8152", 2500),
        )
