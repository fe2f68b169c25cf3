"""Adapters come and go under a loan, while two processes force out what they write and read it back.

The desktop's is pulled out of its port and put into another one; the laptop's cable goes into another adapter. The
disk stands still meanwhile, and nothing is lost or stale.
"""

import time

from lab import stress, words
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan

PROCESSORS = 2
DESKTOP_ADAPTER = "52:54:00:00:57:21"
LAPTOP_ADAPTER = "52:54:00:00:57:22"
STRESS_SECONDS = 45
OUTAGE_SECONDS = 30


def play(lab, journey, installed):
    """The loan runs over a USB adapter of the desktop from the search on."""
    loan = Loan(lab, journey, installed, processors=PROCESSORS)
    loan.prepare()
    loan.start_desktop()
    with journey.leg("desktop: its cable goes into a USB adapter"):
        loan.desktop.set_carrier(False)
        loan.desktop.plug_usb_nic(DESKTOP_ADAPTER, port="1")
    loan.hand_over()
    loan.boot_lent_system()
    over_the_adapter(loan)
    interrupt(loan, "desktop: adapter out, and into another port", loan.desktop.unplug_usb_nic,
               lambda: loan.desktop.plug_usb_nic(DESKTOP_ADAPTER, port="3"))
    interrupt(loan, "laptop: cable into another adapter", lambda: loan.laptop.set_carrier(False),
               lambda: loan.laptop.plug_nic("adapter", LAPTOP_ADAPTER))
    loan.sum_files()
    loan.give_back()
    loan.check_files()
    loan.check_clean()


def over_the_adapter(loan):
    """The lent system has the other card, which no cable is in, and not the one that carries its disk."""
    with loan.journey.leg("desktop: its system has the other card only"):
        cards = loan.desktop.run("ls /sys/class/net").split()
        carriers = loan.desktop.run("cat /sys/class/net/e*/carrier 2>/dev/null || true").split()
        if len([card for card in cards if card != "lo"]) != 1 or "1" in carriers:
            raise LabError(f"the system has {cards} with carriers {carriers}")


def interrupt(loan, what, out, back):
    """An outage of the loan under load, from `out` to some time after `back`."""
    laptop, desktop = loan.laptop, loan.desktop
    here, there = laptop.console.position(), desktop.console.position()
    with loan.journey.leg(what) as leg:
        working = stress.begin(loan, STRESS_SECONDS)
        out()
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
        # How long it lasts is what this is about: longer than the kernel tries by itself.
        time.sleep(OUTAGE_SECONDS)
        since = loan.lab.now()
        back()
        _, when = desktop.console.wait(words.GOES_ON, STEP_SECONDS, there)
        loan.journey.facts["seconds until it goes on, " + what] = round(when - since, 2)
        leg.end = when
    with loan.journey.leg("desktop: all that was forced out is there"):
        stress.end(loan, working)
