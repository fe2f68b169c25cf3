"""The cells of the matrix: each is a way to use the disk, measured through one client.

Each work returns (how much a second, bytes moved). More is better in all cells.
"""

import json
import subprocess
import time
from dataclasses import dataclass, field
from typing import Callable

import plain
from servers import PORT

URI = f"nbd://127.0.0.1:{PORT}/disk"
LIMIT_SECS = 300
GIB = 1 << 30


# "full" and "sparse" (nearly all holes) are in memory, as in a page cache that nobody
# writes back meanwhile: what is measured there is the server. "disk" is full and on one.
IMAGES = ("full", "sparse", "disk")


@dataclass
class Setting:
    """What a measurement is made with."""

    # Where the images in memory are, and the one on a disk.
    memory: str
    folder: str
    secs: float
    # Of the image, in bytes.
    size: int

    def path(self, image):
        return f"{self.folder if image == 'disk' else self.memory}/{image}.img"


@dataclass
class Cell:
    name: str
    about: str
    unit: str
    work: Callable
    # Of IMAGES.
    image: str = "full"
    # The page cache is emptied of the image before.
    cold: bool = False
    quick: bool = False
    # Peers that only make sense here.
    extra: tuple = field(default_factory=tuple)


def run(*command, cwd):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECS, cwd=cwd,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def fio(unit, jobs=1, once=False, **options):
    """A work of fio's nbd engine; `jobs` connections. `once`: the image's end is the end."""

    def work(setting):
        words = {"ioengine": "nbd", "uri": URI, "name": "bench", "thread": 1, "runtime": setting.secs,
                 "group_reporting": 1, "numjobs": jobs, "randseed": 7, "norandommap": 1, "output-format": "json",
                 **options}
        if not once:
            words["time_based"] = 1
        if jobs > 1 and not options["rw"].startswith("rand"):
            piece = setting.size // jobs
            words |= {"size": piece, "offset_increment": piece}
        output = run("fio", *(f"--{word}={value}" for word, value in words.items()), cwd=setting.folder)
        (job,) = json.loads(output[output.index("{"):])["jobs"]
        if job["error"]:
            raise RuntimeError(f"fio: error {job['error']}")
        sides = [job["read"], job["write"]]
        moved = sum(side["io_bytes"] for side in sides)
        if unit == "IOPS":
            return sum(side["iops"] for side in sides), moved
        return sum(side["bw_bytes"] for side in sides) / 1e6, moved

    return work


def nbdcopy(*words):
    """A work that copies all of the image through four connections, as often as there is time."""

    def work(setting):
        copies, start = 0, time.monotonic()
        while time.monotonic() < start + setting.secs:
            places = [setting.path("source") if word == "source" else word for word in words]
            run("nbdcopy", "--connections=4", *places, cwd=setting.folder)
            copies += 1
        moved = copies * setting.size
        return moved / 1e6 / (time.monotonic() - start), moved

    return work


nbdcopy_out = nbdcopy(URI, "null:")
nbdcopy_in = nbdcopy("--allocated", "source", URI)


def plain_read(setting):
    return plain.read(PORT, setting.secs, setting.size)


def flushed_writes(setting):
    return plain.flushed_writes(PORT, setting.secs, setting.size)


CELLS = [
    Cell("plain-read", "sequential read 1M q16, receiver that only receives", "MB/s", plain_read, quick=True),
    Cell("read-1m", "sequential read 1M q16", "MB/s", fio("MB/s", rw="read", bs="1M", iodepth=16), quick=True),
    Cell("read-1m-4", "- 4 connections", "MB/s", fio("MB/s", 4, rw="read", bs="1M", iodepth=16), quick=True),
    Cell("read-128k", "sequential read 128k q16", "MB/s", fio("MB/s", rw="read", bs="128k", iodepth=16)),
    Cell("copy-out", "nbdcopy out, 4 connections", "MB/s", nbdcopy_out),
    Cell("write-1m", "sequential write 1M q16", "MB/s", fio("MB/s", rw="write", bs="1M", iodepth=16), quick=True),
    Cell("write-1m-4", "- 4 connections", "MB/s", fio("MB/s", 4, rw="write", bs="1M", iodepth=16)),
    Cell("copy-in", "nbdcopy in, 4 connections", "MB/s", nbdcopy_in),
    Cell("rread-q1", "random read 4k q1", "IOPS", fio("IOPS", rw="randread", bs="4k", iodepth=1)),
    Cell("rread-q32", "random read 4k q32", "IOPS", fio("IOPS", rw="randread", bs="4k", iodepth=32), quick=True),
    Cell("rread-q32-4", "- 4 connections", "IOPS", fio("IOPS", 4, rw="randread", bs="4k", iodepth=32)),
    Cell("rwrite-q32", "random write 4k q32", "IOPS", fio("IOPS", rw="randwrite", bs="4k", iodepth=32), quick=True),
    Cell("rwrite-q32-4", "- 4 connections", "IOPS", fio("IOPS", 4, rw="randwrite", bs="4k", iodepth=32)),
    Cell("mix", "mix 70/30 4k q32", "IOPS", fio("IOPS", rw="randrw", rwmixread=70, bs="4k", iodepth=32)),
    Cell("flush", "16 random writes 4k, flush, and again", "IOPS", flushed_writes, image="disk"),
    Cell("cold", "cold cache, random read 4k q32", "IOPS", fio("IOPS", rw="randread", bs="4k", iodepth=32),
         image="disk", cold=True, quick=True, extra=("qemu-nbd-uring",)),
    Cell("cold-seq", "cold cache, sequential read 1M q16", "MB/s",
         fio("MB/s", once=True, rw="read", bs="1M", iodepth=16),
         image="disk", cold=True, extra=("qemu-nbd-uring",)),
    Cell("sparse", "sparse image, sequential read 1M q16", "MB/s", fio("MB/s", rw="read", bs="1M", iodepth=16),
         image="sparse"),
    Cell("sparse-copy", "sparse image, nbdcopy out", "MB/s", nbdcopy_out, image="sparse"),
]
