"""There is a second cable, on a card that the lent system uses: the loan goes on over it while the first one is out.

The system keeps that card with all that it has set, and sees nothing of the loan on it.
"""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS

CABLE = "second"
LAPTOP_MAC = "52:54:00:00:57:32"
DESKTOP_MAC = "52:54:00:00:57:31"
STREAM = "/srv/stream"
# What the lent system has of network cards: no counters and no times are among it.
SETTINGS = "{ ip -o address show; ip -o link show; }"


def take(loan):
    """The first cable out and in again, then the second one out; each under a write that has to come to its end."""
    desktop = loan.desktop
    with loan.journey.leg("desktop: its system uses a second cable"):
        loan.laptop.plug_nic(CABLE, LAPTOP_MAC, CABLE)
        desktop.plug_nic(CABLE, DESKTOP_MAC, CABLE)
        settled = f"{SETTINGS} | grep 'inet6 fe80::' | grep -qv tentative"
        desktop.run(f"until {settled}; do sleep 0.2; done", STEP_SECONDS)
        before = desktop.run(SETTINGS)
    with loan.journey.leg("desktop: first cable out in mid-write"):
        _write(desktop, lambda: desktop.set_carrier(False), words.DETOUR)
        _unchanged(desktop, before)
    with loan.journey.leg("desktop: first cable in again in mid-write"):
        _write(desktop, lambda: desktop.set_carrier(True), words.OWN_CARD)
        _unchanged(desktop, before)
    with loan.journey.leg("desktop: second cable out"):
        _write(desktop, lambda: desktop.set_carrier(False, CABLE))


def _write(desktop, change, words_then=None):
    """Writes and reads back; the way changes meanwhile."""
    there = desktop.console.position()
    writing = desktop.shell.tell(f"head -c 30000000 /dev/urandom | tee {STREAM} | sha256sum; sync {STREAM}")
    desktop.run(f"until [ -s {STREAM} ]; do :; done")
    change()
    if words_then:
        desktop.console.wait(words_then, STEP_SECONDS, there)
    status, written = desktop.shell.answer(writing, STEP_SECONDS)
    read = desktop.run(f"echo 3 > /proc/sys/vm/drop_caches; sha256sum < {STREAM}; rm {STREAM}", STEP_SECONDS)
    if status or written != read:
        raise LabError(f"{STREAM} was written as {written} and is read as {read}")


def _unchanged(desktop, before):
    after = desktop.run(SETTINGS)
    if after != before:
        raise LabError(f"the system had\n{before}\nand has\n{after}")
