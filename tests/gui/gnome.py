"""GNOME Shell without a screen, with the extension that shows icons in its panel."""

import json
import os
import subprocess
import time

from gi.repository import Gio, GLib

from screen import LIMIT

SHELL = "org.gnome.Shell"
INDICATORS = "ubuntu-appindicators@ubuntu.com"
TOGGLE = "lend-my-disk@stiefelsystem.org"

# What the desktop is set to, besides what desk.py says: no greeting, and our extensions.
SETTINGS = """
[org/gnome/shell]
enabled-extensions=['{extensions}']
disable-extension-version-validation=true
welcome-dialog-last-shown-version='99'
"""

CLICK = """(() => {
    const actor = %s;
    const {Clutter} = imports.gi;
    globalThis._mouse ??= Clutter.get_default_backend().get_default_seat()
        .create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE);
    const [x, y] = actor.get_transformed_position();
    const [width, height] = actor.get_transformed_size();
    const now = GLib.get_monotonic_time();
    _mouse.notify_absolute_motion(now, x + width / 2, y + height / 2);
    _mouse.notify_button(now + 1, Clutter.BUTTON_PRIMARY, Clutter.ButtonState.PRESSED);
    _mouse.notify_button(now + 2, Clutter.BUTTON_PRIMARY, Clutter.ButtonState.RELEASED);
    return true;
})()"""


class Shell:
    """Runs in the session, which needs nothing else; `env` is what a program needs to be shown in it."""

    def __init__(self, folder, log=None, size="1024x768"):
        self.folder, self.log, self.size = folder, log, size
        folder.mkdir(mode=0o700)
        self.env = {
            "XDG_RUNTIME_DIR": str(folder),
            "WAYLAND_DISPLAY": "wayland-stiefel",
            "XDG_CURRENT_DESKTOP": "GNOME",
            "XDG_SESSION_TYPE": "wayland",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "GDK_BACKEND": "wayland",
            "GSK_RENDERER": "cairo",
        }
        self.process = None

    def start(self, session, system_address):
        """Returns when it has started up; `session` has its settings and its bus."""
        keyfile = session.folder / "config/glib-2.0/settings/keyfile"
        extensions = "', '".join([INDICATORS, TOGGLE])
        keyfile.write_text(keyfile.read_text() + SETTINGS.format(extensions=extensions))
        self.process = subprocess.Popen(
            ["gnome-shell", "--headless", "--wayland", "--no-x11", "--unsafe-mode",
             "--virtual-monitor", self.size, "--wayland-display", self.env["WAYLAND_DISPLAY"]],
            env=session.env | {"DBUS_SYSTEM_BUS_ADDRESS": system_address},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )
        flags = Gio.DBusConnectionFlags
        self.connection = Gio.DBusConnection.new_for_address_sync(
            session.address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None
        )
        self.until("!Main.layoutManager._startingUp", "start of GNOME Shell")
        self.eval("Main.overview.hide(); true")

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait()

    def ask(self, path, interface, member, signature, *arguments):
        return self.connection.call_sync(
            SHELL, path, interface, member, GLib.Variant(signature, arguments), None,
            Gio.DBusCallFlags.NONE, LIMIT * 1000, None,
        ).unpack()

    def eval(self, script):
        """What a line of the shell's own language is there; an error there is one here."""
        done, answer = self.ask("/org/gnome/Shell", SHELL, "Eval", "(s)", script)
        if not done:
            raise RuntimeError(f"{script}: {answer}")
        return json.loads(answer) if answer else None

    def until(self, script, what, limit=LIMIT):
        """Waits until it is true; the shell tells nobody of most of its changes."""
        end = time.monotonic() + limit
        while True:
            try:
                if self.eval(script):
                    return
            except (GLib.Error, RuntimeError):
                # It is not on the bus yet, or what is asked for is not there yet.
                pass
            if time.monotonic() > end or self.process.poll() is not None:
                raise TimeoutError(f"{what} did not come: {script}")
            GLib.MainContext.default().iteration(False)
            time.sleep(0.05)

    def click(self, actor):
        """What a mouse does that clicks there, as soon as it is laid out."""
        self.until(f"({actor}).get_transformed_position().every(Number.isFinite)", "its place")
        self.eval(CLICK % actor)

    def picture(self, file):
        self.ask("/org/gnome/Shell/Screenshot", f"{SHELL}.Screenshot", "Screenshot", "(bbs)", False, False, str(file))
