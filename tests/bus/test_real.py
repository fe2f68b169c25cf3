"""The real services on the bus: upowerd with a battery of umockdev, and polkitd with our actions."""

import os
import pathlib
import shutil
import signal
import subprocess

from harness import MANAGER, MOCKED, ROOT, SERVICE, TREE, Case

UPOWERD = "/usr/libexec/upowerd"
POLKITD = next(
    (path for path in ("/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd") if os.path.exists(path)),
    "",
)

# Commands come on standard input, a line each: SUPPLY ATTRIBUTE VALUE, or a signal's number.
BATTERY = """
import gi, subprocess, sys
gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev
bed = UMockdev.Testbed.new()
supplies = {
    "AC": bed.add_device("power_supply", "AC", None, ["type", "Mains", "online", "1"], []),
    "BAT0": bed.add_device("power_supply", "BAT0", None, [
        "type", "Battery", "present", "1", "status", "Discharging", "energy_full", "60000000",
        "energy_full_design", "80000000", "energy_now", "48000000", "voltage_now", "12000000",
        "power_now", "9000000", "capacity", "80"], []),
}
upowerd = subprocess.Popen([sys.argv[1]], stderr=subprocess.DEVNULL)
print("ready", flush=True)
for line in sys.stdin:
    supply, *pairs = line.split()
    if not pairs:
        upowerd.send_signal(int(supply))
        continue
    for attribute, value in zip(pairs[::2], pairs[1::2]):
        bed.set_attribute(supplies[supply], attribute, value)
    bed.uevent(supplies[supply], "change")
upowerd.kill()
upowerd.wait()
"""


class UPower(Case):
    OWN = ["org.freedesktop.UPower"]

    def start_upower(self):
        # The devices go with the rest of the test, however this program ends.
        env = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": self.address, "TMPDIR": str(self.folder)}
        bed = self._spawn(
            ["umockdev-wrapper", "/usr/bin/python3", "-B", "-c", BATTERY, UPOWERD],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, env=env, text=True,
        )
        self.addCleanup(bed.stdin.close)
        self.addCleanup(bed.stdout.close)
        self.assertEqual(bed.stdout.readline(), "ready\n")
        return bed

    def stop_upower(self, bed):
        bed.stdin.close()
        bed.wait()

    def tell(self, bed, line):
        bed.stdin.write(line + "\n")
        bed.stdin.flush()

    def configure(self):
        self.bed = self.start_upower()
        self.wait(lambda: self._owner(self.OWN[0]), "UPower")
        self.start()

    def test_battery_warning_and_mains(self):
        self.wait_for("Battery", 80, MANAGER)
        self.tell(self.bed, "AC online 0")
        self.wait_for("OnAc", False, MANAGER)
        self.assertEqual(self.property("BatteryWarning", MANAGER), "none")
        self.wait(lambda: self.property("TimeToEmptyUsec", MANAGER) > 0, "how long it lasts")
        self.tell(self.bed, "BAT0 energy_now 1800000 capacity 3")
        self.wait(
            lambda: self.property("BatteryWarning", MANAGER) in ("critical", "action"),
            "the warning",
        )
        self.assertEqual(self.property("Battery", MANAGER), 3)
        blockers = [check[0] for check in self.property("Checks", MANAGER) if check[1] == "block"]
        self.assertIn("power", blockers)
        self.tell(self.bed, "AC online 1")
        self.wait_for("OnAc", True, MANAGER)
        self.wait_for("BatteryWarning", "none", MANAGER)

    def test_a_upower_that_hangs_holds_nobody_up_and_is_heard_when_it_goes_on(self):
        self.wait_for("Battery", 80, MANAGER)
        self.tell(self.bed, f"{signal.SIGSTOP:d}")
        self.kill()
        self.start()
        self.arm()
        self.call(ROOT, MANAGER, "Disarm")
        # What nobody says is not known; nothing of it is made up.
        self.assertEqual(self.property("Battery", MANAGER), -1)
        log = self.folder / "log"
        self.wait(lambda: "cannot ask UPower" in log.read_text(), "the end of its patience")
        self.tell(self.bed, f"{signal.SIGCONT:d}")
        self.wait_for("Battery", 80, MANAGER)

    def test_a_upower_that_is_killed_while_it_hangs_is_absent(self):
        self.wait_for("Battery", 80, MANAGER)
        self.tell(self.bed, f"{signal.SIGSTOP:d}")
        self.stop_upower(self.bed)
        self.wait(lambda: not self._owner(self.OWN[0]), "the end of UPower")
        self.arm()
        self.bed = self.start_upower()
        self.tell(self.bed, "BAT0 energy_now 30000000 capacity 50")
        self.wait_for("Battery", 50, MANAGER)

    def test_a_upower_that_starts_anew_is_heard(self):
        self.wait_for("Battery", 80, MANAGER)
        self.stop_upower(self.bed)
        self.wait(lambda: not self._owner(self.OWN[0]), "the end of UPower")
        self.bed = self.start_upower()
        self.tell(self.bed, "BAT0 energy_now 30000000 capacity 50")
        self.wait_for("Battery", 50, MANAGER)


