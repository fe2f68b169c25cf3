"""The main job: a whole loan of a system whose initramfs is made by initramfs-tools.

networkd is the lent system's network service; it would touch the NIC as well.
"""

from lab.loan import Loan


def play(lab, journey, installed):
    """All steps, as a person would take them."""
    loan = Loan(lab, journey, installed)
    loan.make_disk()
    loan.boot_laptop()
    loan.update_image()
    loan.pair()
    loan.arm()
    lend_and_look(loan)


def lend_and_look(loan):
    """Lends, writes, gives back, and looks at everything that must hold."""
    loan.lend()
    loan.write_witness()
    loan.check_secrets_on_desktop()
    loan.give_back()
    loan.check_witness()
    loan.check_clean()
    loan.check_boot_untouched()
    loan.check_secrets()
