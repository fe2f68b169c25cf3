"""Drives that come and go, and the sticks that are made of them."""

import os
import socket
import tempfile

from gi.repository import GLib

from harness import DRIVE, HANDOFF, JOB, MANAGER, PAIRING, ROOT, Case

SDB = f"{ROOT}/drives/sdb"


class Drives(Case):
    def drive(self, *commands):
        self.script(*commands)
        self.wait(lambda: (SDB, DRIVE) in self.seen, "the drive")


class ComeAndGo(Drives):
    def test_live(self):
        self.drive('drive in sdb 15.5 "SanDisk Ultra Fit" 4C53')
        self.assertEqual(
            self.seen[SDB, DRIVE],
            {
                "Device": "/dev/sdb", "Model": "SanDisk Ultra Fit", "Serial": "4C53",
                "SizeBytes": 15_500_000_000, "Bus": "usb", "Volumes": [], "State": "free",
            },
        )
        self.script("drive holds sdb HOLIDAYS ext4", "drive is sdb mounted")
        self.wait_for("State", "mounted", DRIVE, SDB)
        self.assertEqual(self.property("Volumes", DRIVE, SDB), ["HOLIDAYS", "ext4"])
        for state in ("busy", "read-only", "free"):
            self.script(f"drive is sdb {state}")
            self.wait_for("State", state, DRIVE, SDB)
        self.script("drive in sdb 0.1 Small")
        self.wait_for("State", "too-small", DRIVE, SDB)
        self.script("drive in sdb 0 Reader")
        self.wait_for("State", "no-medium", DRIVE, SDB)
        self.script("drive out sdb")
        self.wait(lambda: (SDB, DRIVE) not in self.seen, "the end of the drive")


