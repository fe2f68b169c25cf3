"""A bus, the services that the daemon asks, and the daemon itself, for one test each.

Nothing here sleeps: everything waits for the event that it needs, and fails when LIMIT is over.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
BIN = pathlib.Path(os.environ["STIEFEL_BIN"])

SERVICE = "org.stiefelsystem.Stiefel1"
ROOT = "/org/stiefelsystem/Stiefel1"
MANAGER = f"{SERVICE}.Manager"
HANDOFF = f"{SERVICE}.HandOff"
PAIRING = f"{SERVICE}.Pairing"
LINK = f"{SERVICE}.Link"
JOB = f"{SERVICE}.Job"
LOAN = f"{SERVICE}.Loan"
SETTINGS = f"{SERVICE}.Settings"
DRIVE = f"{SERVICE}.Drive"
PROPERTIES = "org.freedesktop.DBus.Properties"
MOCKED = [
    "org.freedesktop.PolicyKit1",
    "org.freedesktop.login1",
    "org.freedesktop.NetworkManager",
    "org.freedesktop.network1",
]
CLAIMED = [
    "run/NetworkManager/conf.d/90-stiefelsystem.conf",
    "run/systemd/network/00-stiefelsystem.network",
]
STEPS = ["hold-sleep", "check-image", "claim-link", "load-kernel"]
# Only a failure takes as long as this, on a machine as slow as it likes.
LIMIT = 60
# "nobody": a person without rights.
NOBODY = 65534

PATIENT = "[hand-off]\ncountdown-secs = 600\nconfirm-secs = 3600\n"

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <!-- As on a system bus. -->
  <limit name="max_replies_per_connection">128</limit>
  <policy context="default">
    <!-- What the system bus of every distribution says. -->
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy context="default">
    <!-- A service of ours may run as a user of its own. -->
    {own}
  </policy>
  <policy user="root">
    {mocks}
  </policy>
  <include>{policy}</include>
</busconfig>
"""


