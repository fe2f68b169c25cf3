"""A root that is encrypted (LUKS2): made, opened and looked into without this machine's kernel knowing how.

The program is that of the laptop's own system, in user space. Its passphrase is
stretched as little as it lets one, which an emulated machine has to do as well.
"""

import subprocess

from .errors import LabError

UUID = "57ef0001-0000-4000-8000-00000000001c"
NAME = "root_crypt"
DEVICE = f"/dev/mapper/{NAME}"
PASSPHRASE = "five small bears"
MIB = 1 << 20
# What a disk's system has less than its partition: the header, and room that is needed only while it is made.
HEADER_MIB = 16

# Without the option, who makes an initramfs where the disk is not would leave it out.
CRYPTTAB = f"{NAME} UUID={UUID} none luks,initramfs\n"

_ASKS = rf"unlock disk {NAME}"
_REFUSES = r"bad password or options"


def encrypt(volume, tree):
    """Encrypts the file `volume`, whose last HEADER_MIB are free; `tree` has the program."""
    _cryptsetup(tree, volume, "--encrypt", "--type", "luks2", "--uuid", UUID,
                "--reduce-device-size", f"{HEADER_MIB}M", "--sector-size", "4096", "--resilience", "none",
                "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


def decrypt(volume, tree):
    """Makes what is in the file `volume` readable, also that of a machine that runs; `tree` has the program."""
    header = volume.with_suffix(".header")
    _cryptsetup(tree, volume, "--decrypt", "--header", f"/mnt/{header.name}", "--force-offline-reencrypt")
    header.unlink()


def unlock(machine, timeout, after, mistakes=0):
    """Types the passphrase at the machine's console, after so many wrong ones; returns when it was asked first."""
    first = None
    for number in range(mistakes + 1):
        _, when = machine.console.wait(_ASKS, timeout, after, unfinished=True)
        first = first or when
        after = machine.console.position()
        if number < mistakes:
            machine.console.type("six small bears\n")
            machine.console.wait(_REFUSES, timeout, after)
            after = machine.console.position()
    machine.console.type(f"{PASSPHRASE}\n")
    return first


def below(machine, device):
    """The partition that the encrypted `device` lies on, in a booted machine."""
    if device != DEVICE:
        raise LabError(f"{machine.name}: {device} is not encrypted")
    return machine.run(f"lsblk --inverse --noheadings --raw --output PATH {device} | sed -n 2p")


def _cryptsetup(tree, volume, *words):
    """Its locks are not to stay in the tree, which others use as well."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc",
         'mount -t tmpfs none "$0/run"; mount --bind "$1" "$0/mnt"; tree=$0; shift; exec chroot "$tree" "$@"',
         tree, volume.parent, "cryptsetup", "reencrypt", "--batch-mode", "--key-file", "-", *words,
         f"/mnt/{volume.name}"],
        input=PASSPHRASE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise LabError(f"cryptsetup reencrypt {words[0]} ended with {done.returncode}: {done.stdout}")