class WriteStick(Drives):
    def configure(self):
        super().configure()
        self.pairing = self.pair()
        self.drive("drive in sdb 16 Stick")

    def write_stick(self, **options):
        return self.call(SDB, DRIVE, "WriteStick", "(oa{sv})", self.pairing, options)

    def refused(self, error, pairing=None, options=None):
        arguments = (pairing or self.pairing, options or {})
        return self.assert_refused(error, SDB, DRIVE, "WriteStick", "(oa{sv})", *arguments)

    def test_a_stick_may_be_asked_for_that_is_one_already(self):
        job = self.write_stick(refresh=GLib.Variant("b", True))
        self.wait_for("State", "done", JOB, job)
        both = {"refresh": GLib.Variant("b", True), "unmount": GLib.Variant("b", True)}
        self.refused("org.freedesktop.DBus.Error.InvalidArgs", options=both)
        self.script("drive is sdb mounted")
        self.wait_for("State", "mounted", DRIVE, SDB)
        self.refused("DriveBusy", options={"refresh": GLib.Variant("b", True)})

    def test_goes_on_and_ends(self):
        self.assertEqual(self.property("LastStickUsec", PAIRING, self.pairing), 0)
        self.script("close before write-stick")
        job = self.write_stick()
        self.script("await before write-stick")
        self.wait_for("Phase", "making", JOB, job)
        self.assertEqual(self.property("Kind", JOB, job), "write-stick")
        self.assertEqual(self.property("Subject", JOB, job), self.pairing)
        self.assertEqual(self.property("ImageState", MANAGER), "ready")
        self.assertEqual(self.property("State", DRIVE, SDB), "busy")
        # Nobody leaves in the middle of it.
        self.wait_for_blocker("inhibitor")
        self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {})
        self.refused("InProgress")
        self.assert_refused("InProgress", ROOT, MANAGER, "UpdateImage")
        self.script("job 0.5 writing 25")
        self.wait_for("RemainingUsec", 25_000_000, JOB, job)
        self.assertEqual(self.property("Progress", JOB, job), 0.5)
        self.script("job 0.75 verifying")
        self.wait_for("Phase", "verifying", JOB, job)
        self.script("open before write-stick")
        self.wait_for("State", "done", JOB, job)
        self.wait_for("State", "free", DRIVE, SDB)
        self.assertEqual(self.property("Phase", JOB, job), "")
        self.assertGreater(self.property("LastStickUsec", PAIRING, self.pairing), 10**15)
        self.wait_for("Blockers", [])

    def test_is_called_off(self):
        self.script("jobs by-hand")
        job = self.write_stick()
        self.script("job 0.5 writing")
        self.call(job, JOB, "Cancel")
        self.wait_for("State", "cancelled", JOB, job)
        self.assertEqual(self.property("LastStickUsec", PAIRING, self.pairing), 0)
        self.assertEqual(self.property("Progress", JOB, job), 0.5)

    def test_fails_and_says_why(self):
        self.script("jobs by-hand")
        job = self.write_stick()
        self.script("job fail the drive was pulled out")
        self.wait_for("State", "failed", JOB, job)
        self.assertEqual(self.property("Detail", JOB, job), "the drive was pulled out")
        self.assertEqual(self.property("LastStickUsec", PAIRING, self.pairing), 0)
        # What ended has ended, whatever is said of it later.
        self.script("jobs at-once")
        again = self.write_stick()
        self.wait_for("State", "done", JOB, again)
        self.assertEqual(self.property("State", JOB, job), "failed")
        self.assertEqual(self.property("Detail", JOB, job), "the drive was pulled out")

    def test_only_on_a_drive_that_is_free(self):
        for state in ("busy", "read-only"):
            self.script(f"drive is sdb {state}")
            self.wait_for("State", state, DRIVE, SDB)
            self.refused("DriveBusy", options={"unmount": GLib.Variant("b", True)})
        self.script("drive is sdb mounted")
        self.wait_for("State", "mounted", DRIVE, SDB)
        self.assertIn("unmount", self.refused("DriveBusy"))
        job = self.write_stick(unmount=GLib.Variant("b", True))
        self.wait_for("State", "done", JOB, job)

    def test_needs_a_pairing_and_a_ramdisk(self):
        for path in ("/", ROOT, f"{ROOT}/pairings", f"{ROOT}/pairings/0011223344556677", SDB):
            self.refused("NotPaired", pairing=path)
        invalid = "org.freedesktop.DBus.Error.InvalidArgs"
        self.refused(invalid, options={"format": GLib.Variant("b", True)})
        self.refused(invalid, options={"unmount": GLib.Variant("u", 1)})
        self.script("image missing")
        self.refused("ImageMissing")
        self.script("image ready")
        self.wait_for("State", "done", JOB, self.write_stick())

    def test_where_none_can_be_made(self):
        self.script("fail sticks")
        self.refused("org.freedesktop.DBus.Error.NotSupported")
        self.script("succeed sticks")
        self.write_stick()


class Image(Drives):
    """The same into a file, by its descriptor."""

    def configure(self):
        super().configure()
        self.pairing = self.pair()

    def write_file(self, fd):
        return self.call(
            ROOT, MANAGER, "WriteStick", "(oha{sv})", self.pairing, 0, {}, fds=[fd]
        )

    def test_goes_on_and_ends(self):
        with tempfile.TemporaryFile() as file:
            job = self.write_file(file.fileno())
        self.assertEqual(self.property("Kind", JOB, job), "save-stick")
        self.wait_for("State", "done", JOB, job)
        self.assertGreater(self.property("LastStickUsec", PAIRING, self.pairing), 10**15)

    def test_only_into_what_can_be_written(self):
        def refused(error, fd):
            call = (ROOT, MANAGER, "WriteStick", "(oha{sv})", self.pairing, 0, {})
            return self.assert_refused(error, *call, fds=[fd])

        invalid = "org.freedesktop.DBus.Error.InvalidArgs"
        path = str(self.folder / "image")
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_APPEND, os.O_PATH):
            fd = os.open(path, flags | os.O_CREAT * (flags != os.O_PATH))
            self.addCleanup(os.close, fd)
            self.assertIn("open for reading and writing", refused(invalid, fd))
        for fd in (os.open("/dev/null", os.O_RDWR), self._socket()):
            self.addCleanup(os.close, fd)
            refused("NotRemovable", fd)
        self.assertEqual([path for path, _ in self.seen if "/jobs/" in path], [])

    def _socket(self):
        ours, theirs = socket.socketpair()
        ours.close()
        return theirs.detach()
