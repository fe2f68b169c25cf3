"""A desktop for tests: a screen, a session bus with accessibility, the daemon in a
simulation, the application, and somebody who looks at it and presses buttons.

Nothing here sleeps: everything waits for the event that it needs, and fails when LIMIT is over.
"""

import atexit
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "bus"))
import gnome  # noqa: E402
import harness  # noqa: E402
import installed  # noqa: E402
import screen  # noqa: E402
from eyes import Eyes  # noqa: E402
from harness import HANDOFF, LIMIT, LINK, MANAGER, PAIRING, ROOT, DBusError  # noqa: E402,F401

SIMULATIONS = HERE.parent / "simulations"
APP = "org.stiefelsystem.Stiefelsystem"
APP_PATH = "/org/stiefelsystem/Stiefelsystem"
BINARY = pathlib.Path(os.environ.get("STIEFEL_GUI", "/src/target/gui/debug/stiefelsystem"))
LOAN = f"{harness.SERVICE}.Loan"
DRIVE = f"{harness.SERVICE}.Drive"
SETTINGS = f"{harness.SERVICE}.Settings"

# How often somebody looks who waits for something.
LOOK_MSECS = 30

# What the desktop would have set: no animation, so that what is seen is what is the case.
KEYFILE = """[org/gnome/desktop/interface]
enable-animations=false
toolkit-accessibility=true
color-scheme='{scheme}'
text-scaling-factor={text}
"""


class Session:
    """What a person logs in to: a bus, settings, and programs with their files."""

    def __init__(self, folder, on_screen, scheme="default", text=1.0, language=None, share=None, extra=None):
        self.folder = folder
        folder.mkdir(mode=0o700)
        config = folder / "config"
        settings = config / "glib-2.0/settings"
        settings.mkdir(parents=True)
        (settings / "keyfile").write_text(KEYFILE.format(scheme=scheme, text=text))
        share = share or installed.make(folder / "share", BINARY)
        self.env = os.environ | on_screen | {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(config),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_DATA_DIRS": f"{share}:/usr/share",
            "GSETTINGS_BACKEND": "keyfile",
            # Of the tests' surroundings only what they are given.
            "GDK_DEBUG": "no-portals",
            "GTK_A11Y": "atspi",
            "NO_AT_BRIDGE": "0",
            "G_MESSAGES_DEBUG": "",
        }
        if language:
            self.env |= {"LANG": f"{language}.UTF-8", "LANGUAGE": language.split("_")[0]}
        self.env |= extra or {}
        self.log = open(folder / "log", "ab")
        self.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address"],
            env=self.env, stdout=subprocess.PIPE, stderr=self.log,
        )
        self.address = self.bus.stdout.readline().decode().strip()
        self.env["DBUS_SESSION_BUS_ADDRESS"] = self.address

    def close(self):
        self.bus.terminate()
        self.bus.wait()
        self.bus.stdout.close()
        self.log.close()


