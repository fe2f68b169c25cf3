"""The cable is pulled while the lent system writes: it stands still, and goes on when the cable is back."""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan

STREAM = "/srv/stream"


def play(lab, journey, installed):
    """Once with the carrier gone, once with every packet lost in silence."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.lend()
    loan.write_witness()
    _interrupt(loan, "cable pulled", loan.desktop.set_carrier, True)
    _interrupt(loan, "silence", lambda up: loan.desktop.set_silent(not up), True)
    loan.give_back()
    loan.check_witness()
    loan.check_clean()


def _interrupt(loan, what, connect, back):
    laptop, desktop = loan.laptop, loan.desktop
    here = laptop.console.position()
    with loan.journey.leg(f"desktop: {what} in mid-write"):
        writing = desktop.shell.tell(f"head -c 30000000 /dev/urandom | tee {STREAM} | sha256sum; sync {STREAM}")
        desktop.run(f"until [ -s {STREAM} ]; do :; done")
        connect(False)
    with loan.journey.leg("laptop: misses the desktop"):
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
    with loan.journey.leg("desktop: goes on"):
        connect(back)
        laptop.console.wait(words.BACK_AGAIN, STEP_SECONDS, here)
        status, written = desktop.shell.answer(writing, STEP_SECONDS)
        read = desktop.run(f"echo 3 > /proc/sys/vm/drop_caches; sha256sum < {STREAM}", STEP_SECONDS)
        if status or written != read:
            raise LabError(f"{STREAM} was written as {written} and is read as {read}")
