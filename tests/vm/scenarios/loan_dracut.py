"""A whole loan of a system whose initramfs is made by dracut."""

from . import loan_initramfs_tools


def play(lab, journey, installed):
    """The same steps, with systemd already in the lent system's initramfs."""
    loan_initramfs_tools.play(lab, journey, installed, generator="dracut")
