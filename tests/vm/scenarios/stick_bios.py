"""A desktop with a legacy BIOS borrows from a stick."""

import stick_loan
from lab import firmware


def play(lab, journey, installed):
    """A stick, a loan."""
    loan, stick = stick_loan.prepare(lab, journey, installed)
    stick_loan.play(loan, stick, firmware.BIOS)
