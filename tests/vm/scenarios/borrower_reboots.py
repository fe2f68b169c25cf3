"""A borrower restarts, in good order and by its reset button, and comes back into the same loan."""

from lab import words
from lab.errors import LabError
from lab.loan import BOOT_SECONDS, STEP_SECONDS, WITNESS, Loan

RESTARTING = words.OURS + r"All is written\. Waiting \d+ s for .* to start again"


def play(lab, journey, installed):
    """A restart; a reset in mid-write; and a restart with another initramfs, for which the laptop goes home."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.lend()
    loan.write_witness()

    seen = _Seen(loan)
    with journey.leg("desktop: restart to given back for a while") as leg:
        loan.desktop.shell.tell("systemctl reboot")
        _, leg.end = loan.laptop.console.wait(RESTARTING, STEP_SECONDS, seen.laptop)
    _comes_back(loan, seen)

    seen = _Seen(loan)
    with journey.leg("desktop: reset in mid-write"):
        loan.desktop.shell.tell("cd /srv; while :; do head -c 300000 /dev/urandom > stream; sync stream; done")
        loan.desktop.run("until [ -s /srv/stream ]; do :; done")
        loan.desktop.reset()
    with journey.leg("laptop: gives it the system again") as leg:
        _, leg.end = loan.laptop.console.wait(words.SENDING, STEP_SECONDS, seen.laptop)
    _comes_back(loan, seen)

    with journey.leg("desktop: another initramfs"):
        loan.desktop.run(f"touch /boot/initrd.img-{loan.release}")
    seen = _Seen(loan)
    with journey.leg("desktop: restart to given back") as leg:
        loan.desktop.shell.tell("systemctl reboot")
        _, leg.end = loan.laptop.console.wait(words.RETURNED, STEP_SECONDS, seen.laptop)
        loan.desktop.kill()
    loan.come_home(seen.laptop, seen.laptop_shell)
    loan.check_witness()
    loan.check_clean()
    loan.check_boot_untouched()


class _Seen:
    """How far everything was looked at until now."""

    def __init__(self, loan):
        self.laptop = loan.laptop.console.position()
        self.laptop_shell = loan.laptop.shell.position()
        self.desktop = loan.desktop.console.position()
        self.desktop_shell = loan.desktop.shell.position()


def _comes_back(loan, seen):
    """The desktop fetches again, without the laptop's own system between."""
    laptop, desktop = loan.laptop, loan.desktop
    with loan.journey.leg("desktop: fetched again") as leg:
        _, leg.end = desktop.console.wait(words.FETCHED, BOOT_SECONDS, seen.desktop)
    with loan.journey.leg("desktop: up again") as leg:
        memory, _ = laptop.console.wait(words.HELD, BOOT_SECONDS, seen.laptop)
        _, leg.end = desktop.console.wait(words.MULTI_USER, BOOT_SECONDS, seen.desktop)
        desktop.shell.wait_ready(STEP_SECONDS, seen.desktop_shell)
    loan.journey.facts["lender_memory_again_mib"] = int(memory.group(1))
    if laptop.console.find(words.MULTI_USER, seen.laptop):
        raise LabError("the laptop started its own system meanwhile")
    if desktop.run(f"sha256sum < {WITNESS}") != loan.witness_sum:
        raise LabError(f"{WITNESS} is not what was written before")
