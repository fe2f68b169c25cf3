"""The daemon as a service: how it begins and ends, what it tells systemd, and what it notices."""

import socket

from gi.repository import GLib

from handoff import HandOff
from harness import MANAGER, ROOT, SERVICE, Case


class Notify(HandOff):
    LISTENS = True

    def test_is_watched_only_while_something_is_at_stake(self):
        self.assertEqual(self.notified(), ["READY=1"])
        self.begin(self.pairing)
        self.assertEqual(self.notified(), [])
        self.script("close after hold-sleep")
        self.confirm()
        self.script("await after hold-sleep")
        self.wait(lambda: self.notified() == ["WATCHDOG_USEC=60000000"], "the watch")
        self.cancel()
        self.script("open after hold-sleep")
        self.come_back("cancelled")
        self.wait(lambda: self.notified() == ["WATCHDOG_USEC=0"], "the end of the watch")
        self.assertEqual(self.terminate(), 0)
        self.assertEqual(self.notified(), ["STOPPING=1"])

    def test_the_log_names_the_hand_off(self):
        self.begin(self.pairing)
        self.cancel()
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        self.kill()
        lines = (self.folder / "log").read_text().splitlines()
        tagged = [line.split("hand_off=")[1].split()[0] for line in lines if "hand_off=" in line]
        self.assertEqual(len(set(tagged)), 2, lines)
        for word in ("announced", "Cancelled", "HoldSleep", "LoadKernel", "leaves"):
            self.assertTrue([line for line in lines if word in line and "hand_off=" in line], word)


class Idle(Case):
    ARGUMENTS = ["--idle-exit", "1"]

    def ends(self):
        self.assertEqual(self.daemon.wait(60), 0)
        self.assertIsNone(self._owner(SERVICE))

    def test_ends_when_there_is_nothing_to_do(self):
        self.ends()
        self.start()
        self.pair()
        self.ends()

    def test_stays_while_armed(self):
        self.arm()
        self.script("seek 0011223344556677")
        with self.assertRaises(Exception):
            self.daemon.wait(3)
        self.call(ROOT, MANAGER, "Disarm")
        self.ends()

    def test_stays_while_something_goes_on(self):
        self.script("close before update-image")
        self.call(ROOT, MANAGER, "UpdateImage")
        with self.assertRaises(Exception):
            self.daemon.wait(3)
        self.script("open before update-image")
        self.ends()

    def test_no_call_is_lost_when_it_ends(self):
        """Called without a pause, it never ends; each call is answered."""
        end = GLib.get_monotonic_time() + 3_000_000
        while GLib.get_monotonic_time() < end:
            self.call(ROOT, "org.freedesktop.DBus.Properties", "Get", "(ss)", MANAGER, "Armed")
        self.assertIsNone(self.daemon.poll())
        self.ends()


class Configuration(Case):
    def mistakes(self):
        checks = self.property("Checks", MANAGER)
        return [check[2] for check in checks if check[:2] == ("configuration", "warn")]

    def test_a_changed_file_is_noticed(self):
        self.write("etc/stiefelsystem/50.toml", "[hand-off]\ncountdown-secs = 0\n")
        self.wait(lambda: self.mistakes(), "the mistake")
        self.assertIn("50.toml:2: [hand-off] countdown-secs", self.mistakes()[0])
        self.write("etc/stiefelsystem/50.toml", "[hand-off]\ncountdown-secs = 7\n")
        self.wait(lambda: not self.mistakes(), "the correction")
        (self.machine / "etc/stiefelsystem/50.toml").rename(
            self.machine / "etc/stiefelsystem/50.off"
        )
        self.write("etc/stiefelsystem/60.toml", "what?")
        self.wait(lambda: self.mistakes(), "the next mistake")
        (self.machine / "etc/stiefelsystem/60.toml").unlink()
        self.wait(lambda: not self.mistakes(), "the end of the mistake")

    def test_a_folder_that_comes_later_or_once_more_is_noticed(self):
        self.assertEqual(self.mistakes(), [])
        for _ in range(2):
            folder = self.machine / "etc/stiefelsystem"
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            self.write("etc/stiefelsystem/10.toml", "[link]\nwarp = 9\n")
            self.wait(lambda: self.mistakes(), "the mistake")
            self.write("etc/stiefelsystem/10.toml", "")
            self.wait(lambda: not self.mistakes(), "the correction")

    def test_a_dedicated_link_can_be_configured_while_armed(self):
        self.arm()
        self.script("link add lan0 52:54:00:00:00:01")
        self.write("etc/stiefelsystem/50.toml", '[link]\nmac = "52:54:00:00:00:01"\n')
        link = f"{ROOT}/links/lan0"
        self.wait_for("Managed", False, f"{SERVICE}.Link", link)


class FullSocket(Case):
    """A systemd that does not listen, e.g. because it is being debugged."""

    LISTENS = True

    def configure(self):
        path = self._listen()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
            flood.setblocking(False)
            flood.connect(path)
            with self.assertRaises(BlockingIOError):
                while True:
                    flood.send(b"X=1")
        self.start()

    def test_nobody_waits_for_it(self):
        self.arm()
        self.assertTrue(self.property("Armed", MANAGER))
        self.assertIn("READY=1", self.notified_later())

    def notified_later(self):
        told = []
        self.wait(lambda: told.extend(self.notified()) or "READY=1" in told, "the word")
        return told

    def test_nor_at_the_end(self):
        self.assertEqual(self.terminate(), 0)
