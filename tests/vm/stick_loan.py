"""A whole loan whose desktop starts from a stick."""

from lab.loan import Loan
from lab.machine import Boot


def prepare(lab, journey, installed):
    """A laptop that may be woken, and a stick that it has made."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    stick = loan.write_stick()
    with journey.leg("stick: other programs find it sound"):
        stick.must_be_sound()
    stick.speak_on_serial()
    return loan, stick


def play(loan, stick, firmware, look=lambda: None):
    """The loan, there and back; `look` is called while it lasts."""
    loan.lend(Boot(stick=stick.path, firmware=firmware))
    look()
    loan.write_witness()
    loan.give_back_and_end()
