"""A second borrower during a loan is told who has the disk, and cannot attach."""

from lab import SECOND_DESKTOP_MAC, words
from lab.errors import LabError
from lab.loan import PAIRING, STEP_SECONDS, Loan


def play(lab, journey, installed):
    """Lends to one desktop, lets another one ask, and gives back."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.pair("office")
    loan.lend()
    loan.write_witness()
    second = loan.boot_desktop(loan.stick("office"), "second", SECOND_DESKTOP_MAC)
    with journey.leg("second: told who has the disk"):
        told, _ = second.console.wait(words.LENT_TO, STEP_SECONDS)
        if told.group(1) != PAIRING:
            raise LabError(f"lent to {PAIRING}, but the second one was told {told.group(1)!r}")
        if second.console.find(words.FETCHED):
            raise LabError("the second borrower got the system")
    second.kill()
    with journey.leg("desktop: its system goes on"):
        loan.desktop.run("sync; ls -lR /etc > /srv/listing; sync /srv/listing")
    loan.give_back()
    loan.check_witness()
    loan.check_clean()
