"""Compares the daemon at rest, and under a hundred clients, with upowerd, boltd and
power-profiles-daemon, all on one private bus and in one run.

Runs in network and mount namespaces of its own (see tools/bench): the daemon is the installed
one in every respect but that its folders are empty and logind is a mock. Nothing is built in
between, and whatever else the machine does meets all of them.
"""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUS_TESTS = ROOT / "tests" / "bus"
os.environ.setdefault("STIEFEL_BIN", str(ROOT / "target" / "release"))
sys.path.insert(0, str(BUS_TESTS))

from gi.repository import Gio, GLib  # noqa: E402

import harness  # noqa: E402
import test_real  # noqa: E402
from calls import Client, flood  # noqa: E402
from process import Process, woken  # noqa: E402

CLIENTS = 100
PEERS = {
    "upowerd": ("/usr/libexec/upowerd", "org.freedesktop.UPower", "/org/freedesktop/UPower", "org.freedesktop.UPower"),
    "boltd": ("/usr/libexec/boltd", "org.freedesktop.bolt", "/org/freedesktop/bolt", "org.freedesktop.bolt1.Manager"),
    "power-profiles-daemon": (
        "/usr/libexec/power-profiles-daemon", "net.hadess.PowerProfiles", "/net/hadess/PowerProfiles",
        "net.hadess.PowerProfiles",
    ),
}
READ = ["GetAll", "Introspect"]
UNGUARDED = READ + ["GetManagedObjects"]
# Guarded, too, but foregone: the name is taken, and there is no hand-off.
FOREGONE = ["Pair", "Confirm", "Cancel"]
# What polkit decides, unless it is root that calls.
DECIDED = ["Disarm"]
# How many calls a single client has open.
BATCH = 500
POLKIT = (
    "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench daemon", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="rest for 15 s only, and a tenth of the calls")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="write all results there as JSON")
    parser.add_argument("--rest", type=float, metavar="SECS", help="how long they rest (default: 60)")
    parser.add_argument("--calls", type=int, help="how many calls memory is held against (default: 100000)")
    parser.add_argument("--ours", default=os.environ["STIEFEL_BIN"] + "/stiefeld", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rest = options.rest or (15 if options.quick else 60)
    calls = options.calls or (10_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory(prefix="stiefel-bench-") as folder:
        bench = Bench(pathlib.Path(folder), options.ours)
        try:
            report = {"machine": machine(), "rest_secs": rest, "daemons": bench.measure(rest, calls)}
        finally:
            bench.end()
    show(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


class Bench:
    """A bus, what the daemon asks on it, the daemon, and its peers."""

    def __init__(self, folder, ours):
        self.folder, self.ours, self.started = folder, ours, []
        # polkitd is no root when it comes to the bus.
        folder.chmod(0o755)
        own_folders()
        self.address = self.start_bus()
        self.connection = self.connect()
        mocks = self.spawn(
            ["/usr/bin/python3", "-B", BUS_TESTS / "mocks.py", self.address, *harness.MOCKED[1:]],
            stdout=subprocess.PIPE,
        )
        mocks.stdout.readline()
        policy = ROOT / "data" / f"{harness.SERVICE}.policy"
        self.serve(
            "org.freedesktop.PolicyKit1",
            ["sh", "-c", test_real.Polkit.START, "sh", policy, test_real.Polkit.RULES, test_real.POLKITD],
        )

    def spawn(self, command, **options):
        options = {"stderr": subprocess.DEVNULL} | options
        env = os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": getattr(self, "address", "")}
        process = subprocess.Popen([str(word) for word in command], env=env, **options)
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            process.kill()
            process.wait()

    def start_bus(self):
        def rules(names):
            allow = '<allow own="{0}"/><allow send_destination="{0}"/>'
            return "".join(allow.format(name) for name in names)

        names = [name for _, name, _, _ in PEERS.values()]
        config = self.folder / "bus.conf"
        config.write_text(harness.BUS.format(
            folder=self.folder, own=rules(names + ["org.freedesktop.PolicyKit1"]), mocks=rules(harness.MOCKED),
            policy=ROOT / "data" / f"{harness.SERVICE}.conf",
        ))
        bus = self.spawn(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"], stdout=subprocess.PIPE
        )
        return bus.stdout.readline().decode().strip()

    def connect(self):
        flags = Gio.DBusConnectionFlags
        return Gio.DBusConnection.new_for_address_sync(
            self.address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None
        )

    def serve(self, name, command):
        """Starts whoever gets this name, and waits for it."""
        process = self.spawn(command, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + harness.LIMIT
        while not self.owner(name):
            if process.poll() is not None or time.monotonic() > limit:
                raise SystemExit(f"bench: {command[0]} did not get the name {name}")
            time.sleep(0.05)
        return Process(process.pid)

    def owner(self, name):
        try:
            return self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetNameOwner", "(s)", name)
        except GLib.Error:
            return None

    def call(self, name, path, interface, member, signature="()", *args):
        return self.connection.call_sync(
            name, path, interface, member, GLib.Variant(signature, args), None, 0, harness.LIMIT * 1000, None
        ).unpack()

    def arm(self):
        self.call(harness.SERVICE, harness.ROOT, harness.MANAGER, "Arm", "(a{sv})", {})

    def measure(self, rest, calls):
        ours = [str(self.ours), "--bus", self.address]
        targets = {"stiefeld": (harness.SERVICE, harness.ROOT, harness.MANAGER)}
        daemons = {"stiefeld": self.serve(harness.SERVICE, ours)}
        # Armed: it listens to searches, and to whatever is plugged in.
        self.call(harness.SERVICE, harness.ROOT, harness.MANAGER, "Pair", "(s)", "Desk")
        self.arm()
        for name, (program, *target) in PEERS.items():
            daemons[name] = self.serve(target[0], [program])
            targets[name] = tuple(target)
        # What they do at their start is no rest.
        time.sleep(12)
        before = {name: daemon.wakeups() for name, daemon in daemons.items()}
        found = {name: daemon.memory() | {"threads": daemon.threads()} for name, daemon in daemons.items()}
        time.sleep(rest)
        for name, daemon in daemons.items():
            found[name]["wakeups"] = woken(before[name], daemon.wakeups())
        clients = [Client(self.address) for _ in range(CLIENTS)]
        for name, read in latencies(clients, targets, READ).items():
            found[name]["read"] = read
        people = [Client(self.address, harness.NOBODY) for _ in range(CLIENTS)]
        found["stiefeld"] |= {
            "people": everything(people, targets["stiefeld"]),
            "polkit_alone": latencies(people, {"": POLKIT}, ["CheckAuthorization"] * len(DECIDED))[""],
            # The first of them disarms it.
            "root": everything(clients, targets["stiefeld"]),
        }
        self.arm()
        for name, target in targets.items():
            count = calls if name == "stiefeld" else calls // 5
            # What it needs for so many clients is there by then.
            read_on(clients[0], target, count // 10)
            start, since = daemons[name].memory(), daemons[name].processor_secs()
            read_on(clients[0], target, count)
            grown, until = daemons[name].memory(), daemons[name].processor_secs()
            found[name]["calls"] = {
                "count": count, "usec_each": 1e6 * (until - since) / count,
                "grown_kib": {key: grown[key] - start[key] for key in start},
            }
        return found


def everything(clients, target):
    """Whatever these clients may call: one call of each at a time, and all of them at once."""
    return {
        name: latencies(clients, {"": target}, UNGUARDED + FOREGONE + DECIDED, split=DECIDED, at_once=at_once)[""]
        for name, at_once in (("one_each", len(clients)), ("at_once", 1000))
    }


def read_on(client, target, count):
    """So many calls of one client, some of them open at a time."""
    for _ in range(count // BATCH):
        flood([client], [target], READ, BATCH)


def latencies(clients, targets, members, rounds=5, split=(), at_once=1000):
    """Milliseconds, for each target; in turn, so that whatever else the machine does meets all.

    With `split`, those of these members are told apart from the others. No more calls than
    `at_once` are open."""
    count = len(clients) * len(members)
    took = {name: [] for name in targets}
    for target in targets.values():
        flood(clients, [target], members, count, at_once)
    for _ in range(rounds):
        for name, target in targets.items():
            took[name] += flood(clients, [target], members, count, at_once)
    others = [member for member in members if member not in split]
    return {
        name: {"calls_in_a_round": count} | summed(all_rounds, others)
        | ({"split": summed(all_rounds, split)} if split else {})
        for name, all_rounds in took.items()
    }


def summed(calls, members):
    """The worst and the median of the calls of these members."""
    msecs = [1000 * secs for member, secs in calls if member in members]
    return {"worst_ms": max(msecs), "median_ms": statistics.median(msecs)}


def own_folders():
    """Empty folders for the daemon, in our own mount namespace."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for place in ("/var/lib/stiefelsystem", "/run/stiefelsystem", "/etc/stiefelsystem"):
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # One wired interface with somebody at its other end.
    subprocess.run(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"], check=True)
    for end in ("eth0", "eth1"):
        subprocess.run(["ip", "link", "set", end, "up"], check=True)


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(": ")[1] for line in text.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model, "processors": os.cpu_count(), "kernel": platform.release(),
        "load": os.getloadavg()[0], "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
    }


def show(report):
    here = report["machine"]
    print(f"{here['processors']} processors ({here['processor']}), {here['memory_gib']} GiB, "
          f"Linux {here['kernel']}, load {here['load']:.1f}\n")
    secs = report["rest_secs"]
    print(f"| daemon | resident, MiB | of which no code | threads | wake-ups in {secs:.0f} s | "
          f"worst answer, {CLIENTS} clients | median | processor, a call | grown |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, one in report["daemons"].items():
        calls = one["calls"]
        print(f"| {name} | {one['rss'] / 1024:.1f} | {one['own'] / 1024:.1f} | {one['threads']} | {one['wakeups']} | "
              f"{one['read']['worst_ms']:.0f} ms | {one['read']['median_ms']:.0f} ms | {calls['usec_each']:.0f} µs | "
              f"{calls['grown_kib']['own']} KiB in {calls['count']} calls |")
    for who, by in (("root", "root"), ("people", "somebody about whom polkit is asked")):
        for name, what in (("one_each", "one open of each client"), ("at_once", "all at once")):
            every = report["daemons"]["stiefeld"][who][name]
            decided = every["split"]
            print(f"\nEverything, by {by}, {what} ({every['calls_in_a_round']} calls): "
                  f"worst {every['worst_ms']:.0f} ms, median {every['median_ms']:.0f} ms, beside "
                  f"the {CLIENTS * len(DECIDED)} that polkit decides, unless root calls: "
                  f"worst {decided['worst_ms']:.0f} ms, median {decided['median_ms']:.0f} ms")
    alone = report["daemons"]["stiefeld"]["polkit_alone"]
    print(f"polkitd asked by the same clients for as many decisions ({alone['calls_in_a_round']}): "
          f"worst {alone['worst_ms']:.0f} ms, median {alone['median_ms']:.0f} ms")


if __name__ == "__main__":
    main()