class Polkit(Case):
    """Actions are read from where they are installed, so they are put there in a mount
    namespace of polkitd's own."""

    SERVICES = MOCKED[1:]
    OWN = ["org.freedesktop.PolicyKit1"]
    START = """
mount --make-rprivate / && mount -t tmpfs none /usr/share/polkit-1/actions &&
cp "$1" /usr/share/polkit-1/actions/ && mount -t tmpfs none /etc/polkit-1 &&
mkdir -p /etc/polkit-1/rules.d && printf '%s' "$2" > /etc/polkit-1/rules.d/10-test.rules &&
exec "$3" --no-debug
"""
    # What a session at the machine would be allowed to do, polkit decides by logind. Here a
    # rule stands for it: everybody may call off, and everybody else needs a password.
    RULES = """polkit.addRule(function(action, subject) {
    if (action.id == "org.stiefelsystem.stiefel1.cancel") return polkit.Result.YES;
    if (subject.user == "root") return polkit.Result.YES;
});"""

    def configure(self):
        policy = TREE / "data" / f"{SERVICE}.policy"
        env = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": self.address}
        command = ["unshare", "--mount", "sh", "-c", self.START, "sh", str(policy), self.RULES, POLKITD]
        self._spawn(command, stdout=self.log, stderr=self.log, env=env)
        self.wait(lambda: self._owner(self.OWN[0]), "polkit")
        self.start()

    def as_nobody(self, *arguments):
        stiefelctl = self.folder / "stiefelctl"
        if not stiefelctl.exists():
            shutil.copy(pathlib.Path(os.environ["STIEFEL_BIN"]) / "stiefelctl", stiefelctl)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command += [str(stiefelctl), "--bus", self.address, *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    def test_decides_by_who_asks(self):
        self.arm()
        pairing = self.pair()
        self.begin(pairing)
        def refused(*command):
            done = self.as_nobody(*command)
            self.assertNotEqual(done.returncode, 0, command)
            self.assertIn("sudo", done.stderr, command)

        for command in (["disarm"], ["pair", "Mine"], ["forget", "Desk", "--yes"], ["confirm"]):
            refused(*command)
        self.assertTrue(self.property("Armed", MANAGER))
        self.assertEqual(self.property("State"), "announced")
        self.assertEqual(self.as_nobody("cancel").returncode, 0)
        self.assertEqual(self.property("State"), "idle")
        refused("make-image")

    def test_knows_all_our_actions(self):
        listed = self.call_on(
            self.OWN[0], "/org/freedesktop/PolicyKit1/Authority",
            "org.freedesktop.PolicyKit1.Authority", "EnumerateActions", "(s)", "",
        )
        ids = {action[0] for action in listed}
        wanted = {"hand-off", "cancel", "arm", "pair", "write-stick", "manage"}
        self.assertLessEqual({f"org.stiefelsystem.stiefel1.{name}" for name in wanted}, ids)


