"""A whole loan of a system whose initramfs is made by dracut, with systemd in it.

In the system, NetworkManager would take the NIC that its root hangs on.
"""

from lab.loan import Loan
from scenarios.loan_initramfs_tools import lend_and_look


def play(lab, journey, installed):
    """The same loan of another system."""
    loan = Loan(lab, journey, installed, generator="dracut", network="NetworkManager")
    loan.prepare()
    lend_and_look(loan)
