"""Many clients at once, clients that vanish, floods, and services that hang: the daemon answers
all the same, and keeps nothing of it."""

import os
import pathlib
import pwd

from gi.repository import Gio, GLib

from harness import HANDOFF, LIMIT, MANAGER, NOBODY, PROPERTIES, ROOT, SERVICE, Case

# Everything that a caller can read or ask for, in one go.
CALLS = [
    ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects", None),
    (PROPERTIES, "GetAll", GLib.Variant("(s)", (MANAGER,))),
    (PROPERTIES, "GetAll", GLib.Variant("(s)", (HANDOFF,))),
    ("org.freedesktop.DBus.Introspectable", "Introspect", None),
    (MANAGER, "Arm", GLib.Variant("(a{sv})", ({},))),
    (MANAGER, "Disarm", None),
    (MANAGER, "Pair", GLib.Variant("(s)", ("Desk",))),
    (HANDOFF, "Confirm", None),
    (HANDOFF, "Cancel", None),
]


class Load(Case):
    def memory_kib(self):
        """Private memory: what the process has written to itself."""
        rollup = pathlib.Path(f"/proc/{self.daemon.pid}/smaps_rollup").read_text()
        return sum(
            int(line.split()[1])
            for line in rollup.splitlines()
            if line.startswith(("Private_Dirty", "Private_Clean"))
        )

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))

    def flood(self, connection, calls, count):
        """Sends so many calls and waits for all answers; the number of answers."""
        left = [count]

        def answered(source, result):
            try:
                source.call_finish(result)
            except GLib.Error as error:
                self.assertIn("org.", Gio.DBusError.get_remote_error(error) or "")
            left[0] -= 1

        for number in range(count):
            interface, member, arguments = calls[number % len(calls)]
            connection.call(
                SERVICE, ROOT, interface, member, arguments, None, 0, LIMIT * 1000, None, answered
            )
        self.wait(lambda: left[0] == 0, f"the answers to {count} calls")

    def test_a_hundred_clients_that_call_everything_at_once(self):
        # Whoever is not root is asked about.
        clients = [self.connect(NOBODY * (n % 2)) for n in range(100)]
        left = [len(clients) * len(CALLS)]

        strange = []

        def answered(source, result):
            left[0] -= 1
            try:
                source.call_finish(result)
            except GLib.Error as error:
                if f"{SERVICE}.Error." not in (Gio.DBusError.get_remote_error(error) or ""):
                    strange.append(str(error))

        for call in CALLS:
            for client in clients:
                interface, member, arguments = call
                client.call(
                    SERVICE, ROOT, interface, member, arguments, None, 0, LIMIT * 1000, None,
                    answered,
                )
        self.wait(lambda: left[0] == 0, "all answers")
        self.assertEqual(strange, [])
        self.assertEqual(self.property("State"), "idle")
        self.assertEqual(len([path for path in self.objects() if "/pairings/" in path]), 1)

    def test_clients_that_vanish_in_mid_call(self):
        self.flood(self.connection, CALLS[:1], 100)
        before = self.descriptors()
        for _ in range(50):
            client = self.connect(NOBODY)
            for interface, member, arguments in CALLS:
                client.call(SERVICE, ROOT, interface, member, arguments, None, 0, -1, None, None)
            client.flush_sync(None)
            client.close_sync(None)
        self.flood(self.connection, CALLS[:1], 1)
        self.assertLessEqual(self.descriptors(), before)
        self.assertEqual(self.property("State"), "idle")
        self.pair("After all")

    def test_memory_is_flat_over_many_calls(self):
        calls = int(os.environ.get("STIEFEL_CALLS", "10000"))
        self.pair()
        self.flood(self.connection, CALLS, calls // 2)
        before = self.memory_kib()
        self.flood(self.connection, CALLS, calls)
        grown = self.memory_kib() - before
        # A hundred bytes kept of each call would be more.
        self.assertLess(grown, max(512, calls * 100 // 1024), "KiB")

    def test_a_flood_of_links(self):
        for _ in range(5):
            self.script(*(f"link add lan{n} 52:54:00:00:01:{n:02x}" for n in range(50)))
            self.script(*(f"link cable lan{n} off" for n in range(50)))
            self.script(*(f"link remove lan{n}" for n in range(50)))
        self.call(ROOT, MANAGER, "Refresh")
        self.wait(lambda: not [p for p, _ in self.seen if "/links/" in p], "the end of the links")
        self.assertEqual([path for path in self.objects() if "/links/" in path], [])

    def test_a_polkit_that_hangs_holds_nobody_else_up(self):
        self.pair()
        self.arm()
        self.mock("Calls")
        self.mocks.send_signal(19)
        try:
            waiting = []
            # More than the bus lets one connection wait for at a time.
            clients = [self.connect(NOBODY) for _ in range(3)]
            for number in range(300):
                clients[number % 3].call(
                    SERVICE, ROOT, MANAGER, "Disarm", None, None, 0, -1, None,
                    lambda source, result: waiting.append(source.call_finish(result)),
                )
            self.flood(self.connection, CALLS[:4], 100)
            self.assertEqual(waiting, [])
        finally:
            self.mocks.send_signal(18)
        self.wait(lambda: len(waiting) == 300, "the answers of a polkit that goes on")
        # Once the first has disarmed it, there is nothing left to ask about.
        asked = [call for call in self.mock("Calls") if call.startswith("CheckAuthorization")]
        self.assertLess(len(asked), 150)

    def test_passwords_that_nobody_types_hold_up_their_own_user_alone(self):
        """One user's agent never answers; the next user is asked about all the same."""
        self.mock("Hang", "(as)", ["CheckAuthorization"])
        arm = GLib.Variant("(a{sv})", ({},))
        with_password = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
        answers, asked = [], []

        def call(client, count):
            for _ in range(count):
                client.call(SERVICE, ROOT, MANAGER, "Arm", arm, None, with_password, -1, None,
                            lambda source, result: answers.append(source.call_finish(result)))

        def are_asked(client, count):
            asked.extend(call for call in self.mock("Calls") if call.startswith("CheckAuthorization"))
            return len([call for call in asked if client.get_unique_name() in call.split()]) == count

        hasty, other = self.connect(NOBODY), self.connect(pwd.getpwnam("daemon").pw_uid)
        call(hasty, 40)
        self.wait(lambda: are_asked(hasty, 4), "the first passwords")
        call(other, 1)
        self.wait(lambda: are_asked(other, 1), "the other user's")
        self.assertTrue(are_asked(hasty, 4), asked)
        self.mock("Hang", "(as)", [])
        self.wait(lambda: len(answers) == 41, "all answers")


class Hang(Case):
    def test_network_services_that_hang_hold_nobody_up(self):
        self.script("link add lan0 52:54:00:00:00:01")
        self.write("etc/stiefelsystem/50.toml", '[link]\ninterface = "lan0"\n')
        self.call(ROOT, MANAGER, "Refresh")
        self.arm()
        self.call(ROOT, MANAGER, "Disarm")
        self.mock("Hang", "(as)", ["NetworkManager.Reload"])
        self.arm()
        pairing = self.pair()
        self.begin(pairing)
        self.cancel()
        self.assertEqual(self.property("State"), "idle")
        self.mock("Hang", "(as)", [])
