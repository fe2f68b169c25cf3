"""The main job: a whole loan of a system whose initramfs is made by initramfs-tools, from an encrypted disk.

networkd is the lent system's network service; it would touch the NIC as well. The
passphrase is typed wherever the system starts, on the desktop wrongly at first.
"""

import json

from lab import crypt
from lab.errors import LabError
from lab.loan import Loan

TEXT = "Nobody reads this without the passphrase."
# A header that says that this machine's TPM opens it, and nothing else does.
TPM_ONLY = """{"type": "systemd-tpm2", "keyslots": ["0"]}"""


def play(lab, journey, installed):
    """All steps, as a person would take them."""
    loan = Loan(lab, journey, installed, encrypted=True)
    loan.make_disk()
    loan.boot_laptop()
    loan.update_image()
    loan.pair()
    check_unlocking(loan)
    loan.arm()
    loan.lend()
    write_text(loan)
    look(loan)
    check_text(loan)


def look(loan):
    """Writes, gives back, and looks at everything that must hold."""
    loan.write_witness()
    loan.check_secrets_on_desktop()
    loan.give_back()
    loan.check_witness()
    loan.check_clean()
    loan.check_boot_untouched()
    loan.check_secrets()


def check_unlocking(loan):
    """The laptop's checks are fine with an encrypted disk, and red if only its TPM could open it."""
    with loan.journey.leg("laptop: its checks know about the encryption"):
        source = crypt.below(loan.laptop, crypt.DEVICE)
        _checks_must_be(loan, {"disk": "ok", "names": "ok", "unlocking": "ok"})
        loan.laptop.run(f"cryptsetup token import --token-id 0 {source} <<< '{TPM_ONLY}'")
        _checks_must_be(loan, {"disk": "ok", "names": "ok", "unlocking": "block"})
        loan.laptop.run(f"cryptsetup token remove --token-id 0 {source}")
        _checks_must_be(loan, {"disk": "ok", "names": "ok", "unlocking": "ok"})


def _checks_must_be(loan, wanted):
    _, answer = loan.laptop.run("stiefelctl refresh > /dev/null; stiefelctl checks --json 2> /dev/null", check=False)
    found = {check["subject"]: check["verdict"] for check in json.loads(answer)}
    if wanted.items() - found.items():
        raise LabError(f"of its disk, the laptop says:\n{answer}")


def write_text(loan):
    """What is lent is the whole disk; a text is written onto it."""
    with loan.journey.leg("desktop: text written on the disk that is lent"):
        size = int(loan.desktop.run(f"echo '{TEXT}' > /srv/text; sync /srv/text; blockdev --getsize64 /dev/nbd0"))
        if size != (loan.lab.private / "laptop.img").stat().st_size:
            raise LabError(f"the lent disk has {size} bytes, not those of the laptop's")


def check_text(loan):
    """Without the passphrase it cannot be read."""
    with loan.journey.leg("disk: the text is on it, and cannot be read"):
        for disk, readable in ((loan.opened_root(), True), (loan.lab.private / "laptop.img", False)):
            if (TEXT.encode() in disk.read_bytes()) != readable:
                raise LabError(f"the text {'is not' if readable else 'can be read'} on {disk.name}")
