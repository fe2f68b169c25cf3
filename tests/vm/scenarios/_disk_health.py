"""The lent disk's own words on its health: NVMe and SATA are asked, and are shown on the lender's screen."""

from lab.lender import Lender
from lab.loan import STEP_SECONDS
from lab.screen import Screen

DRIVES = {"nvme": r"nvme0n1, 2\.1 GB · healthy · \d+ °C", "ide-hd": r"sda, 2\.1 GB · healthy · \d+ °C",
          "virtio-blk-pci": r"vda, 2\.1 GB *\n"}


def play(lab, journey, installed):
    """One kind of disk after the other."""
    lender = Lender(lab, journey, installed)
    for drive, said in DRIVES.items():
        machine = lender.switch_on(drive, devices=("-device", "VGA"))
        with journey.leg(f"{drive}: its health is on the screen"):
            screen = Screen(machine, lab.private)
            screen.wait(said, STEP_SECONDS)
            screen.keep(lab.out / f"{drive}.png")
        machine.kill()
