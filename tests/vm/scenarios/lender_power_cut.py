"""A lender is switched off in mid-write: the desktop says so, and what was fsynced is there when the laptop boots."""

from lab import words
from lab.loan import STEP_SECONDS, Loan

# Files come and go, so that the journal has something to recover.
STREAM = """
    cd /srv
    while :; do
        for n in 1 2 3 4 5 6 7 8; do head -c 300000 /dev/urandom > stream-$n; done
        sync stream-8
        rm stream-?
    done
"""


def play(lab, journey, installed):
    """Cuts the laptop's power while the desktop writes; nobody but the laptop can write from then on."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.lend()
    loan.write_witness()
    there = loan.desktop.console.position()
    with journey.leg("laptop: power cut in mid-write"):
        loan.desktop.shell.tell(STREAM)
        loan.desktop.run("until [ -e /srv/stream-8 ]; do :; done")
        loan.laptop.kill()
    with journey.leg("desktop: stands still, and says so") as leg:
        _, leg.end = loan.desktop.console.wait(words.FROZEN, STEP_SECONDS, there)
    loan.boot_laptop()
    with journey.leg("laptop: lends to nobody"):
        loan.laptop.run("! ss --no-header --listening --tcp --numeric | grep -E ':(10809|61571|61573)'")
        loan.laptop.run("! ip link show type wireguard | grep .")
    loan.check_witness()
    loan.check_clean(clean=False)
    loan.check_boot_untouched()
    # It has waited all the time for a lender that does not know it any more.
    loan.desktop.kill()
