"""Adapters come and go under a loan, while two processes force out what they write and read it back.

The desktop's is pulled out of its port and put into another one; the laptop's cable goes into another adapter. The
disk stands still meanwhile, and nothing is lost or stale.
"""

from lab.errors import LabError
from lab.loan import Loan
from trials import outage

PROCESSORS = 2
DESKTOP_ADAPTER = "52:54:00:00:57:21"
LAPTOP_ADAPTER = "52:54:00:00:57:22"


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
    outage.pass_by(loan, "desktop: adapter out, and into another port", loan.desktop.unplug_usb_nic,
                   lambda: loan.desktop.plug_usb_nic(DESKTOP_ADAPTER, port="3"), outage.adapter_of_desktop)
    outage.pass_by(loan, "laptop: cable into another adapter", lambda: loan.laptop.set_carrier(False),
                   lambda: loan.laptop.plug_nic("adapter", LAPTOP_ADAPTER), outage.cable_of_laptop)
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
