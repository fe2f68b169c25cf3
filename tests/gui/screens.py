#!/usr/bin/python3
"""Pictures of the application in every state, for people to look at.

usage: screens.py [--hard] [--tall] DIR [STATE ...]
       screens.py --docs DIR

Each state is one of tests/simulations, or a dialog of one. Every picture
shows the same moment in another way: English and German, light and dark,
narrow and wide; all eight are shown at once and taken with one look. With
--hard they are what is harder to get right: text at 200 %, high contrast, and
from right to left in place of German. With --tall the windows are so high that
nothing has to be scrolled. With --docs it makes docs/pictures.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import desk  # noqa: E402
import installed  # noqa: E402
import screen  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402
from PIL import Image, ImageChops, ImageDraw  # noqa: E402

# Between two windows, for their shadows.
MARGIN = 40
NARROW, WIDE, HEIGHT = 360, 840, 720
LANGUAGES = {"en": "C", "de": "de_DE"}
HARD_LANGUAGES = {"en": "C", "he": "he_IL"}
SCHEMES = {"light": "default", "dark": "prefer-dark"}
WIDTHS = {"narrow": NARROW, "wide": WIDE}
TALL = 1500
# What is shown in docs/pictures and by software centres, and how long until there is something to see in it.
DOCS = {"ready": ("ready", 0), "announced": ("announced-asking", 0), "lent": ("borrower-held", 100),
        "frozen": ("borrower-frozen", 0)}
# A picture is taken when two looks in a row were the same; something may move all the time.
LOOKS = 4


@dataclass
class State:
    """What is to be seen: a simulation, and what is opened in it."""

    simulation: str
    actions: list = field(default_factory=list)
    # Pressed then.
    keys: list = field(default_factory=list)
    # What else happens in the simulation.
    script: list = field(default_factory=list)
    # Whether the daemon is killed then.
    gone: bool = False


@dataclass
class Looks:
    """In which ways everything is shown at once."""

    languages: dict
    schemes: dict
    widths: dict
    height: int = HEIGHT
    hard: bool = False


STATES = {
    "setup-needed": State("setup-needed"),
    "no-pairings": State("no-pairings"),
    "ready": State("ready"),
    "preferences": State("ready", actions=["preferences"]),
    "preferences-computers": State("ready", actions=[("preferences-at", "computers")]),
    "preferences-connections": State("ready", actions=[("preferences-at", "connections")]),
    "about": State("ready", actions=["about"]),
    "help": State("ready", actions=["help"]),
    "shortcuts": State("ready", actions=["shortcuts"]),
    "low-battery": State("low-battery"),
    "updating-image": State("updating-image"),
    "waiting": State("waiting"),
    "nobody": State("waiting", script=["policy Workstation never", 'policy "Living room" never']),
    "announced-asking": State("announced-asking"),
    "announced": State("announced"),
    "announced-on-battery": State("announced-on-battery"),
    "announced-blocked": State("announced-blocked"),
    "handing-over": State("handing-over"),
    "handing-over-failed": State("handing-over-failed"),
    "lent": State("lent"),
    "given-back": State("given-back"),
    "borrower-held": State("borrower-held"),
    "give-back": State("borrower-held", actions=["give-back"]),
    "borrower-low-power": State("borrower-low-power"),
    "borrower-asked": State("borrower-asked"),
    "borrower-frozen": State("borrower-frozen"),
    "borrower-lost": State("borrower-lost"),
    "coming-back": State("coming-back"),
    "stick-name": State("drives", actions=["new-pairing"]),
    "stick-drives": State("drives", actions=[("write-stick", "Workstation")]),
    "stick-confirm": State("drives", actions=[("write-stick", "Workstation")], keys=["Return"]),
    "stick-writing": State("writing-stick"),
    "unreachable": State("waiting", gone=True),
    # Cannot be closed while it goes on, so nothing comes after it.
    "stick-progress": State("writing-stick", actions=[("write-stick", "Workstation")]),
}


class Stage(desk.Case):
    """A daemon for one state; never run as a test."""

    def runTest(self):
        raise NotImplementedError

    def setUp(self):
        self.desk = None
        super(desk.Case, self).setUp()

    def configure(self):
        """It is started for each state."""

    def play(self, simulation):
        if self.daemon:
            # One that is held at a turnstile ends no other way.
            self.kill()
            shutil.rmtree(self.machine)
            self.machine.mkdir()
        self.MACHINE, self.played = simulation, None
        self.start()


class Window:
    """The application in one of its appearances, at its place on the screen."""

    def __init__(self, folder, on, address, looks, language, scheme, width, at, share):
        locale = looks.languages[language]
        contrast = {"ADW_DEBUG_HIGH_CONTRAST": "1"} if looks.hard else {}
        self.name = f"{language}-{scheme}-{width}"
        self.rect = {"x": at[0], "y": at[1], "width": looks.widths[width], "height": looks.height}
        self.session = desk.Session(
            folder / self.name, on.env, SCHEMES[scheme], language=locale, share=share,
            text=2.0 if looks.hard else 1.0,
            # Without a portal, libadwaita hears of the dark style by nothing else.
            extra={"ADW_DEBUG_COLOR_SCHEME": SCHEMES[scheme],
                   **contrast, "DBUS_SYSTEM_BUS_ADDRESS": address, "GTK_A11Y": "none", "TZ": "UTC"},
        )
        self.process = subprocess.Popen(
            [str(desk.BINARY)], env=self.session.env, stdout=self.session.log, stderr=self.session.log
        )
        flags = Gio.DBusConnectionFlags
        self.bus = Gio.DBusConnection.new_for_address_sync(
            self.session.address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None
        )

    def act(self, action, *target):
        parameter = [GLib.Variant("s", one) for one in target]
        self.bus.call_sync(
            desk.APP, desk.APP_PATH, "org.freedesktop.Application", "ActivateAction",
            GLib.Variant("(sava{sv})", (action, parameter, {})), None, Gio.DBusCallFlags.NONE, 30_000, None,
        )

    def is_there(self):
        return self.bus.call_sync(
            "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner",
            GLib.Variant("(s)", (desk.APP,)), None, Gio.DBusCallFlags.NONE, -1, None,
        ).unpack()[0]

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.session.close()


class Studio:
    def __init__(self, folder, looks):
        self.stage = Stage("runTest")
        self.stage.setUp()
        columns = [(language, width) for width in looks.widths for language in looks.languages]
        total = sum(looks.widths[width] + MARGIN for _, width in columns) + MARGIN
        step = looks.height + MARGIN
        self.log = open(folder / "screen.log", "wb")
        self.screen = screen.Screen(folder / "run", total, len(looks.schemes) * step + MARGIN, self.log)
        share = installed.make(folder / "share", desk.BINARY)
        self.windows = []
        for row, scheme in enumerate(looks.schemes):
            x = MARGIN
            for language, width in columns:
                at = (x, MARGIN + row * step)
                self.windows.append(
                    Window(folder, self.screen, self.stage.address, looks, language, scheme, width, at, share)
                )
                x += looks.widths[width] + MARGIN
        for window in self.windows:
            self.until(lambda: self.screen.window(window.process.pid), f"{window.name}", window)
            self.screen.place(window.process.pid, **window.rect)

    def until(self, condition, what, window):
        end = time.monotonic() + screen.LIMIT
        while not condition():
            if window.process.poll() is not None or time.monotonic() > end:
                log = (window.session.folder / "log").read_text()[-2000:]
                raise RuntimeError(f"no {what}:\n{log}")
            GLib.MainContext.default().iteration(False)
            time.sleep(0.02)

    def show(self, state):
        for window in self.windows:
            if window.process.poll() is not None:
                log = (window.session.folder / "log").read_text()[-2000:]
                raise RuntimeError(f"{window.name} has ended:\n{log}")
        if state.simulation != self.stage.played:
            self.stage.play(state.simulation)
            self.look()
        if state.script:
            self.stage.script(*state.script)
            self.stage.played = None
        if state.gone:
            self.stage.kill()
            self.stage.played = None
        for action in state.actions:
            name, *target = (action,) if isinstance(action, str) else action
            target = [self.stage.pairing(one) if name == "write-stick" else one for one in target]
            for window in self.windows:
                window.act(name, *target)
            self.look()
        for window in self.windows if state.keys else []:
            self.screen.command(f"[pid={window.process.pid}] focus")
            self.screen.keys(*state.keys)
        for window in self.windows:
            self.gather(window)
        return self.look()

    def gather(self, window):
        """Puts further windows of the application over its first."""
        for other in self.screen.window(window.process.pid):
            rect = other["rect"]
            if (rect["x"], rect["y"]) != (window.rect["x"], window.rect["y"]):
                x, y = window.rect["x"], window.rect["y"] + MARGIN
                self.screen.command(f"[con_id={other['id']}] move absolute position {x} {y}")

    def look(self):
        """The screen as it is when nothing moves."""
        before = self.screen.picture()
        for _ in range(LOOKS):
            time.sleep(0.15)
            now = self.screen.picture()
            if not ImageChops.difference(before, now).getbbox():
                break
            before = now
        return now

    def tidy(self, state):
        """Closes what was opened: a dialog, or a window of its own."""
        for _ in state.actions + state.keys[-1:]:
            for window in self.windows:
                pid = window.process.pid
                self.screen.command(f"[pid={pid}] focus")
                self.screen.keys("Escape")

    def close(self):
        for window in self.windows:
            window.close()
        self.screen.close()
        self.log.close()
        self.stage.doCleanups()


def save(out, name, picture, rects):
    """A file for each window, and a sheet with all of them."""
    for window, rect in rects:
        edge = MARGIN // 2
        box = (rect["x"] - edge, rect["y"] - edge,
               rect["x"] + rect["width"] + edge, rect["y"] + rect["height"] + edge)
        picture.crop(box).save(out / f"{name}-{window}.png", compress_level=3)
    picture.save(out / "sheets" / f"{name}.png", compress_level=3)


def docs(out, studio):
    """The pictures of docs/pictures, and two of them beside each other."""
    rect = studio.windows[0].rect
    box = (rect["x"], rect["y"], rect["x"] + rect["width"], rect["y"] + rect["height"])
    edge = MARGIN // 2
    pair = []
    for name, (state, seconds) in DOCS.items():
        picture = studio.show(STATES[state])
        if seconds:
            time.sleep(seconds)
            picture = studio.look()
        picture.crop(box).save(out / f"{name}.png", optimize=True)
        if name in ("ready", "lent"):
            pair.append(picture.crop((box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge)))
    both = Image.new("RGB", (sum(one.width for one in pair), pair[0].height))
    for at, one in enumerate(pair):
        both.paste(one, (at * one.width, 0))
    both.save(out / "application.png", optimize=True)


def main():
    words = sys.argv[1:]
    options = {word for word in words if word in ("--hard", "--tall", "--docs")}
    words = [word for word in words if word not in options]
    if not words or words[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    out = pathlib.Path(words[0])
    wanted = words[1:] or list(STATES)
    if unknown := [name for name in wanted if name not in STATES]:
        print(f"screens: no state {', '.join(unknown)}; there are: {', '.join(STATES)}", file=sys.stderr)
        return 2
    hard = "--hard" in options
    looks = Looks(HARD_LANGUAGES if hard else LANGUAGES, SCHEMES, WIDTHS,
                  TALL if "--tall" in options else HEIGHT, hard)
    if "--docs" in options:
        looks = Looks({"en": "C"}, {"light": "default"}, {"shown": 700}, 800)
    (out if "--docs" in options else out / "sheets").mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stiefel-screens-"))
    start = time.monotonic()
    studio = Studio(folder, looks)
    with ThreadPoolExecutor(1) as saver:
        kept = []
        try:
            if "--docs" in options:
                docs(out, studio)
                wanted = []
            for name in wanted:
                picture = studio.show(STATES[name])
                rects = [(window.name, window.rect) for window in studio.windows]
                kept.append(saver.submit(save, out, name, picture, rects))
                studio.tidy(STATES[name])
                print(f"screens: {name}, {time.monotonic() - start:.0f} s", flush=True)
        finally:
            studio.close()
            shutil.rmtree(folder, ignore_errors=True)
        for one in kept:
            one.result()
    return 0


if __name__ == "__main__":
    sys.exit(main())
