"""Tests everything, or the layers that are named.

usage: tools/test [LAYER ...]

  rules      formatting, lints, the crates' own tests, the project's borders, what is installed
  network    search, waking, bundle and tunnel between network namespaces (root)
  interop    our services and formats against other implementations
  bus        the daemon on a bus of its own
  system     the installed daemon among real services, on a system that is booted in namespaces (root)
  screen     the application, in a Debian 13 tree: its own tests, its window, tray and
             notifications against a simulated daemon, the same in GNOME Shell (root)
  machines   whole loans between two virtual machines (root)

Installs what it needs first (tools/setup). Goes on after a failure and names
all of them at the end. A step that failed is played once more, because real
services starve on a host that has other work; that it failed is said in the end
all the same, and both outputs are kept. Ends with 0 only if every step of every
layer that was asked for ran and passed. The output of each step is kept in
target/test.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "target/test"
# A step that hangs must not take the whole run's hour; a loan in an emulated
# machine takes several minutes.
LIMIT_SECS = {"machines": 70 * 60}
DEFAULT_LIMIT_SECS = 20 * 60
# How much of a failed step's output is shown; all of it is in its log.
SHOWN_LINES = 60
# Crates whose tests in tests/ make network namespaces, which only root may.
AS_ROOT = ("stiefel-linux", "stiefel-server")
# The application is built where GTK is, by a layer of its own.
WITHOUT_GTK = ("--workspace", "--exclude", "stiefel-gui")


@dataclass
class Step:
    name: str
    command: list
    root: bool = False
    cwd: Path = ROOT
    # Its output is shown while it runs, because it takes minutes. It sees for itself to
    # what is to be played again.
    live: bool = False
    # Why it cannot run; a step that is skipped has failed.
    missing: str = ""


def cargo(name, *words):
    return Step(name, ["cargo", *words])


def rules():
    tests = ["nextest", "run"] if shutil.which("cargo-nextest") else ["test"]
    crates = [word for crate in AS_ROOT for word in ("--package", crate)]
    others = [word for crate in AS_ROOT for word in ("--exclude", crate)]
    return [
        cargo("format", "fmt", "--all", "--check"),
        Step("borders", ["tests/structure/run"]),
        Step("files", ["tests/packaging/run"]),
        cargo("lints", "clippy", *WITHOUT_GTK, "--all-targets", "--locked", "--", "--deny", "warnings"),
        cargo("tests", *tests, *WITHOUT_GTK, *others, "--locked"),
        cargo("tests-of-kernel-access", *tests, *crates, "--lib", "--locked"),
        cargo("tests-in-docs", "test", *WITHOUT_GTK, "--doc", "--locked"),
        # Our docs are for who works on the code, so they may lead to what is private.
        Step("docs", [
            "env", "RUSTDOCFLAGS=--deny warnings --allow rustdoc::private_intra_doc_links",
            "cargo", "doc", *WITHOUT_GTK, "--no-deps", "--document-private-items", "--locked",
        ]),
    ]


def network():
    """The test programs that need root: cargo builds them as whoever calls us, root runs them."""
    command = ["cargo", "test", "--no-run", "--locked", "--message-format=json-render-diagnostics"]
    command += [word for crate in AS_ROOT for word in ("--package", crate)]
    built = subprocess.run([*command, "--test", "*"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        return [Step("build", command, missing="its tests could not be built")]
    steps = []
    for message in map(json.loads, built.stdout.splitlines()):
        if message.get("executable") and message["target"]["kind"] == ["test"]:
            crate = Path(message["manifest_path"]).parent
            name = f"{crate.name}-{message['target']['name']}"
            steps.append(Step(name, [message["executable"]], root=True, cwd=crate))
    return sorted(steps, key=lambda step: step.name)


def scripts(pattern):
    """Programs that see for themselves to what they need, also to being root."""
    paths = sorted(ROOT.glob(pattern))
    steps = [Step(path.parent.name, [str(path)]) for path in paths]
    return steps or [Step(pattern, [], missing="there is no such test")]


def bus():
    """Only root may own the daemon's name; cargo is left to whoever calls us."""
    (step,) = scripts("tests/bus/run")
    if not step.missing:
        step.command = ["env", f"STIEFEL_BIN={ROOT}/target/debug", *step.command]
        step.root = True
    return [cargo("build", "build", "--locked", "--package", "stiefeld", "--package", "stiefelctl"), step]


def system():
    """cargo is left to whoever calls us, as above."""
    (step,) = scripts("tests/system/run")
    if not step.missing:
        kept = [f"{name}={os.environ[name]}" for name in ("STIEFEL_CACHE",) if name in os.environ]
        step.command = ["env", "STIEFEL_BUILT=yes", *kept, *step.command]
        step.root = True
    return [Step("build", ["tools/build"]), step]


