"""A borrower that does not shut down: the lender saves what it has, and switches itself off before it is empty."""

from lab import words
from lab.battery import Battery
from lab.lender import Lender
from lab.loan import STEP_SECONDS
from lab.machine import MEMORY_MIB

CRITICAL = words.OURS + r"BATTERY AT 3 %.*, or the loan ends"
ACTION = words.OURS + r"BATTERY AT 3 %.*; this machine switches itself off"
ASKED = words.OURS + "The borrower is asked to shut down now"
OFF = words.OURS + r"The battery is nearly empty; all that was saved is on the disk\. Switching off"


def play(lab, journey, installed):
    """One strange reading changes nothing; two switch the machine off, in good order."""
    pair = Lender(lab, journey, installed)
    battery = Battery(lab.private, MEMORY_MIB, 50, False)
    laptop = pair.switch_on(devices=battery.words())
    pair.attach()
    here = laptop.console.position()
    with journey.leg("laptop: one reading is not believed"):
        battery.set(3, False)
        laptop.console.wait(CRITICAL, STEP_SECONDS, here)
    with journey.leg("laptop: asks for its disk"):
        laptop.console.wait(ACTION, STEP_SECONDS, here)
        laptop.console.wait(ASKED, STEP_SECONDS, here)
    with journey.leg("laptop: switches itself off"):
        laptop.console.wait(OFF, STEP_SECONDS, here)
        laptop.wait_off(STEP_SECONDS)
