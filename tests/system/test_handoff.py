"""A hand-off with the real logind and the real kernel, which does not take the kernel that it is
given: all that was taken is given back. And what happens when somebody hangs or is killed."""

import json

from booted import HANDOFF, LINK, MANAGER, NOBODY, NOT_ALLOWED, PROPERTIES, ROOT, SERVICE, UNIT, Booted
from gi.repository import Gio, GLib

LOGIND = "systemd-logind.service"
POLKIT = "polkit.service"
# Says to systemd, as one of the daemon's own processes, to watch over it more impatiently.
HURRY = f"""
echo $$ > /sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs &&
NOTIFY_SOCKET=/run/systemd/notify exec systemd-notify WATCHDOG_USEC=1000000
"""
# polkit is asked about everybody but root.
RULE = """polkit.addRule(function(action, subject) {
    if (action.id == "org.stiefelsystem.stiefel1.arm" && subject.user == "nobody")
        return polkit.Result.YES;
});
"""


class HandOff(Booted):
    FILES = {
        f"etc/systemd/system/{UNIT}.d/notify.conf": "[Service]\nNotifyAccess=all\n",
        "etc/polkit-1/rules.d/50-nobody.rules": RULE,
    }

    @classmethod
    def prepare(cls):
        cls.system.run("stiefelctl", "update")

    def setUp(self):
        super().setUp()
        self.plug()
        self.dedicate()
        self.pairing = self.pair()
        self.addCleanup(self.resume, LOGIND)

    def assert_came_back(self, reason):
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), reason)
        # logind hears only after us that the other end of a lock is gone.
        self.wait(lambda: self.left_behind() == [], "everything given back")
        self.wait_for("Managed", True, LINK, self.path("lan0"))
        self.assertEqual(self.unit("WatchdogUSec"), "0")

    def is_answered(self):
        """Reads and refusals need nobody else."""
        self.call(ROOT, PROPERTIES, "GetAll", "(s)", HANDOFF)
        self.assert_refused("InProgress", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {})

    def begin_and_hang(self):
        """A hand-off that waits for logind in its first step."""
        self.begin(self.pairing)
        self.stopped(LOGIND)
        self.confirm()
        self.wait_for("State", "preparing")

    def test_goes_as_far_as_the_kernel_and_leaves_nothing_behind(self):
        self.begin(self.pairing)
        self.confirm()
        self.wait_for_states("announced", "preparing", "reverting", "idle")
        self.assert_came_back("step-failed")
        detail = self.property("Detail")
        # The system call was let through by the unit's filter, and the kernel refused it.
        self.assertIn("cannot load the other kernel", detail)
        steps = [arguments[1]["Step"] for _, member, arguments in self.signals
                 if member == "PropertiesChanged" and "Step" in arguments[1]]
        self.assertEqual(steps[:4], ["hold-sleep", "check-image", "claim-link", "load-kernel"])
        self.assertEqual(self.unit("NRestarts"), "0")

    def test_the_journal_tells_its_story_by_a_field(self):
        for _ in range(2):
            self.begin(self.pairing)
            self.call(ROOT, HANDOFF, "Cancel")
            self.wait_for("State", "idle")
        pid = self.unit("MainPID")
        self.run_in("journalctl", "--sync")
        lines = self.journal(f"_PID={pid}")
        tags = [line["STIEFEL_HAND_OFF"] for line in lines if "STIEFEL_HAND_OFF" in line]
        first, second = sorted(set(tags))
        story = [line["MESSAGE"] for line in self.journal(f"STIEFEL_HAND_OFF={first}")]
        self.assertIn("announced: Desk", story)
        self.assertIn("Cancelled", story[-1])
        self.assertEqual(len(story), tags.count(first))
        # Nothing of what goes over the bus.
        self.assertEqual([line["MESSAGE"] for line in lines if int(line["PRIORITY"]) > 6], [])
        self.assertLess(len(lines), 40)

    def journal(self, *words):
        lines = self.run_in("journalctl", "--boot", "--output=json", *words).splitlines()
        return [json.loads(line) for line in lines]

    def test_a_logind_that_hangs_holds_up_the_hand_off_and_nobody_else(self):
        self.begin_and_hang()
        self.is_answered()
        self.cancel()
        self.resume(LOGIND)
        self.wait_for_states("reverting", "idle")
        self.assert_came_back("cancelled")

    def test_a_logind_that_starts_anew_ends_it(self):
        self.begin_and_hang()
        self.signal_to(LOGIND, "KILL")
        self.assert_came_back("step-failed")
        # It is asked again, and seen again.
        lock = self.system.start("systemd-inhibit", "--what=shutdown", "--who=Upgrade", "--why=It runs",
                                 "sh", "-c", "read line")
        self.addCleanup(lock.wait)
        self.addCleanup(lock.stdin.close)
        self.wait(lambda: "Upgrade" in str(self.property("Blockers")), "the lock of the other logind")

    def test_without_logind_it_fails_and_says_so(self):
        self.run_in("systemctl", "mask", "--runtime", "--now", LOGIND)
        self.addCleanup(self.run_in, "systemctl", "start", LOGIND)
        self.addCleanup(self.run_in, "systemctl", "unmask", "--runtime", LOGIND)
        # Also one that has never seen any.
        self.run_in("systemctl", "restart", UNIT)
        self.prime()
        self.begin(self.pairing)
        self.confirm()
        self.wait_for_states("announced", "preparing", "idle")
        self.assertEqual(self.property("Reason"), "step-failed")
        self.assertIn("keep the machine from suspending", self.property("Detail"))
        self.assertFalse((self.system.root / "run/stiefelsystem/hand-off").exists())

    def test_a_daemon_that_is_killed_in_the_middle_leaves_nothing_behind(self):
        self.begin_and_hang()
        before = self.unit("MainPID")
        self.signal_to(UNIT, "KILL")
        self.resume(LOGIND)
        self.comes_back(before)
        self.assert_came_back("")

    def test_a_daemon_that_hangs_in_the_middle_is_started_anew(self):
        self.begin_and_hang()
        self.wait(lambda: self.unit("WatchdogUSec") == "1min", "the watchdog")
        before = self.unit("MainPID")
        self.signal_to(UNIT, "STOP")
        # Nobody wants to wait for a minute: systemd is told another time, in the daemon's name.
        self.run_in("sh", "-c", HURRY)
        self.comes_back(before)
        self.resume(LOGIND)
        self.assert_came_back("")
        story = " ".join(line["MESSAGE"] for line in self.journal("_PID=1", f"UNIT={UNIT}"))
        self.assertIn("Watchdog timeout", story)
        # Its memory, in which the secrets are, is kept nowhere.
        self.assertIn("SIGKILL", story)
        self.assertNotIn("core", story)

    def comes_back(self, before):
        self.wait(lambda: self.unit("MainPID") not in (before, "0"), "another daemon")
        self.wait(lambda: self.unit("ActiveState") == "active", "its start")
        self.prime()

    def test_a_polkit_that_hangs_holds_up_those_it_is_asked_about_and_nobody_else(self):
        self.stopped(POLKIT)
        granted = []
        clients = [self.listen(NOBODY) for _ in range(4)]
        hasty = clients.pop()
        arm = GLib.Variant("(a{sv})", ({},))

        def answered(source, result):
            try:
                granted.append(source.call_finish(result))
            except GLib.Error as error:
                # Who has gone away gets no answer.
                self.assertTrue(error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED), error)

        for number in range(100):
            client = [*clients, hasty][number % 4]
            client.call(SERVICE, ROOT, MANAGER, "Arm", arm, None, 0, -1, None, answered)
        hasty.close_sync(None)
        for _ in range(20):
            self.call(ROOT, PROPERTIES, "GetAll", "(s)", MANAGER)
        self.assertEqual(granted, [])
        self.assertFalse(self.property("Armed", MANAGER))
        self.resume(POLKIT)
        self.wait(lambda: len(granted) == 75, "the answers to all who are still there")
        self.assertTrue(self.property("Armed", MANAGER))

    def test_without_polkit_root_may_everything_and_nobody_else_anything(self):
        self.run_in("systemctl", "mask", "--runtime", "--now", POLKIT)
        self.addCleanup(self.run_in, "systemctl", "unmask", "--runtime", POLKIT)
        self.begin(self.pairing)
        denied = self.run_in("setpriv", "--reuid=nobody", "--clear-groups", "stiefelctl", "cancel", check=False)
        self.assertEqual(denied.returncode, NOT_ALLOWED, denied)
        self.assertEqual(self.property("State"), "announced")
        self.cancel()
        self.wait_for("State", "idle")
