"""The way to the lender is lost while the lent system writes: it stands still, and goes on when it is back."""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS

STREAM = "/srv/stream"


def interrupt(loan, what, connect):
    """`connect` takes whether there is a way from one to the other."""
    laptop, desktop = loan.laptop, loan.desktop
    here = laptop.console.position()
    with loan.journey.leg(f"desktop: {what} in mid-write"):
        writing = desktop.shell.tell(f"head -c 30000000 /dev/urandom | tee {STREAM} | sha256sum; sync {STREAM}")
        desktop.run(f"until [ -s {STREAM} ]; do :; done")
        connect(False)
    with loan.journey.leg("laptop: misses the desktop"):
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
    with loan.journey.leg("desktop: goes on"):
        connect(True)
        laptop.console.wait(words.BACK_AGAIN, STEP_SECONDS, here)
        status, written = desktop.shell.answer(writing, STEP_SECONDS)
        read = desktop.run(f"echo 3 > /proc/sys/vm/drop_caches; sha256sum < {STREAM}", STEP_SECONDS)
        if status or written != read:
            raise LabError(f"{STREAM} was written as {written} and is read as {read}")
