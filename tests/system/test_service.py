"""The daemon as systemd runs it: how it is started, when it ends, and what its hardening lets it do."""

import re

from booted import HANDOFF, JOB, LINK, MANAGER, PROPERTIES, ROOT, SERVICE, UNIT, Booted
from gi.repository import GLib

# Points of `systemd-analyze security`, of which a unit without any hardening has 9.6.
MAX_EXPOSURE = 3.0
IDLE = f"/run/systemd/system/{UNIT}.d/idle.conf"


class Service(Booted):
    def test_is_hardened(self):
        table = self.run_in("systemd-analyze", "security", "--no-pager", UNIT)
        exposure = float(re.search(r"Overall exposure level for \S+ ([0-9.]+)", table).group(1))
        self.assertLessEqual(exposure, MAX_EXPOSURE, table)

    def test_is_started_by_a_call_and_ends_when_there_is_nothing_to_do(self):
        self.run_in("systemctl", "stop", UNIT)
        self.assertIsNone(self._owner(SERVICE))
        self.assertFalse(self.call(ROOT, PROPERTIES, "Get", "(ss)", MANAGER, "Armed"))
        self.assertEqual(self.unit("ActiveState"), "active")
        self.write(IDLE, "[Service]\nExecStart=\nExecStart=/usr/libexec/stiefelsystem/stiefeld --idle-exit 1\n")
        self.addCleanup(self.run_in, "systemctl", "daemon-reload")
        self.addCleanup(self.run_in, "rm", IDLE)
        self.run_in("systemctl", "daemon-reload")
        self.run_in("systemctl", "restart", UNIT)
        for _ in range(3):
            self.wait(lambda: self.unit("ActiveState") == "inactive", "its end")
            self.assertEqual(self.unit("Result"), "success")
            self.arm()
            self.assertEqual(self.unit("ActiveState"), "active")
            self.call(ROOT, MANAGER, "Disarm")
            # Nobody else's daemon is started as often in so short a time.
            self.run_in("systemctl", "reset-failed", UNIT)
        self.assertEqual(self.unit("NRestarts"), "0")

    def test_is_there_after_a_boot_and_still_armed(self):
        self.plug()
        self.dedicate()
        pairing = self.pair()
        self.arm()
        self.wait_for("Managed", False, LINK, self.path("lan0"))
        self.system.reboot()
        # Nobody has called it yet.
        self.connection = self.listen()
        self.wait(lambda: self._owner(SERVICE), "the name, which nobody asks for")
        self.prime()
        self.assertTrue(self.property("Armed", MANAGER))
        self.assertIn((pairing, f"{SERVICE}.Pairing"), self.seen)
        # The stiefellink that is plugged in after the boot is one from the start.
        self.plug()
        self.wait_for("Managed", False, LINK, self.path("lan0"))

    def test_makes_the_ramdisk_within_its_hardening(self):
        self.run_in("sh", "-c", "rm -f /var/lib/stiefelsystem/images/*")
        self.call(ROOT, MANAGER, "Refresh")
        self.wait_for("ImageState", "missing", MANAGER)
        job = self.call(ROOT, MANAGER, "UpdateImage")
        self.wait(lambda: self.property("State", JOB, job) not in (None, "running"), "the end of the job")
        self.assertEqual(self.property("Detail", JOB, job), "")
        self.assertEqual(self.property("State", JOB, job), "done")
        self.wait_for("ImageState", "ready", MANAGER)
        # It is the same as the one that root makes without any hardening.
        made = self.sum_of_image()
        self.run_in("stiefelctl", "update")
        self.assertEqual(self.sum_of_image(), made)

    def sum_of_image(self):
        return self.run_in("sh", "-c", "sha256sum /var/lib/stiefelsystem/images/*.img")

    def test_a_hundred_clients_at_once(self):
        before = self.unit("MainPID")
        clients = [self.listen() for _ in range(100)]
        answered = []
        for client in clients:
            for interface in (MANAGER, HANDOFF):
                client.call(SERVICE, ROOT, PROPERTIES, "GetAll", GLib.Variant("(s)", (interface,)), None, 0,
                            -1, None, lambda source, result: answered.append(source.call_finish(result)))
        self.wait(lambda: len(answered) == 200, "all answers")
        self.arm()
        self.wait_for("Armed", True, MANAGER)
        self.assertEqual(self.unit("MainPID"), before)
