"""A booted laptop with our files, for the tests of one class each."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "bus"), str(HERE.parent / "vm")]
PREPARED = pathlib.Path(os.environ["STIEFEL_PREPARED"])
# Everybody in the system reads what we write into it.
os.umask(0o022)
os.environ.setdefault("STIEFEL_BIN", str(PREPARED / "usr/bin"))

from harness import CLAIMED, HANDOFF, JOB, LINK, MANAGER, NOBODY, PROPERTIES, ROOT, SERVICE, Case, DBusError  # noqa: E402
import laptop  # noqa: E402
from gi.repository import Gio  # noqa: E402 (harness has seen to its version)
from lab import laptop as vm_laptop  # noqa: E402
from machine import Machine  # noqa: E402

UNIT = "stiefeld.service"
# How stiefelctl ends when polkit says no.
NOT_ALLOWED = 4
STATE = "/var/lib/stiefelsystem"
# What one test leaves for the next: the system as it was booted, and our daemon as installed.
AFRESH = f"""
systemctl stop {UNIT} && systemctl reset-failed
rm -rf {STATE}/pairings {STATE}/armed {STATE}/links.json /etc/stiefelsystem/*.toml
printf '[hand-off]\\ncountdown-secs = 600\\nconfirm-secs = 3600\\n' > /etc/stiefelsystem/00-patient.toml
systemctl start {UNIT}
"""


class Booted(Case):
    """The tests of a class share one system. Everything in it is real but its disk and its kernel."""

    # Files of the class: path below the root, without a leading slash, to text.
    FILES = {}

    @classmethod
    def setUpClass(cls):
        tree = vm_laptop.tree("initramfs-tools")
        cls.system = Machine([PREPARED, tree])
        cls.addClassCleanup(cls.system.end)
        laptop.furnish(cls.system.layer, tree, cls.FILES)
        cls.system.boot()
        cls.prepare()

    @classmethod
    def prepare(cls):
        """What the tests of the class need to be there."""

    def setUp(self):
        self.addCleanup(self._explain)
        self.signals, self.seen = [], {}
        self.connection = self.listen()
        self.run_in("sh", "-c", AFRESH)
        self.prime()

    def _explain(self):
        """The journal says most about a test that failed."""
        outcome = self._outcome
        errors = getattr(outcome.result, "failures", []) + getattr(outcome.result, "errors", [])
        if any(test is self for test, _ in errors) or not getattr(outcome, "success", True):
            print(self.system.run("journalctl", "--boot", "--lines=80", "--no-pager"), file=sys.stderr)

    def listen(self, user=0):
        """A user's connection with the system's bus on which all that the daemon signals is noted."""
        # Only root may look into the system, but we may all into what we have open.
        folder = os.open(f"{self.system.root}/run/dbus", os.O_PATH)
        self.address = f"unix:path=/proc/self/fd/{folder}/system_bus_socket"
        try:
            connection = self.connect(user)
        finally:
            os.close(folder)
        connection.signal_subscribe(
            SERVICE, None, None, None, None, Gio.DBusSignalFlags.NONE, self._record
        )
        self.addCleanup(self._close, connection)
        return connection

    @staticmethod
    def _close(connection):
        """Fine when it is closed, also because its bus has ended."""
        if not connection.is_closed():
            connection.close_sync(None)

    def prime(self):
        """Reads all objects, as a client does that has just come."""
        for interface in (MANAGER, HANDOFF):
            self.seen[ROOT, interface] = self.call(ROOT, PROPERTIES, "GetAll", "(s)", interface)
        objects = self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        for path, interfaces in objects.items():
            for interface, properties in interfaces.items():
                self.seen[path, interface] = properties

    # The system

    def run_in(self, *words, **options):
        return self.system.run(*words, **options)

    def unit(self, name, unit=UNIT):
        """A property of a unit."""
        return self.run_in("systemctl", "show", "--value", "--property", name, unit).strip()

    def signal_to(self, unit, signal):
        """Sends a signal to a service's main process."""
        self.run_in("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", unit)

    def stopped(self, unit):
        """Makes a service hang until the test is over, or `resume`. It may not have been needed yet."""
        self.run_in("systemctl", "start", unit)
        self.signal_to(unit, "STOP")
        self.addCleanup(self.resume, unit)

    def resume(self, unit):
        self.signal_to(unit, "CONT")

    def write(self, path, text):
        self.system.write(path, text)

    def left_behind(self):
        """Everything that a hand-off takes and that is still there."""
        left = [place for place in [*CLAIMED, "run/stiefelsystem/hand-off"]
                if (self.system.root / place).exists()]
        locks = self.run_in("systemd-inhibit", "--list", "--no-legend")
        return left + [line for line in locks.splitlines() if line.startswith("Stiefelsystem")]

    def check(self, subject):
        """Verdict, text and hint of a check."""
        [found] = [check for check in self.property("Checks", MANAGER) if check[0] == subject]
        return found[1:]

    # The cable

    def plug(self, name="lan0", mac="52:54:00:00:00:01"):
        """Plugs a cable in whose other end is in another machine and switched on."""
        if not (self.system.root / "run/netns/desk").exists():
            self.run_in("ip", "netns", "add", "desk")
        self.run_in("ip", "link", "add", name, "address", mac, "type", "veth",
                    "peer", "name", f"{name}-far", "netns", "desk")
        self.addCleanup(self.unplug, name)
        self.run_in("ip", "-n", "desk", "link", "set", f"{name}-far", "up")

    def unplug(self, name="lan0"):
        """Fine when it is not plugged in."""
        self.run_in("ip", "link", "delete", name, check=False)

    def path(self, name):
        return f"{ROOT}/links/{name}"

    def dedicate(self, name="lan0"):
        self.wait(lambda: self.property("Interface", LINK, self.path(name)), f"the link {name}")
        self.run_in("stiefelctl", "link", name, "dedicated")
