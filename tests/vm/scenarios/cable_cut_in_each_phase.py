"""The cable is cut in each phase of one loan, and put back: both screens say so, and the loan goes round.

Search, waking, the laptop's kexec, bundle, the desktop's kexec, boot, give back.
"""

from lab import words
from lab.errors import LabError
from lab.loan import BOOT_SECONDS, STEP_SECONDS, Loan

HOOK = "/usr/lib/systemd/system-shutdown/stiefel-release"


class Cable:
    """What a direct cable is to both machines at its ends."""

    def __init__(self, loan):
        self._loan = loan

    def set(self, whole):
        """Cuts it, or puts it back."""
        for machine in (self._loan.laptop, self._loan.desktop):
            machine.set_carrier(whole)


def play(lab, journey, installed):
    """Each cut lasts until those who can tell of it have done so."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    cable = Cable(loan)
    _search_and_waking(loan, cable)
    _laptops_kexec(loan, cable)
    _bundle(loan, cable)
    _desktops_kexec(loan, cable)
    _boot(loan, cable)
    loan.write_witness()
    _give_back(loan, cable)
    loan.check_witness()
    loan.check_clean()
    loan.check_boot_untouched()


def _search_and_waking(loan, cable):
    laptop = loan.laptop
    laptop.set_carrier(False)
    loan.desktop = loan.boot_desktop()
    desktop = loan.desktop
    with loan.journey.leg("cut while the desktop searches"):
        desktop.set_carrier(False)
        desktop.console.wait(words.NO_CABLE, STEP_SECONDS)
        cable.set(True)
        desktop.console.wait(words.FOUND_ASLEEP, STEP_SECONDS)
    with loan.journey.leg("cut while the laptop asks whether to lend"):
        _until_announced(laptop)
        here = desktop.console.position()
        cable.set(False)
        desktop.console.wait(words.NO_CABLE, STEP_SECONDS, here)
        cable.set(True)
        desktop.console.wait(words.CABLE_IN, STEP_SECONDS, here)
        _until_announced(laptop)


def _until_announced(laptop):
    laptop.run("until stiefelctl status --json | grep -q announced; do sleep 0.2; done", STEP_SECONDS)


def _laptops_kexec(loan, cable):
    laptop = loan.laptop
    here = laptop.console.position()
    with loan.journey.leg("cut while the laptop leaves its system"):
        laptop.run("stiefelctl confirm")
        laptop.console.wait(words.GOING_DOWN, STEP_SECONDS, here)
        cable.set(False)
        laptop.console.wait(words.SERVING, BOOT_SECONDS, here)
        laptop.console.wait(words.NO_CABLE, STEP_SECONDS, here)


def _bundle(loan, cable):
    laptop, desktop = loan.laptop, loan.desktop
    here, there = laptop.console.position(), desktop.console.position()
    with loan.journey.leg("cut while the desktop fetches"):
        cable.set(True)
        laptop.console.wait(words.SENDING, STEP_SECONDS, here)
        cable.set(False)
        for machine, position in ((laptop, here), (desktop, there)):
            machine.console.wait(words.NO_CABLE, STEP_SECONDS, position)
        loan.journey.facts["cut_in_the_bundle"] = not desktop.console.find(words.FETCHED, there)
        cable.set(True)
        desktop.console.wait(words.FETCHED, STEP_SECONDS, there)


def _desktops_kexec(loan, cable):
    desktop = loan.desktop
    with loan.journey.leg("cut while the desktop starts the lent kernel"):
        desktop.console.wait(words.STARTING_LENT, STEP_SECONDS)
        here = desktop.console.position()
        cable.set(False)
        desktop.console.wait(words.NOT_IN, STEP_SECONDS, here)
        cable.set(True)
        desktop.console.wait(words.ATTACHED, STEP_SECONDS, here)


def _boot(loan, cable):
    laptop, desktop = loan.laptop, loan.desktop
    here, there = laptop.console.position(), desktop.console.position()
    with loan.journey.leg("cut while the lent system boots"):
        cable.set(False)
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
        desktop.console.wait(words.FROZEN, STEP_SECONDS, there)
        cable.set(True)
        desktop.console.wait(words.GOES_ON, STEP_SECONDS, there)
        desktop.console.wait(words.MULTI_USER, BOOT_SECONDS, there)
        desktop.shell.wait_ready(STEP_SECONDS)


def _give_back(loan, cable):
    """The hook asks when nothing is mounted for writing any more; the cable is out at that moment."""
    laptop, desktop = loan.laptop, loan.desktop
    here, shell = laptop.console.position(), laptop.shell.position()
    there = desktop.console.position()
    with loan.journey.leg("cut while the desktop gives back"):
        # What runs then must not be on the disk.
        desktop.run(f"""
            set -e
            cp {HOOK} /run/hook
            mount -o remount,exec /run 2>/dev/null || true
            echo u > /proc/sysrq-trigger
            while grep -E '^/dev/nbd0.* rw[ ,]' /proc/mounts; do sleep 0.2; done
        """, STEP_SECONDS)
        cable.set(False)
        desktop.shell.tell("exec /run/hook poweroff")
        desktop.console.wait(words.FROZEN, STEP_SECONDS, there)
        cable.set(True)
        _, when = laptop.console.wait(words.RETURNED, STEP_SECONDS, here)
        if not desktop.console.find(words.GOES_ON, there):
            raise LabError("the disk was given back before the cable was in again")
    desktop.kill()
    loan.come_home(here, shell)
    loan.journey.facts["returned_at"] = round(when, 1)
