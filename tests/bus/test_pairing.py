"""Pairings: made, changed, exported and forgotten; their secrets stay where they belong."""

import json
import os
import pathlib
import re

from gi.repository import GLib

from harness import LIMIT, MANAGER, PAIRING, PROPERTIES, ROOT, SERVICE, Case, DBusError, ticket_in


class Pairing(Case):
    def file(self, pairing):
        name = pairing.rsplit("/")[-1] + ".json"
        return self.machine / "var/lib/stiefelsystem/pairings" / name

    def export(self, pairing):
        """The descriptor of the ticket."""
        _, fds = self.connection.call_with_unix_fd_list_sync(
            SERVICE, pairing, PAIRING, "ExportTicket", None, None, 0, LIMIT * 1000, None, None
        )
        return fds.get(0)

    def test_comes_to_the_bus_and_to_the_disk(self):
        pairing = self.pair("Büro-PC 2")
        self.assertRegex(pairing, f"^{ROOT}/pairings/[0-9a-f]{{16}}$")
        self.assertIn((pairing, PAIRING), self.seen_now())
        self.assertEqual(self.property("Name", PAIRING, pairing), "Büro-PC 2")
        self.assertEqual(self.property("Policy", PAIRING, pairing), "ask")
        self.assertEqual(self.property("Presence", PAIRING, pairing), "away")
        self.assertEqual(self.property("LastSeenUsec", PAIRING, pairing), 0)
        self.assertEqual(self.file(pairing).stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.file(pairing).parent.stat().st_mode & 0o777, 0o700)

    def seen_now(self):
        self.property("State")
        return self.seen

    def test_survives_a_crash(self):
        pairing = self.pair()
        before = self.objects()[pairing]
        self.kill()
        self.start()
        self.assertEqual(self.objects()[pairing], before)

    def test_names_are_given_once(self):
        first, second = self.pair("Desk"), self.pair("Other")
        self.assert_refused("NameTaken", ROOT, MANAGER, "Pair", "(s)", "Desk")
        rename = (PROPERTIES, "Set", "(ssv)", PAIRING, "Name")
        self.assert_refused(
            "org.freedesktop.DBus.Error.InvalidArgs", second, *rename, GLib.Variant("s", "Desk")
        )
        self.call(first, *rename, GLib.Variant("s", "Desk"))
        self.call(first, *rename, GLib.Variant("s", "Desk 2"))
        self.assertEqual(self.property("Name", PAIRING, first), "Desk 2")
        self.call(second, *rename, GLib.Variant("s", "Desk"))
        self.assertEqual(json.loads(self.file(second).read_text())["name"], "Desk")

    def test_forgetting_one_leaves_the_others_alone(self):
        gone, stays = self.pair("Gone"), self.pair("Stays")
        before = self.file(stays).read_bytes()
        self.call(gone, PAIRING, "Forget")
        self.assertNotIn((gone, PAIRING), self.seen_now())
        self.assertFalse(self.file(gone).exists())
        self.assertEqual(self.file(stays).read_bytes(), before)
        with self.assertRaises(DBusError):
            self.call(gone, PAIRING, "Forget")
        self.assertIn(stays, self.objects())

    def test_the_number_is_limited(self):
        for number in range(64):
            self.pair(f"Desk {number}")
        self.assert_refused("TooMany", ROOT, MANAGER, "Pair", "(s)", "One more")

    def test_the_ticket_is_sealed_and_has_this_secret_only(self):
        pairing, other = self.pair("Desk"), self.pair("Other")
        fd = self.export(pairing)
        self.addCleanup(os.close, fd)
        with self.assertRaises(PermissionError):
            os.pwrite(fd, b"x", 0)
        archive = os.pread(fd, 1 << 20, 0)
        ticket = ticket_in(archive)
        self.assertEqual(ticket["role"], "fetch")
        secret = json.loads(self.file(pairing).read_text())["secret"]
        self.assertEqual(ticket["pairing"]["secret"], secret)
        self.assertNotIn(
            json.loads(self.file(other).read_text())["secret"].encode(), archive
        )

    def test_secrets_are_nowhere_else(self):
        pairing = self.pair()
        secret = json.loads(self.file(pairing).read_text())["secret"]
        self.assertRegex(secret, "^[0-9a-f]{64}$")
        os.close(self.export(pairing))
        shown = str(self.objects()) + str(self.signals) + (self.folder / "log").read_text()
        self.assertNotIn(secret, shown)
        command_line = pathlib.Path(f"/proc/{self.daemon.pid}/cmdline")
        self.assertNotIn(secret, command_line.read_text())

    def test_a_broken_file_is_told_of_and_the_others_hold(self):
        pairing, broken = self.pair("Desk"), self.pair("Broken")
        self.kill()
        text = self.file(broken).read_text()
        secret = json.loads(text)["secret"]
        self.file(broken).write_text(text.replace('"secret":"', '"secret":"x'))
        self.start()
        self.assertIn(pairing, self.objects())
        self.assertNotIn(broken, self.objects())
        [told] = [c for c in self.property("Checks", MANAGER) if c[0] == "configuration"]
        self.assertEqual(told[1], "warn")
        self.assertIn("Not understood", told[2])
        self.assertNotIn(secret, str(told) + (self.folder / "log").read_text())

    def test_a_mistake_in_the_configuration_is_named(self):
        self.write("etc/stiefelsystem/10.toml", "[hand-off]\ncountdown-secs = 0\n")
        self.call(ROOT, MANAGER, "Refresh")
        told = [c[2] for c in self.property("Checks", MANAGER) if c[0] == "configuration"]
        self.assertTrue(re.search(r"10\.toml:2: \[hand-off\] countdown-secs: ", told[0]), told)