class Desk:
    """One screen and one session for all tests of this process: a bare one, or GNOME's."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stiefel-desk-"))
        self.log = open(self.folder / "screen.log", "wb")
        self.system = None
        if os.environ.get("STIEFEL_DESK") == "gnome":
            self.screen = gnome.Shell(self.folder / "run", log=self.log)
            self.session = Session(self.folder / "session", self.screen.env)
            self.system, self.system_address = self._system_bus()
            self.screen.start(self.session, self.system_address)
        else:
            self.screen = screen.Screen(self.folder / "run", log=self.log)
            self.session = Session(self.folder / "session", self.screen.env)
        # libatspi asks the session bus of its own process.
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = self.session.address
        self.eyes = Eyes()

    def _system_bus(self):
        """One that stays, since the shell looks for the daemon on it too."""
        config = self.folder / "system.conf"
        policy = harness.TREE / "data" / f"{harness.SERVICE}.conf"
        config.write_text(harness.BUS.format(folder=self.folder, mocks="", own="", policy=policy))
        bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE, stderr=self.log,
        )
        return bus, bus.stdout.readline().decode().strip()

    def close(self):
        self.session.close()
        self.screen.close()
        if self.system:
            self.system.terminate()
            self.system.wait()
            self.system.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_desk = []


def desk():
    if not _desk:
        _desk.append(Desk())
        atexit.register(_desk[0].close)
    return _desk[0]


class Case(harness.Case):
    """A test with a daemon of its own, and the application when it is launched."""

    SERVICES = []
    # A file of tests/simulations.
    MACHINE = "ready"
    # What has been played.
    played = None

    def setUp(self):
        self.desk = desk()
        self.desk.eyes.noted.clear()
        super().setUp()
        self.app = None
        flags = Gio.DBusConnectionFlags
        self.session = Gio.DBusConnection.new_for_address_sync(
            self.desk.session.address,
            flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION,
            None,
            None,
        )
        self.addCleanup(self.session.close_sync, None)

    def _start_bus(self):
        if self.desk and self.desk.system:
            self.address = self.desk.system_address
        else:
            super()._start_bus()

    def start(self):
        """What the simulation says happens once; a daemon that is started again finds what was left."""
        self.ARGUMENTS = []
        if self.played != self.MACHINE:
            simulation = SIMULATIONS / f"{self.MACHINE}.sim"
            self.ARGUMENTS = ["--simulate", simulation, "--state", self.machine]
            self.played = self.MACHINE
        super().start()

    def become(self, machine):
        """Another machine, of which the application has seen nothing yet."""
        self.kill()
        shutil.rmtree(self.machine)
        self.machine.mkdir()
        self.MACHINE, self.played = machine, None
        self.write("etc/stiefelsystem/00-patient.toml", harness.PATIENT)
        self.start()

    def pairing(self, name):
        """The object of the pairing that is called so."""
        for path, interfaces in self.objects().items():
            if interfaces.get(PAIRING, {}).get("Name") == name:
                return path
        raise AssertionError(f"no pairing {name!r}")

    # The application

    def launch(self, *arguments, wait=True):
        """Starts it, and returns when it has its name on the session bus."""
        env = self.desk.session.env | {"DBUS_SYSTEM_BUS_ADDRESS": self.address}
        self.app = self._spawn([str(BINARY), *arguments], env=env, stderr=self.log)
        self.addCleanup(self.show_log)
        if wait:
            self.wait(lambda: self.app.poll() is not None or self.owner(APP), "the application's name")
            self.assertIsNone(self.app.poll(), (self.folder / "log").read_text())
        return self.app

    def show_log(self):
        """What everybody wrote, behind a test that failed."""
        outcome = getattr(self, "_outcome", None)
        result = getattr(outcome, "result", None)
        failed = result and any(test is self for test, _ in result.failures + result.errors)
        if failed or (outcome and not outcome.success):
            print((self.folder / "log").read_text()[-4000:], file=sys.stderr)

    def end(self):
        """Closes it as quitting does."""
        self.act("quit")
        self.assertEqual(self.app.wait(LIMIT), 0)

    def owner(self, name):
        try:
            return self.ask("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetNameOwner", "(s)", name)
        except DBusError:
            return None

    def ask(self, name, path, interface, member, signature="()", *arguments):
        """Calls somebody on the session bus."""
        try:
            answer = self.session.call_sync(
                name, path, interface, member, GLib.Variant(signature, arguments), None,
                Gio.DBusCallFlags.NONE, LIMIT * 1000, None,
            ).unpack()
        except GLib.Error as error:
            raise DBusError(error) from None
        return answer[0] if len(answer) == 1 else (answer or None)

    def act(self, action, *target):
        """Activates an action of the application, as the launcher does."""
        parameter = [GLib.Variant("s", target[0])] if target else []
        self.ask(APP, APP_PATH, "org.freedesktop.Application", "ActivateAction", "(sava{sv})",
                 action, parameter, {})

    def settle(self):
        """Returns when the application has taken what was sent to it before."""
        self.ask(APP, APP_PATH, "org.gtk.Actions", "List")

    # What a person sees and does

    def see(self, name, role=None):
        """Waits until it is on the screen."""
        found = []

        def is_there():
            found[:] = self.desk.eyes.find(self.app.pid, name, role)
            return found

        self.wait(is_there, f"{role or 'something'} called {name!r}")
        return found[0]

    def see_no_more(self, name, role=None):
        self.wait(lambda: not self.desk.eyes.find(self.app.pid, name, role), f"the end of {name!r}")

    def type(self, name, text):
        """Into the field of that name, in place of what is there."""
        fields = []

        def is_there():
            found = self.desk.eyes.find(self.app.pid, name)
            fields[:] = [one for one in map(self.desk.eyes.field, found) if one]
            return fields

        self.wait(is_there, f"a field called {name!r}")
        self.assertTrue(fields[0].set_text_contents(text))

    def hear(self, text):
        """Waits until it was announced to those who cannot see it."""
        self.wait(lambda: text in self.desk.eyes.noted, lambda: f"{text!r} among {self.desk.eyes.noted}")

    def press(self, name, role="button"):
        """Waits for something that can be pressed, and presses it."""
        ready = []

        def is_ready():
            found = self.desk.eyes.find(self.app.pid, name, role)
            ready[:] = [one for one in found if self.desk.eyes.can_be_pressed(one)]
            return ready

        self.wait(is_ready, f"{role or 'something'} called {name!r} that can be pressed")
        self.assertTrue(self.desk.eyes.press(ready[0]), f"{name!r} could not be pressed")

    def choose(self, name):
        """A row of a list, by the keyboard, as rows are chosen by who cannot see them."""
        self.reach(name)
        self.desk.screen.keys("Return")

    def reach(self, name):
        """Brings the keyboard to what is called so."""
        self.see(name)

        def is_reached():
            focused = self.desk.eyes.focused(self.app.pid)
            if focused and focused.get_name() == name:
                return True
            # Down goes on within a list of rows, Tab to what comes behind it.
            beside = self.desk.eyes.rows_beside(focused) if focused else []
            self.desk.screen.keys("Down" if name in beside else "Tab")
            return False

        self.wait(is_reached, f"the keyboard at {name!r}")

    def wait(self, condition, what):
        """Handles signals until the condition holds; `what` may be a function that says what did not.

        Looking at the screen makes signals itself, so there is a pause between two looks.
        """
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                what = what() if callable(what) else what
                shown = self.desk.eyes.listing(self.app.pid) if self.app else "nothing"
                self.fail(f"{what} did not come; seen: {self.seen}; on the screen:\n{shown}")
            over = []
            GLib.timeout_add(LOOK_MSECS, over.append, True)
            while not over:
                GLib.MainContext.default().iteration(True)
