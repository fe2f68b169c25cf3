"""What is on a machine's disk, seen from outside, without anything being written to it."""

import subprocess

from .disk import BOOT_MIB, CORE_MIB, MIB, ROOT_MIB
from .errors import LabError

# Where the file systems are, and how long; see disk.make().
_BOOT = ((1 + CORE_MIB) * MIB, BOOT_MIB * MIB)
_ROOT = ((1 + CORE_MIB + BOOT_MIB) * MIB, ROOT_MIB * MIB)


def digest(disk, path):
    """SHA-256 of a file of the root file system, as sha256sum prints it."""
    return _mounted(disk, _ROOT, f"sha256sum < /mnt{path}")


def boot_digests(disk):
    """SHA-256 of all files of /boot, by name."""
    lines = _mounted(disk, _BOOT, "cd /mnt && find . -type f -exec sha256sum {} +").splitlines()
    return {name.removeprefix("./"): found for found, name in (line.split(maxsplit=1) for line in lines)}


def must_be_clean(disk):
    """The root file system was left in good order: its journal has nothing to recover."""
    features = _run("dumpe2fs", "-h", f"{disk}?offset={_ROOT[0]}")
    if "needs_recovery" in features or "Filesystem state:         clean" not in features:
        raise LabError(f"the file system was not left in good order:\n{features}")


def _mounted(disk, part, script):
    """In a mount namespace of its own, so that nothing stays mounted."""
    offset, size = part
    return _run("unshare", "--mount", "sh", "-euc",
                f"mount -o ro,noload,loop,offset={offset},sizelimit={size} \"$0\" /mnt\n{script}", str(disk))


def _run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise LabError(f"{command[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout
