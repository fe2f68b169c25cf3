"""The main job: a whole loan of a system whose initramfs is made by initramfs-tools."""

from lab.loan import Loan


def play(lab, journey, installed, generator="initramfs-tools", network="networkd"):
    """Lends, writes, gives back, and looks at everything that must hold."""
    loan = Loan(lab, journey, installed, generator, network)
    loan.prepare()
    loan.lend()
    loan.write_witness()
    loan.give_back()
    loan.check_witness()
    loan.check_clean()
    loan.check_boot_untouched()
    loan.check_secrets()
