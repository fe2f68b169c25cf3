"""Compares the application with the least that a libadwaita application is.

Start: from the start of the process until the compositor shows its first
frame, for both in turn, so that whatever else the machine does meets both.
Rest: how often any thread of it is woken up while nothing moves, and how much
memory is its own, with and without a window.
"""

import argparse
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/gui"))
import desk  # noqa: E402
import screen  # noqa: E402
import screens  # noqa: E402

# What the start may cost, in starts of the other.
GOAL = 1.3
# Until what is started has done all that it does at its start.
SETTLE_SECS = 5


class Bench:
    def __init__(self, folder, secs):
        self.folder, self.secs = folder, secs
        self.stage = screens.Stage("runTest")
        self.stage.setUp()
        self.log = open(folder / "screen.log", "wb")
        self.screen = screen.Screen(folder / "run", log=self.log)
        self.session = desk.Session(
            folder / "session", self.screen.env, extra={"DBUS_SYSTEM_BUS_ADDRESS": self.stage.address}
        )
        self.hello = folder / "hello"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libadwaita-1"],
                               stdout=subprocess.PIPE, check=True, text=True).stdout.split()
        source = str(pathlib.Path(__file__).with_name("hello.c"))
        subprocess.run(["gcc", "-O2", "-o", str(self.hello), source, *flags], check=True)

    def close(self):
        self.session.close()
        self.screen.close()
        self.stage.doCleanups()
        self.log.close()

    def launch(self, *command):
        return subprocess.Popen([str(word) for word in command], env=self.session.env,
                                stdout=self.log, stderr=self.log)

    def start(self, *command):
        """Milliseconds until its window is there, and the process."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(screen.LIMIT)
            stream.connect(str(self.screen.socket_path))
            screen.talk(stream, screen.SUBSCRIBE, '["window"]')
            began = time.monotonic()
            process = self.launch(*command)
            while True:
                event = screen.receive(stream)
                took = time.monotonic() - began
                if event["change"] == "new" and event["container"]["pid"] == process.pid:
                    return took * 1000, process

    def rest(self, process):
        """Wake-ups in a second, and MiB of its own, while nothing happens."""
        time.sleep(SETTLE_SECS)
        before = switches(process.pid)
        time.sleep(self.secs)
        after = switches(process.pid)
        # A thread that has ended was at work before.
        woken = sum(count - before.get(task, 0) for task, count in after.items())
        return {"wakeups_per_sec": round(woken / self.secs, 2), "own_mib": round(own_kib(process.pid) / 1024, 1)}


def switches(pid):
    """How often each of its threads has waited for something, which has come since."""
    counts = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        counts[task.name] = sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
    return counts


def own_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def end(process):
    process.terminate()
    process.wait()


def main():
    parser = argparse.ArgumentParser(prog="tools/bench gui", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter looks")
    parser.add_argument("--out", type=pathlib.Path, metavar="FILE", help="write all results there as JSON")
    options = parser.parse_args()
    rounds, secs = (5, 5) if options.quick else (15, 20)
    with tempfile.TemporaryDirectory(prefix="stiefel-bench-") as folder:
        bench = Bench(pathlib.Path(folder), secs)
        try:
            report = measure(bench, rounds)
        finally:
            bench.close()
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n")
    show(report)
    return 0 if report["start"]["ratio"] <= GOAL else 1


def measure(bench, rounds):
    bench.stage.play("ready")
    commands = {"ours": [desk.BINARY], "hello": [bench.hello]}
    samples = {name: [] for name in commands}
    # The first start of each reads its files.
    for turn in range(rounds + 1):
        for name, command in commands.items():
            took, process = bench.start(*command)
            end(process)
            if turn:
                samples[name].append(took)
    medians = {name: statistics.median(took) for name, took in samples.items()}
    report = {
        "start": {
            "ours_msecs": round(medians["ours"]), "hello_msecs": round(medians["hello"]),
            "ratio": round(medians["ours"] / medians["hello"], 2),
            "samples_msecs": {name: [round(took) for took in took_all] for name, took_all in samples.items()},
        },
        "rest": {},
    }
    states = {"hello": None, "ready": "ready", "waiting": "waiting", "running from a loan": "borrower-held"}
    for name, simulation in states.items():
        if simulation:
            bench.stage.play(simulation)
        _, process = bench.start(*commands["ours" if simulation else "hello"])
        report["rest"][name] = bench.rest(process)
        end(process)
    for name, simulation in [("without a window, ready", "ready"), ("without a window, a loan", "borrower-held")]:
        bench.stage.play(simulation)
        process = bench.launch(desk.BINARY, "--background")
        report["rest"][name] = bench.rest(process)
        end(process)
    return report


def show(report):
    start = report["start"]
    print(f"start to the first frame: {start['ours_msecs']} ms, hello {start['hello_msecs']} ms: "
          f"{start['ratio']} times (goal: {GOAL})")
    for name, rest in report["rest"].items():
        print(f"{name}: {rest['wakeups_per_sec']} wake-ups a second, {rest['own_mib']} MiB of its own")


if __name__ == "__main__":
    sys.exit(main())
