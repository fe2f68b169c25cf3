"""A whole system, booted in namespaces of its own: our files on a Debian tree."""

import os
import pathlib
import queue
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
# Only a failure takes as long as this, on a machine as slow as it likes.
LIMIT = 90
# A bare environment, as a service's.
ENV = {"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "SYSTEMD_PAGER": "cat", "SYSTEMD_COLORS": "0"}


class Machine:
    """One system; it is off until `boot`. `layers` are folders, the first one on top."""

    def __init__(self, layers):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stiefel-system-"))
        for name in ("disk", "host", "layer"):
            (self.folder / name).mkdir()
        # On top of the others, for whoever wants to write something before the first boot.
        self.layer = self.folder / "layer"
        self.layers = [self.layer, *layers]
        self.outside = None
        self.first = None
        self.cgroup = _cgroups() / self.folder.name
        self.cgroup.mkdir()
        (self.folder / "cgroup").symlink_to(self.cgroup)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.notify.bind(str(self.folder / "host" / "notify"))
        self.started = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def boot(self):
        """Switches it on, and returns when it has booted."""
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
                   str(HERE / "boot"), str(self.folder), *map(str, self.layers)]
        self.log = open(self.folder / "log", "wb")
        self.outside = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True)
        self._wait_until_booted()

    def reboot(self):
        """As a person would, and returns when it has booted again."""
        self.run("systemctl", "reboot")
        self._wait_until_booted()

    def _wait_until_booted(self):
        while True:
            try:
                first = self.started.get(timeout=LIMIT)
            except queue.Empty:
                log = (self.folder / "log").read_text(errors="replace")
                raise AssertionError(f"the system has not booted: {log}") from None
            # It also says so whenever it has read its units anew.
            if first != self.first:
                self.first = first
                return

    def _listen(self):
        """Takes what the first process says; it stands still where nobody does."""
        while True:
            data, ancillary, *_ = self.notify.recvmsg(4096, socket.CMSG_SPACE(12))
            if not data:
                return
            if b"READY=1" in data.split(b"\n"):
                [(_, _, credentials)] = ancillary
                first, _, _ = struct.unpack("iii", credentials)
                self.started.put(first)

    def end(self):
        """Switches it off as pulling the plug would, and removes everything."""
        self.notify.shutdown(socket.SHUT_RDWR)
        self.listener.join()
        self.notify.close()
        if self.outside:
            os.killpg(self.outside.pid, signal.SIGKILL)
            self.outside.wait()
            self.log.close()
        _remove_cgroup(self.cgroup)
        shutil.rmtree(self.folder)

    @property
    def root(self):
        """Its root folder, as seen from here."""
        return pathlib.Path(f"/proc/{self.first}/root")

    def command(self, *words):
        """What runs these words in it."""
        enter = ["nsenter", f"--target={self.first}", "--mount", "--pid", "--net", "--ipc", "--uts",
                 "--cgroup", "--root", "--wd", "env", "-i"]
        return enter + [f"{name}={value}" for name, value in ENV.items()] + [str(word) for word in words]

    def run(self, *words, check=True, text=None):
        """Runs something in it; returns what it prints, or all of what came of it."""
        done = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL if text is None else None,
                              input=text, capture_output=True, text=True, timeout=LIMIT, check=False)
        if not check:
            return done
        if done.returncode:
            raise AssertionError(f"{' '.join(map(str, words))} ended with {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, *words):
        """Starts something in it that goes on beside us, with an input that we may close."""
        return subprocess.Popen(self.command(*words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def write(self, path, text, mode=0o644):
        """Writes a file in it."""
        self.run("install", "-D", "-m", f"{mode:o}", "/dev/stdin", f"/{path.lstrip('/')}", text=text)


def _cgroups():
    """Where cgroups are made."""
    mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8")
    found = re.search(r"^\S+ (\S+) cgroup2 ", mounts, re.MULTILINE)
    if not found:
        raise AssertionError("this machine has no cgroup2 mounted")
    return pathlib.Path(found.group(1))


def _remove_cgroup(cgroup):
    """Waits for its last process: a killed one takes a moment."""
    with open(cgroup / "cgroup.events", encoding="ascii") as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        while "populated 1" in events.read():
            if not poll.poll(LIMIT * 1000):
                raise AssertionError(f"there are still processes in {cgroup}")
            events.seek(0)
    for folder, _, _ in os.walk(cgroup, topdown=False):
        os.rmdir(folder)
