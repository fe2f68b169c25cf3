"""A borrower is switched off in mid-write: its lender goes home, and what was fsynced is there."""

from lab import words
from lab.loan import STEP_SECONDS, Loan

PATIENCE_SECONDS = 20


def play(lab, journey, installed):
    """Cuts the desktop's power while it writes, and waits for the laptop's own system."""
    loan = Loan(lab, journey, installed)
    loan.prepare(f"[loan]\npatience-secs = {PATIENCE_SECONDS}\n")
    loan.lend()
    loan.write_witness()
    here, shell = loan.laptop.console.position(), loan.laptop.shell.position()
    with journey.leg("desktop: power cut in mid-write"):
        # Files come and go, so that the journal has something to recover.
        loan.desktop.shell.tell("cd /srv; while :; do for n in 1 2 3 4 5 6 7 8; do"
                                " head -c 300000 /dev/urandom > stream-$n; done; sync stream-8; rm stream-?; done")
        loan.desktop.run("until [ -e /srv/stream-8 ]; do :; done")
        loan.desktop.kill()
    with journey.leg("laptop: misses the desktop") as leg:
        _, leg.end = loan.laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
    with journey.leg("laptop: gives it up") as leg:
        _, leg.end = loan.laptop.console.wait(words.LOST, PATIENCE_SECONDS + STEP_SECONDS, here)
    loan.come_home(here, shell)
    loan.check_witness()
    loan.check_clean(clean=False)
    loan.check_boot_untouched()
