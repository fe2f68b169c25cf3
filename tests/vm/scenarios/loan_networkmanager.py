"""A whole loan of a system in which NetworkManager would take the NIC that its root hangs on."""

from . import loan_initramfs_tools


def play(lab, journey, installed):
    """The same steps, with NetworkManager on both sides of the loan."""
    loan_initramfs_tools.play(lab, journey, installed, network="NetworkManager")
