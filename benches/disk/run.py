"""Compares the disk service with nbdkit, nbd-server and qemu-nbd.

Runs in a network namespace of its own (see tools/bench), where the loopback has
the congestion control "cubic": others halve its throughput and hide differences.
In each round, each cell is measured for all servers in turn, so that whatever
else the machine does meets all of them. The result of a cell is the median.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plain
import servers
from cells import CELLS, GIB, IMAGES, Setting

ROOT = Path(__file__).resolve().parents[2]
PEERS = ["nbdkit", "nbd-server", "qemu-nbd"]


def main():
    parser = argparse.ArgumentParser(prog="tools/bench disk", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of the main cells, small image")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all results there as JSON")
    parser.add_argument("--folder", default="/var/tmp", help="where the image on a disk is made (default: %(default)s)")
    parser.add_argument("--size", type=int, metavar="GIB", help="size of the image")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--secs", type=int, help="how long one measurement takes")
    parser.add_argument("--before", metavar="PROGRAM", help="another stiefelctl, to be compared as one more peer")
    parser.add_argument("--ours", default=str(ROOT / "target/release/stiefelctl"), help=argparse.SUPPRESS)
    parser.add_argument("cells", nargs="*", metavar="CELL", help=", ".join(cell.name for cell in CELLS))
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS, help="compare with these only")
    options = parser.parse_args()
    if unknown := set(options.cells) - {cell.name for cell in CELLS}:
        parser.error(f"there is no cell {', '.join(sorted(unknown))}")
    rounds = options.rounds or (1 if options.quick else 5)
    secs = options.secs or (1 if options.quick else 2)
    size = (options.size or (1 if options.quick else 2)) * GIB
    cells = [cell for cell in CELLS if cell.name in options.cells or
             not options.cells and (cell.quick or not options.quick)]
    own_network()
    peers = options.peers + [servers.BEFORE] * bool(options.before)
    commands = servers.commands(options.ours, options.before)
    with tempfile.TemporaryDirectory(prefix="stiefel-bench-", dir=options.folder) as folder, \
         tempfile.TemporaryDirectory(prefix="stiefel-bench-", dir="/dev/shm") as memory:
        setting = Setting(memory, folder, secs, size)
        make_images(setting)
        report = {"machine": machine(), "size_bytes": size, "secs": secs, "rounds": rounds,
                  "limits_mb_s": plain.limits(setting.path("full"), secs)}
        samples = measure(cells, peers, commands, setting, rounds)
    report["cells"] = [summary(cell, samples[cell.name]) for cell in cells]
    show(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


def own_network():
    """Only a namespace without a way out is one that was made for us."""
    if os.listdir("/sys/class/net") and Path("/proc/net/route").read_text().count("\n") > 1:
        sys.exit("bench: not in a network namespace of its own; call tools/bench disk")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for loopback in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "replace", "table", "local", "local", loopback, "dev", "lo", "proto", "kernel",
                        "scope", "host", "src", "127.0.0.1", "congctl", "cubic"], check=True)


def make_images(setting):
    """Images full of data, one with 64 MiB of it, and what is copied in."""
    piece = os.urandom(1 << 20)
    for name in (*IMAGES, "source"):
        filled = (64 << 20) if name == "sparse" else setting.size
        with open(setting.path(name), "wb") as image:
            for _ in range(filled >> 20):
                image.write(piece)
            image.truncate(setting.size)
            os.fsync(image.fileno())


def settle(path, cold):
    """Nothing is left to be written, and the cache holds all of the image or nothing."""
    with open(path, "rb+", buffering=0) as image:
        os.fdatasync(image.fileno())
        if cold:
            os.posix_fadvise(image.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            return
        room = bytearray(1 << 20)
        while image.readinto(room):
            pass


def measure(cells, peers, commands, setting, rounds):
    samples = {cell.name: {} for cell in cells}
    for number in range(rounds):
        for cell in cells:
            names = [servers.OURS, *peers, *cell.extra]
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                image = setting.path(cell.image)
                if cell.image == "disk":
                    settle(image, cell.cold)
                with servers.running(commands[name](image, setting.folder), setting.folder) as server:
                    with server.measured() as cost:
                        rate, moved = cell.work(setting)
                samples[cell.name].setdefault(name, []).append(
                    {"rate": rate, "cpu_secs_per_gib": cost.cpu_secs / (moved / GIB),
                     "resident_bytes": cost.resident_bytes})
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {rounds}: {cell.name}\x1b[K", end="", file=sys.stderr)
    return samples


def summary(cell, samples):
    results = {}
    for name, taken in samples.items():
        results[name] = {key: statistics.median(one[key] for one in taken) for key in taken[0]}
        results[name]["rates"] = [round(one["rate"], 1) for one in taken]
    ours = results[servers.OURS]
    peers = {name: result for name, result in results.items() if name != servers.OURS}
    best = max(peers.keys() - {servers.BEFORE}, key=lambda name: peers[name]["rate"])
    # Neighbours in time are compared, then the median is taken.
    ratio = {name: statistics.median(a / b for a, b in zip(ours["rates"], peers[name]["rates"])) for name in peers}
    return {"name": cell.name, "about": cell.about, "unit": cell.unit, "servers": results,
            "best_peer": best, "ratio_to_best": ratio[best], "ratios": ratio}


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown")
    versions = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", "nbdkit", "nbd-server", "qemu-utils",
         "fio", "libnbd-bin"], capture_output=True, text=True).stdout.split("\n")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"processor": model, "processors": len(os.sched_getaffinity(0)), "memory_gib": round(memory / GIB),
            "kernel": platform.release(), "load_before": os.getloadavg()[0], "packages": [v for v in versions if v],
            "made": time.strftime("%Y-%m-%d")}


def show(report):
    told = report["machine"]
    print(f"\n{told['processors']} x {told['processor']}, {told['memory_gib']} GiB, Linux {told['kernel']}, "
          f"load before {told['load_before']:.1f}; median of {report['rounds']}, {report['secs']} s each")
    print("limits: " + ", ".join(f"{name} {rate:.0f} MB/s" for name, rate in report["limits_mb_s"].items()))
    print(f"\n{'':50} {'ours':>14} {'best peer':>24} {'ratio':>6} {'CPU s/GiB':>13} {'MiB':>5}")
    for cell in report["cells"]:
        ours, best = cell["servers"][servers.OURS], cell["servers"][cell["best_peer"]]
        print(f"{cell['about']:50} {ours['rate']:>9.0f} {cell['unit']:4} {best['rate']:>9.0f} "
              f"{cell['best_peer']:14} {cell['ratio_to_best']:6.2f} "
              f"{ours['cpu_secs_per_gib']:6.2f} /{best['cpu_secs_per_gib']:5.2f} {ours['resident_bytes'] / (1 << 20):5.1f}")
        others = ", ".join(f"{name} {ratio:.2f}" for name, ratio in cell["ratios"].items())
        print(f"{'':50} ours is {others}")
    print("CPU s/GiB: ours / the best peer's. MiB: resident at most, ours.")


if __name__ == "__main__":
    main()
