"""Looks for a pairing's secret wherever it must not be."""

import re

from .errors import LabError

# How a ticket and a pairing's file write it down.
_SECRET = re.compile(rb'"secret"\s*:\s*"([0-9a-f]{64})"')


# How a ticket writes down the keys of one loan.
_LOAN_KEY = re.compile(rb'"(?:private_key|preshared_key)"\s*:\s*"[0-9a-f]{64}"')
_PIECE_BYTES = 16 << 20
# Longer than what is looked for, so that nothing is missed between two pieces.
_OVERLAP_BYTES = 256


def of_initramfs(path):
    """The secret in a stick's initramfs: its ticket is the last part, and not compressed."""
    found = set(_SECRET.findall(path.read_bytes()))
    if len(found) != 1:
        raise LabError(f"{path.name} holds {len(found)} pairing secrets in its ticket, not one")
    return found.pop().decode()


def must_not_be_in_files(secret, paths):
    """Looks into logs on this machine, for the digits and for the bytes."""
    needles = (secret.encode(), secret.upper().encode(), bytes.fromhex(secret))
    _must_not_be_in_files("pairing's secret", needles, paths)


def passphrase_must_not_be_in_files(passphrase, paths):
    """The same for what a person typed."""
    _must_not_be_in_files("passphrase", (passphrase.encode(),), paths)


def _must_not_be_in_files(what, needles, paths):
    for path in paths:
        content = path.read_bytes()
        if any(needle in content for needle in needles):
            raise LabError(f"the {what} is in {path.name}")


def loan_keys_must_not_be_on(disk):
    """Looks into every byte of a disk's image for the ticket of an attached loan."""
    with open(disk, "rb") as image:
        before = b""
        while piece := image.read(_PIECE_BYTES):
            if _LOAN_KEY.search(before + piece):
                raise LabError(f"keys of a loan are on {disk.name}")
            before = piece[-_OVERLAP_BYTES:]


def must_not_be_in_system(machine):
    """Looks into command line, journal and readable files of the lender's system, wherever it runs.

    The machine takes the secrets from its own pairings, so that they do not go
    through the command channel, which is logged.
    """
    status, output = machine.run(r"""
        set -o pipefail
        cd /var/lib/stiefelsystem
        secrets=$(mktemp) && trap 'rm -f $secrets' EXIT
        grep -rhoE '[0-9a-f]{64}' pairings | sort -u > $secrets
        [ -s $secrets ] || { echo 'no pairing with a secret found'; exit 1; }
        found=
        look() { ! grep -qaFi -f $secrets || found="$found $1"; }
        look /proc/cmdline < /proc/cmdline
        look 'the journal' < <(journalctl --no-pager -o cat)
        look 'other processes' < <(cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null)
        while IFS= read -r file; do look "$file" < "$file"; done < <(
            find / -xdev -type f -perm /o+r -newer /etc/hostname)
        # The images are everybody's files, but nobody else gets into the folder.
        open=$(find . -path ./images -prune -o -perm /go+rwx -print)
        [ -z "$found" ] || { echo "secret found in:$found"; exit 1; }
        [ -z "$open" ] || { echo "not for root alone: $open"; exit 1; }
    """, timeout=120, check=False)
    if status:
        raise LabError(f"{machine.name}: {output}")
