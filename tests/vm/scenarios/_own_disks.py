"""The desktop has a disk of its own, a copy of the laptop's: the lent system does not see it, and swaps to nothing."""

import hashlib
import subprocess

from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan
from lab.machine import Boot

SWAP = "/srv/swap"


def play(lab, journey, installed):
    """The same names of file systems are on both disks; every bit of the desktop's own is as before."""
    loan = Loan(lab, journey, installed)
    loan.make_disk(with_image=True)
    own = lab.private / "desktop.img"
    subprocess.run(["cp", "--sparse=always", lab.private / "laptop.img", own], check=True)
    before = sum_of(own)
    loan.boot_laptop()
    swap_to_file(loan)
    loan.pair()
    loan.arm()
    loan.start_desktop(with_disk(own, loan.stick()))
    loan.hand_over()
    loan.boot_lent_system()
    loan.write_witness()
    look_for_disks(loan)
    loan.give_back()
    loan.check_witness()
    with journey.leg("laptop: swaps again"):
        if SWAP not in loan.laptop.run("cat /proc/swaps"):
            raise LabError("the laptop's own system has no swap")
    with journey.leg("desktop: its own disk is as before"):
        if sum_of(own) != before:
            raise LabError("the desktop's own disk was written to")
    loan.check_clean()


def swap_to_file(loan):
    """What the laptop's own system does with its disk, and the lent one must not."""
    with loan.journey.leg("laptop: swaps to a file"):
        loan.laptop.run(f"""
            set -e
            dd if=/dev/zero of={SWAP} bs=1M count=16 status=none
            chmod 600 {SWAP}
            mkswap -q {SWAP}
            echo '{SWAP} none swap defaults 0 0' >> /etc/fstab
            sync
        """)


def look_for_disks(loan):
    """None but the lent one, until a person wants it."""
    desktop, journey = loan.desktop, loan.journey
    with journey.leg("desktop: its own disk is not there"):
        disks = desktop.run("ls /sys/block").split()
        if disks != ["nbd0"]:
            raise LabError(f"the lent system has {disks}")
        if swaps := desktop.run("tail -n +2 /proc/swaps"):
            raise LabError(f"the lent system swaps: {swaps}")
        units = desktop.run("systemctl is-system-running --wait", STEP_SECONDS, check=False)[1]
        if units != "running":
            raise LabError(f"the lent system is {units}")
    with journey.leg("desktop: its own disk is there when a person wants it"):
        desktop.run("""
            set -e
            cd /sys/bus/pci/devices
            for hidden in $(grep -l stiefelsystem */driver_override); do
                echo > $hidden
                echo ${hidden%/*} > /sys/bus/pci/drivers_probe
            done
            until [ -e /dev/vda2 ]; do sleep 0.1; done
            udevadm settle
            ! grep vda /proc/mounts
        """, STEP_SECONDS)


def with_disk(disk, stick):
    command_line = (stick / "cmdline").read_text(encoding="utf-8").strip()
    return Boot(disk=disk, kernel=stick / "vmlinuz", initramfs=stick / "initramfs.img",
                command_line=f"{command_line} console=ttyS0 no_timer_check")


def sum_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
