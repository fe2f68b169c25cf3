"""A screen that nobody sees: the compositor sway without hardware, and pictures of it."""

import io
import json
import os
import select
import socket
import struct
import subprocess

from PIL import Image

# Only a failure takes as long as this, on a machine as slow as it likes.
LIMIT = 60

CONFIG = """
output HEADLESS-1 resolution {width}x{height} position 0 0
output * background #8a8f98 solid_color
default_border none
default_floating_border none
focus_follows_mouse no
focus_on_window_activation focus
seat * hide_cursor 1
seat * fallback true
for_window [app_id=".*"] floating enable
exec sh -c 'echo "$WAYLAND_DISPLAY" >{folder}/ready'
"""

# Wire values of i3's IPC, which sway speaks: i3/ipc.h
MAGIC = b"i3-ipc"
RUN_COMMAND, SUBSCRIBE, GET_TREE = 0, 2, 4


class Screen:
    """Runs until it is closed; `env` is what a program needs to be shown on it."""

    def __init__(self, folder, width=1280, height=900, log=None):
        self.folder = folder
        folder.mkdir(mode=0o700)
        config = folder / "sway.conf"
        config.write_text(CONFIG.format(width=width, height=height, folder=folder))
        os.mkfifo(folder / "ready")
        ready = os.open(folder / "ready", os.O_RDWR)
        self.socket_path = folder / "sway"
        env = os.environ | {
            "XDG_RUNTIME_DIR": str(folder),
            "WLR_BACKENDS": "headless",
            "WLR_RENDERER": "pixman",
            "WLR_LIBINPUT_NO_DEVICES": "1",
            "SWAYSOCK": str(self.socket_path),
        }
        self.process = subprocess.Popen(
            ["sway", "--config", str(config)], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        self.keyboard = None
        readable, _, _ = select.select([ready], [], [], LIMIT)
        if not readable:
            self.close()
            raise TimeoutError("sway did not start")
        display = os.read(ready, 256).decode().strip()
        os.close(ready)
        self.env = {
            "XDG_RUNTIME_DIR": str(folder),
            "WAYLAND_DISPLAY": display,
            "GDK_BACKEND": "wayland",
            "GSK_RENDERER": "cairo",
        }

        # While there is a keyboard, windows listen to it: the first key is not lost.
        self.keyboard = subprocess.Popen(
            ["wtype", "-s", str(24 * 60 * 60 * 1000)], env=os.environ | self.env, stdout=log, stderr=log
        )

    def close(self):
        for process in filter(None, (self.keyboard, self.process)):
            process.terminate()
            process.wait()

    def ask(self, kind, payload=""):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(LIMIT)
            stream.connect(str(self.socket_path))
            return talk(stream, kind, payload)

    def command(self, text):
        """Any command of sway."""
        for answer in self.ask(RUN_COMMAND, text):
            if not answer["success"]:
                raise RuntimeError(f"sway: {text}: {answer.get('error')}")

    def windows(self):
        """All windows: process id, title, position and size, whether they have the keyboard."""

        def walk(node):
            if node.get("pid") and node["type"] in ("con", "floating_con"):
                yield node
            for child in node["nodes"] + node["floating_nodes"]:
                yield from walk(child)

        return list(walk(self.ask(GET_TREE)))

    def window(self, pid):
        """The windows of a process, the one with the keyboard first."""
        found = [window for window in self.windows() if window["pid"] == pid]
        return sorted(found, key=lambda window: not window["focused"])

    def place(self, pid, x, y, width, height):
        """Puts the windows of a process there, in this size."""
        self.command(f"[pid={pid}] resize set width {width} px height {height} px, move absolute position {x} {y}")

    def picture(self, rect=None):
        """What is seen now."""
        where = ["-g", "{x},{y} {width}x{height}".format(**rect)] if rect else []
        done = subprocess.run(
            ["grim", *where, "-t", "ppm", "-"], env=os.environ | self.env, stdout=subprocess.PIPE,
            timeout=LIMIT, check=True,
        )
        picture = Image.open(io.BytesIO(done.stdout))
        picture.load()
        return picture

    def keys(self, *names):
        """Presses and releases keys, such as Tab, Return or shift+Tab."""
        words = []
        for name in names:
            *modifiers, key = name.split("+")
            words += [word for modifier in modifiers for word in ("-M", modifier)]
            words += ["-k", key]
            words += [word for modifier in modifiers for word in ("-m", modifier)]
        subprocess.run(["wtype", *words], env=os.environ | self.env, timeout=LIMIT, check=True)

    def write(self, text):
        """Types a text."""
        subprocess.run(["wtype", "--", text], env=os.environ | self.env, timeout=LIMIT, check=True)


def talk(stream, kind, payload):
    data = payload.encode()
    stream.sendall(MAGIC + struct.pack("=II", len(data), kind) + data)
    return receive(stream)


def receive(stream):
    """An answer, or an event that was subscribed to."""
    head = take(stream, len(MAGIC) + 8)
    length, _ = struct.unpack("=II", head[len(MAGIC):])
    return json.loads(take(stream, length))


def take(stream, length):
    data = b""
    while len(data) < length:
        part = stream.recv(length - len(data))
        if not part:
            raise EOFError("sway is gone")
        data += part
    return data
