"""Plugging in the stiefellink starts the loan by itself, and the loan runs over it."""

from lab import words
from lab.loan import STEP_SECONDS, Loan

LINK_MAC = "52:54:00:00:57:11"
CONFIG = f"""\
[link]
mac = "{LINK_MAC}"
on-plug = "automatic"

[hand-off]
countdown-secs = 2
"""


def play(lab, journey, installed):
    """Nobody confirms anything; the laptop's other NIC has no cable."""
    loan = Loan(lab, journey, installed)
    loan.prepare(CONFIG)
    loan.laptop.set_carrier(False)
    here = loan.laptop.console.position()
    with journey.leg("laptop: plugged in to leaving") as leg:
        loan.laptop.plug_nic("link", LINK_MAC)
        _, leg.end = loan.laptop.console.wait(words.GOING_DOWN, STEP_SECONDS, here)
    loan.follow_hand_over(here)
    loan.desktop = loan.boot_desktop()
    loan.boot_lent_system()
    loan.write_witness()
    loan.give_back_and_end()
