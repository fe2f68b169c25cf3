"""A second borrower is told who has the disk; then the lender is switched off in mid-write.

The desktop says so, and what was fsynced is there when the laptop boots.
"""

from lab import SECOND_DESKTOP_MAC, words
from lab.errors import LabError
from lab.loan import PAIRING, STEP_SECONDS, Loan

SECOND = "office"

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
    loan.pair(SECOND)
    loan.lend()
    loan.write_witness()
    _ask_for_a_lent_disk(loan)
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


def _ask_for_a_lent_disk(loan):
    second = loan.boot_desktop(loan.stick(SECOND), "second", SECOND_DESKTOP_MAC)
    with loan.journey.leg("second: told who has the disk"):
        told, _ = second.console.wait(words.LENT_TO, STEP_SECONDS)
        if told.group(1) != PAIRING:
            raise LabError(f"lent to {PAIRING}, but the second one was told {told.group(1)!r}")
        if second.console.find(words.FETCHED):
            raise LabError("the second borrower got the system")
    second.kill()
