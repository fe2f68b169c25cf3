"""The servers that are compared, each serving one image on one port, and what they cost."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

PORT = 10809
OURS = "stiefel"
# Another build of ours.
BEFORE = "before"
# A server that does not listen by then does not start at all.
START_SECS = 20
SAMPLE_SECS = 0.05
# Where a server that goes into the background leaves its number.
PID_FILE = "server.pid"
TICKS = os.sysconf("SC_CLK_TCK")

NBD_SERVER = """[generic]
    listenaddr = 127.0.0.1
    port = {port}
    user = root
    group = root
[disk]
    exportname = {image}
    flush = true
    fua = true
    rotational = false
    trim = true
"""


@dataclass
class Cost:
    """What a measurement took of the machine, on the server's side."""

    cpu_secs: float
    # The largest sum over all its processes that was seen.
    resident_bytes: int


def commands(ours, before):
    """How to serve `image`, by the server's name. A function of image and folder."""
    return {
        OURS: lambda image, folder: stiefelctl(ours, image),
        BEFORE: lambda image, folder: stiefelctl(before, image),
        "nbdkit": lambda image, folder: ["nbdkit", "-f", "-i", "127.0.0.1", "-p", str(PORT), "file", image],
        "nbd-server": nbd_server,
        "qemu-nbd": lambda image, folder: qemu_nbd(image, "threads"),
        "qemu-nbd-uring": lambda image, folder: qemu_nbd(image, "io_uring"),
    }


def stiefelctl(program, image):
    return [program, "serve", image, f"--listen=127.0.0.1:{PORT}", "--json"]


def nbd_server(image, folder):
    config = f"{folder}/nbd-server.conf"
    with open(config, "w", encoding="utf-8") as file:
        file.write(NBD_SERVER.format(port=PORT, image=image))
    # It goes into the background; the option that keeps it from that makes it serve one client only.
    return ["nbd-server", "-C", config, "-p", f"{folder}/{PID_FILE}"]


def qemu_nbd(image, aio):
    return ["qemu-nbd", "-f", "raw", "-x", "disk", "-t", "-e", "16", "-b", "127.0.0.1", "-p", str(PORT),
            "--cache=writeback", "--discard=unmap", f"--aio={aio}", image]


class Running:
    """A server that listens."""

    def __init__(self, pid):
        self.pid = pid

    @contextlib.contextmanager
    def measured(self):
        """Gives a Cost that is filled in at the end of the block."""
        cost = Cost(0.0, 0)
        done = threading.Event()

        def sample():
            while True:
                cost.resident_bytes = max(cost.resident_bytes, resident(self.pid))
                if done.wait(SAMPLE_SECS):
                    return

        sampler = threading.Thread(target=sample)
        before = cpu(self.pid)
        sampler.start()
        try:
            yield cost
        finally:
            done.set()
            sampler.join()
            cost.cpu_secs = cpu(self.pid) - before


@contextlib.contextmanager
def running(command, folder):
    """Starts a server, waits until it listens, and ends it."""
    pid_file = f"{folder}/{PID_FILE}"
    with contextlib.suppress(FileNotFoundError):
        os.remove(pid_file)
    with open(f"{folder}/server.log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    pid = process.pid
    try:
        wait_until_it_listens(process, f"{folder}/server.log")
        if pid_file in command:
            process.wait(START_SECS)
            pid = number_in(pid_file)
        yield Running(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        process.wait(START_SECS)
        wait_until_nobody_listens()


def number_in(pid_file):
    """What a server that goes into the background writes, some time after it listens."""
    until = time.monotonic() + START_SECS
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError, ValueError), open(pid_file, encoding="ascii") as file:
            return int(file.read())
        time.sleep(0.01)
    raise RuntimeError(f"no number in {pid_file}")


def listens():
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", PORT)) == 0


def wait_until_it_listens(process, log):
    until = time.monotonic() + START_SECS
    while not listens():
        if process.poll() or time.monotonic() > until:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise RuntimeError(f"{process.args} does not serve: {text.read()}")
        time.sleep(0.01)


def wait_until_nobody_listens():
    """A server's children may hold the port for a moment longer than itself."""
    until = time.monotonic() + START_SECS
    while listens():
        if time.monotonic() > until:
            raise RuntimeError(f"somebody still listens on port {PORT}")
        time.sleep(0.01)


def family(pid):
    """The process and its children."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [pid, *map(int, children.read().split())]
    except OSError:
        return [pid]


def cpu(pid):
    """Seconds that the process has used, with the children it has now and those it had."""
    total = 0
    for number, one in enumerate(family(pid)):
        try:
            with open(f"/proc/{one}/stat", encoding="utf-8") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        # utime and stime; of the parent also those of children that have ended.
        total += sum(map(int, fields[11:15] if number == 0 else fields[11:13]))
    return total / TICKS


def resident(pid):
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/statm", encoding="ascii") as statm:
                total += int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        except OSError:
            pass
    return total
