"""A whole loan of a system whose initramfs is made by dracut, with systemd in it.

In the system, NetworkManager would take the NIC that its root hangs on. It has a second one, over which the loan goes
on while the first cable is out.
"""

from lab.loan import Loan
from scenarios.loan_initramfs_tools import look
from trials import another_way


def play(lab, journey, installed):
    """The same loan of another system."""
    loan = Loan(lab, journey, installed, generator="dracut", network="NetworkManager")
    loan.prepare()
    loan.lend()
    another_way.take(loan)
    look(loan)
