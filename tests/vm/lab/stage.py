"""Prepares the machine we are on, and plays scenarios on it.

A scenario is a module of tests/vm/scenarios with a docstring, and a function
`play(lab, journey, installed)`.
"""

import importlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import traceback

from . import Lab
from .errors import LabError
from .journey import Journey

PROJECT = pathlib.Path(__file__).resolve().parents[3]
TOOL_SECONDS = 3600


KEPT = ("PATH", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "STIEFEL_CACHE", "STIEFEL_ACCEL")


def as_root():
    """Starts this program again by sudo where it is not root's: network and disks are root's."""
    # A person's path often has no administrator's tools in it.
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    if os.geteuid() == 0:
        return
    kept = [f"{name}={os.environ[name]}" for name in KEPT if name in os.environ]
    try:
        os.execvp("sudo", ["sudo", "env", *kept, sys.executable, *sys.argv])
    except FileNotFoundError:
        raise SystemExit("this needs root: run it as root, or install sudo") from None


def folder(named, prefix):
    """The folder that was named for the logs, or a new one that everybody may read."""
    if named:
        return named.resolve()
    new = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    new.chmod(0o755)
    return new


def prepare(journey, installed):
    """Packages, build, and our files below the folder `installed`."""
    set_up(journey)
    _tool(journey, "project built", "tools/build")
    _tool(journey, "files installed", "tools/install", str(installed))


def set_up(journey):
    """The packages that this machine lacks."""
    _tool(journey, "packages installed", "tools/setup")


def _tool(journey, name, *words):
    with journey.leg(name):
        log = journey.out / f"{words[0].rpartition('/')[2]}.log"
        with open(log, "wb") as output:
            done = subprocess.run(words, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  timeout=TOOL_SECONDS, check=False)
        if done.returncode:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            raise LabError(f"{words[0]} ended with {done.returncode}:\n" + "\n".join(tail))


def play(name, journey, installed, zero, keep=False):
    """Plays one scenario; returns whether it came out well. Writes result.json."""
    scenario = importlib.import_module(f"scenarios.{name}")
    try:
        with Lab(journey.out, zero) as lab:
            try:
                scenario.play(lab, journey, installed)
            except Exception as error:
                explain(journey, error, lab.machines)
                return False
            finally:
                if keep:
                    _look_around(lab)
        journey.write("passed")
        return True
    finally:
        if journey.outcome is None:
            journey.write("failed")


def explain(journey, error, machines=()):
    """Says on stderr what went wrong; with a trace if the laboratory itself is wrong."""
    if not isinstance(error, LabError):
        traceback.print_exception(error)
    journey.blame(error, machines)


def run(main):
    """Ends the program with what main() returns. Ctrl-C and the polite signals put everything away."""
    def stop(*_):
        raise KeyboardInterrupt
    for wish in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wish, stop)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; nothing is left running")


def _look_around(lab):
    """Lets a person run commands in the machines that still run."""
    print(f"\nStill there, with their consoles in {lab.out}:",
          ", ".join(machine.name for machine in lab.machines if machine.is_on()) or "nothing")
    print("`laptop ip addr` runs a command as root in the laptop; end with Ctrl-D.", flush=True)
    while line := sys.stdin.readline():
        name, _, script = line.strip().partition(" ")
        for machine in lab.machines:
            if machine.name == name and script:
                try:
                    print(machine.run(script, check=False)[1], flush=True)
                except LabError as error:
                    print(error, flush=True)