class DBusError(Exception):
    """An error that came over the bus: its name, and its text."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or str(error)
        self.text = error.message.removeprefix(f"GDBus.Error:{self.name}: ")
        super().__init__(f"{self.name}: {self.text}")


class Case(unittest.TestCase):
    """A test with a bus of its own. `SERVICES` are the mocked ones that run; without any, the
    daemon has none of the real ones either."""

    SERVICES = MOCKED
    # Services that the test starts itself.
    OWN = []
    ARGUMENTS = []
    # Who calls the daemon, where it is not the test's own connection.
    caller = None
    # Whoever listens reads: a socket that is full holds the daemon up.
    LISTENS = False

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stiefel-bus-"))
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = open(self.folder / "log", "ab")
        self.addCleanup(self.log.close)
        self.machine = self.folder / "machine"
        self.machine.mkdir()
        self._start_bus()
        self.mocks = self._spawn(
            ["/usr/bin/python3", "-B", str(HERE / "mocks.py"), self.address, *self.SERVICES],
            stdout=subprocess.PIPE,
        )
        self.assertEqual(self.mocks.stdout.readline(), b"ready\n")
        self.addCleanup(self.mocks.stdout.close)
        self.connection = self.connect()
        self.mock_name = self._owner(self.SERVICES[0]) if self.SERVICES else None
        self.signals = []
        self.seen = {}
        self.connection.signal_subscribe(
            SERVICE, None, None, None, None, Gio.DBusSignalFlags.NONE, self._record
        )
        self.daemon = None
        # A test that is slower than a countdown would see something else.
        self.write("etc/stiefelsystem/00-patient.toml", PATIENT)
        self.configure()

    def configure(self):
        """Writes what has to be there before the daemon starts, and starts it."""
        self.start()

    # Processes

    def _spawn(self, command, **options):
        process = subprocess.Popen(command, **options)
        self.addCleanup(self._end, process)
        return process

    def _end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def _start_bus(self):
        def rules(names):
            allow = '<allow own="{0}"/><allow send_destination="{0}"/>'
            return "\n    ".join(allow.format(name) for name in names)

        config = self.folder / "bus.conf"
        config.write_text(
            BUS.format(
                folder=self.folder,
                mocks=rules(MOCKED),
                own=rules(self.OWN),
                policy=TREE / "data" / f"{SERVICE}.conf",
            )
        )
        bus = self._spawn(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        self.address = bus.stdout.readline().decode().strip()
        self.addCleanup(bus.stdout.close)

    def connect(self, user=0):
        """A connection of this user. The bus keeps whose it was when it was made."""
        flags = Gio.DBusConnectionFlags
        os.seteuid(user)
        try:
            return Gio.DBusConnection.new_for_address_sync(
                self.address,
                flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION,
                None,
                None,
            )
        finally:
            os.seteuid(0)

    def call_as_nobody(self):
        """From now on the daemon is called by somebody about whom polkit is asked."""
        self.caller = self.connect(NOBODY)

    def by_root(self, change):
        """Has root do this, whoever calls otherwise."""
        caller, self.caller = self.caller, None
        try:
            return change()
        finally:
            self.caller = caller

    def start(self):
        """Starts the daemon, and returns when it has its name and all objects."""
        arguments = ["--services"] if self.SERVICES else []
        command = [BIN / "stiefeld", "--bus", self.address, *self.simulate(), *arguments]
        command += self.ARGUMENTS
        env = os.environ | ({"NOTIFY_SOCKET": self._listen()} if self.LISTENS else {})
        self.daemon = self._spawn([str(word) for word in command], stderr=self.log, env=env)
        self.wait(lambda: self.daemon.poll() is not None or self._owner(SERVICE), "the name")
        self.assertIsNone(self.daemon.poll(), (self.folder / "log").read_text())
        self.seen = {}
        for path, interfaces in self.objects().items():
            for interface, properties in interfaces.items():
                self.seen[path, interface] = properties

    def simulate(self):
        """What says where the machine is."""
        return ["--simulate", self.machine]

    def _listen(self):
        """Where the daemon tells systemd how it is."""
        if not hasattr(self, "manager"):
            self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.addCleanup(self.manager.close)
            self.manager.bind(str(self.folder / "notify"))
            self.manager.setblocking(False)
        return str(self.folder / "notify")

    def notified(self):
        """What systemd was told since the last time."""
        told = []
        while True:
            try:
                told += self.manager.recv(4096).decode().split()
            except BlockingIOError:
                return told

    def kill(self):
        """As a crash would."""
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def terminate(self):
        self.daemon.terminate()
        return self.daemon.wait(LIMIT)

    # The bus

    def _owner(self, name):
        try:
            return self.call_on(
                "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetNameOwner", "(s)", name
            )
        except DBusError:
            return None

    def call_on(self, name, path, interface, member, signature="()", *args, flags=0, fds=(), by=None):
        """Calls, and returns the single value of the answer, or all, or None. An `h` among the
        arguments is an index of `fds`; `by` is another connection than the test's own."""
        try:
            answer, _ = (by or self.connection).call_with_unix_fd_list_sync(
                name,
                path,
                interface,
                member,
                GLib.Variant(signature, args),
                None,
                Gio.DBusCallFlags(flags),
                LIMIT * 1000,
                Gio.UnixFDList.new_from_array([os.dup(fd) for fd in fds]),
                None,
            )
            answer = answer.unpack()
        except GLib.Error as error:
            raise DBusError(error) from None
        return answer[0] if len(answer) == 1 else (answer or None)

    def call(self, path, interface, member, signature="()", *args, **options):
        return self.call_on(SERVICE, path, interface, member, signature, *args, by=self.caller, **options)

    def mock(self, member, signature="()", *args):
        return self.call_on(
            self.mock_name, "/mock", "org.stiefelsystem.Mock1", member, signature, *args
        )

    def objects(self):
        interfaces = [MANAGER, HANDOFF, SETTINGS]
        if self.call(ROOT, PROPERTIES, "Get", "(ss)", MANAGER, "Role") == "borrower":
            interfaces.append(LOAN)
        return self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects") | {
            ROOT: {
                interface: self.call(ROOT, PROPERTIES, "GetAll", "(s)", interface)
                for interface in interfaces
            }
        }

    def _record(self, _connection, _sender, path, interface, member, parameters):
        arguments = parameters.unpack()
        self.signals.append((path, member, arguments))
        if member == "PropertiesChanged":
            name, changed, _ = arguments
            self.seen.setdefault((path, name), {}).update(changed)
        elif member == "InterfacesAdded":
            path, interfaces = arguments
            for name, properties in interfaces.items():
                self.seen[path, name] = properties
        elif member == "InterfacesRemoved":
            path, interfaces = arguments
            for name in interfaces:
                self.seen.pop((path, name), None)

    def wait(self, condition, what):
        """Handles signals until the condition holds."""
        end = time.monotonic() + LIMIT
        # A condition may depend on what sends no signal to us, e.g. on a process.
        tick = GLib.timeout_add(50, lambda: True)
        try:
            while not condition():
                if time.monotonic() > end:
                    self.fail(f"{what} did not come; seen: {self.seen}")
                GLib.MainContext.default().iteration(True)
        finally:
            GLib.source_remove(tick)

    def property(self, name, interface=HANDOFF, path=ROOT):
        """A property as the signals have told it. The daemon signals before it answers, so
        what a call brought about is here when the call has returned."""
        # What is sent to us may be under way when another program has its answer: the bus
        # answers us behind it.
        self.connection.call_sync(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
            None, None, 0, LIMIT * 1000, None,
        )
        while GLib.MainContext.default().iteration(False):
            pass
        return self.seen.get((path, interface), {}).get(name)

    def wait_for(self, name, value, interface=HANDOFF, path=ROOT):
        self.wait(
            lambda: self.property(name, interface, path) == value,
            f"{path} {name} = {value!r}",
        )

    def wait_for_blocker(self, subject):
        """Until something of this kind is in the way; others may have been before."""
        self.wait(
            lambda: subject in [kind for kind, _, _ in self.property("Blockers")],
            f"the {subject} in the way",
        )

    def states(self):
        """All states of the hand-off that were signalled, in order."""
        self.property("State")
        return [
            arguments[1]["State"]
            for _, member, arguments in self.signals
            if member == "PropertiesChanged" and "State" in arguments[1] and arguments[0] == HANDOFF
        ]

    def wait_for_states(self, *last):
        """Until these are the last states; for those that do not stay until somebody looks."""
        self.wait(lambda: self.states()[-len(last) :] == list(last), f"the states {last}")

    def assert_refused(self, error, *call, **options):
        """The call fails with our own error of this name, or with a full one."""
        name = error if "." in error else f"{SERVICE}.Error.{error}"
        with self.assertRaises(DBusError) as caught:
            self.call(*call, **options)
        self.assertEqual(caught.exception.name, name, caught.exception.text)
        return caught.exception.text

    # The machine

    def script(self, *commands):
        """Says what happens in the simulated world; the last answer."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(LIMIT)
            stream.connect(str(self.machine / "script"))
            lines = stream.makefile("rw")
            for command in commands:
                lines.write(command + "\n")
                lines.flush()
                answer = lines.readline()
                self.assertTrue(answer.startswith("ok"), f"{command}: {answer}")
            lines.close()
        return answer[3:].strip()

    def write(self, path, text):
        file = self.machine / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def pair(self, name="Desk"):
        return self.call(ROOT, MANAGER, "Pair", "(s)", name)

    def arm(self):
        self.call(ROOT, MANAGER, "Arm", "(a{sv})", {})

    def begin(self, pairing):
        self.call(ROOT, HANDOFF, "Begin", "(oa{sv})", pairing, {})

    def confirm(self):
        self.call(ROOT, HANDOFF, "Confirm")

    def cancel(self):
        self.call(ROOT, HANDOFF, "Cancel")

    def left_behind(self):
        """Everything that a hand-off takes and that is still there."""
        places = ["loaded", *CLAIMED, "run/stiefelsystem/hand-off"]
        left = [place for place in places if (self.machine / place).exists()]
        locks = self.mock("Locks")
        return left + [f"{locks} locks"] * bool(locks)

    def ticket(self):
        """The ticket behind the simulated ramdisk that is loaded."""
        archive = (self.machine / "loaded" / "initramfs").read_bytes()
        return ticket_in(archive)

    def ctl(self, *arguments):
        """Runs stiefelctl, as whoever calls the daemon."""
        command = [BIN / "stiefelctl", "--bus", self.address, *arguments]
        if self.caller:
            # The folder of the build may be closed to others.
            command[0] = shutil.copy(command[0], self.folder)
            command[:0] = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, timeout=LIMIT
        )


def ticket_in(archive):
    """Reads stiefel/ticket.json out of newc archives with something before them."""
    at = archive.index(b"070701")
    while True:
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        data = at + (110 + name_size + 3) // 4 * 4
        if name == "stiefel/ticket.json":
            assert mode & 0o777 == 0o600, oct(mode)
            return json.loads(archive[data : data + size])
        assert name != "TRAILER!!!"
        at = data + (size + 3) // 4 * 4