def screen():
    """Everything but the daemon is built and run where GTK is, see tools/gui-root."""
    inside = ["tools/gui-root"]
    cargo_inside = [*inside, "cargo"]
    crate = ["--package", "stiefel-gui", "--locked"]
    return [
        cargo("daemon", "build", "--locked", "--package", "stiefeld"),
        Step("lints", [*cargo_inside, "clippy", *crate, "--all-targets", "--", "--deny", "warnings"]),
        Step("tests", [*cargo_inside, "test", *crate]),
        Step("build", [*cargo_inside, "build", *crate]),
        Step("desktop", [*inside, "tests/gui/inside"]),
        Step("gnome-shell", [*inside, "tests/gui/inside", "gnome"]),
    ]


def machines():
    (step,) = scripts("tests/vm/run")
    if not step.missing:
        step.command += ["--out", str(LOGS / "machines")]
        step.live = True
    return [step]


LAYERS = {
    "rules": rules,
    "network": network,
    "interop": lambda: scripts("tests/interop/*/run"),
    "bus": bus,
    "system": system,
    "screen": screen,
    "machines": machines,
}


def end(process):
    """Ends the process and what it has started; some of it may be gone already."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


@dataclass
class Outcome:
    """Nothing, if the step passed the first time."""

    # Why it did not pass.
    failure: str = ""
    # Why it did not pass the first time, though it did the second time.
    unsteady: str = ""


def run(layer, step):
    """Plays a step, once more if it fails."""
    if step.missing:
        return Outcome(failure=step.missing)
    log = LOGS / f"{layer}-{step.name}.log"
    failure, late = attempt(layer, step, log)
    # Whoever hangs would hang for as long again.
    if not failure or late or step.live:
        return Outcome(failure)
    first = log.with_suffix(".first.log")
    log.rename(first)
    print(f"   failed  {step.name}; once more", flush=True)
    again, _ = attempt(layer, step, log)
    if again:
        return Outcome(failure=again)
    return Outcome(unsteady=f"failed, and passed when played again; the first output is in {first.relative_to(ROOT)}")


def attempt(layer, step, log):
    """Why it failed, or nothing; and whether that is because it did not end."""
    command = step.command
    if step.root and os.geteuid() != 0:
        command = ["sudo", *command]
    limit = LIMIT_SECS.get(layer, DEFAULT_LIMIT_SECS)
    process = subprocess.Popen(
        command, cwd=step.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )
    late = threading.Event()
    timer = threading.Timer(limit, lambda: (late.set(), end(process)))
    timer.start()
    try:
        with log.open("wb") as kept:
            for line in process.stdout:
                kept.write(line)
                if step.live:
                    print(f"    {line.decode(errors='replace')}", end="", flush=True)
        status = process.wait()
    except KeyboardInterrupt:
        end(process)
        raise
    finally:
        timer.cancel()
    if status == 0 and not late.is_set():
        return "", False
    if not step.live:
        lines = log.read_text(errors="replace").splitlines()
        print("\n".join(f"    {line}" for line in lines[-SHOWN_LINES:]))
    reason = f"not done after {limit // 60} minutes" if late.is_set() else f"exit status {status}"
    return f"{reason}; all of its output is in {log.relative_to(ROOT)}", late.is_set()


def play(layer):
    """What failed in a layer, and what did not pass the first time."""
    print(f"== {layer}", flush=True)
    start, failures, unsteady = time.monotonic(), [], []
    for step in LAYERS[layer]():
        began = time.monotonic()
        outcome = run(layer, step)
        took = time.monotonic() - began
        print(f"   {'FAILED' if outcome.failure else 'passed'}  {step.name}, {took:.0f} s", flush=True)
        if outcome.failure:
            failures.append(f"{layer}: {step.name}: {outcome.failure}")
        if outcome.unsteady:
            unsteady.append(f"{layer}: {step.name}: {outcome.unsteady}")
    print(f"== {layer}: {time.monotonic() - start:.0f} s", flush=True)
    return failures, unsteady


def main():
    asked = sys.argv[1:] or list(LAYERS)
    if unknown := [layer for layer in asked if layer not in LAYERS]:
        print(f"test: no layer {', '.join(unknown)}\n{__doc__}", file=sys.stderr)
        return 2
    start = time.monotonic()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    LOGS.mkdir(parents=True, exist_ok=True)
    if subprocess.run([ROOT / "tools/setup"]).returncode:
        print("test: tools/setup failed, so nothing was tested", file=sys.stderr)
        return 1
    played = [play(layer) for layer in asked]
    failures = [one for failed, _ in played for one in failed]
    print(f"test: {', '.join(asked)}: {time.monotonic() - start:.0f} s")
    for one in (one for _, unsteady in played for one in unsteady):
        print(f"test: UNSTEADY: {one}")
    for failure in failures:
        print(f"test: FAILED: {failure}")
    if not failures:
        print("test: all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
