"""A whole loan of a system in which NetworkManager would take the NIC that its root hangs on."""

from lab.loan import Loan
from scenarios.loan_initramfs_tools import lend_and_look


def play(lab, journey, installed):
    """The same loan of another system."""
    loan = Loan(lab, journey, installed, network="NetworkManager")
    loan.prepare()
    lend_and_look(loan)
