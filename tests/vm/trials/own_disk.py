"""The desktop has a disk of its own, a copy of the laptop's: the lent system does not see it, and swaps to nothing."""

import hashlib
import subprocess

from lab.errors import LabError
from lab.loan import STEP_SECONDS

SWAP = "/var/swap"


def copy(loan):
    """Makes it: the same names of file systems are on both disks. Returns (its path, its sum)."""
    own = loan.lab.private / "desktop.img"
    with loan.journey.leg("desktop: has a copy of the laptop's disk"):
        subprocess.run(["cp", "--sparse=always", loan.lab.private / "laptop.img", own], check=True)
        return own, _sum(own)


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


def is_hidden(loan):
    """There is no disk but the lent one, and no swap."""
    desktop = loan.desktop
    with loan.journey.leg("desktop: its own disk is not there"):
        disks = desktop.run("ls /sys/block").split()
        if disks != ["nbd0"]:
            raise LabError(f"the lent system has {disks}")
        if swaps := desktop.run("tail -n +2 /proc/swaps"):
            raise LabError(f"the lent system swaps: {swaps}")
        units = desktop.run("systemctl is-system-running --wait", STEP_SECONDS, check=False)[1]
        if units != "running":
            failed = desktop.run("systemctl --failed --no-legend --no-pager", check=False)[1]
            raise LabError(f"the lent system is {units}: {failed}")


def show(loan):
    """A person wants it after all."""
    with loan.journey.leg("desktop: its own disk is there when a person wants it"):
        loan.desktop.run("""
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


def is_as_before(loan, own, before):
    """Nobody has written to it; and the laptop's own system swaps as it used to."""
    with loan.journey.leg("laptop: swaps again"):
        if SWAP not in loan.laptop.run("cat /proc/swaps"):
            raise LabError("the laptop's own system has no swap")
    with loan.journey.leg("desktop: its own disk is as before"):
        if _sum(own) != before:
            raise LabError("the desktop's own disk was written to")


def _sum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
