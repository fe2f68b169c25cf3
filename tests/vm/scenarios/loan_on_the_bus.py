"""What the desktop's bus tells of the loan, also while the way to the lender is lost; and giving back over it."""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan
from trials import cable

SERVICE = "org.stiefelsystem.Stiefel1"
ROOT = "/org/stiefelsystem/Stiefel1"
# In memory: nothing that is on the disk can be read while it stands still.
HEARD = "/run/heard"


def play(lab, journey, installed):
    """The loan is there, freezes with the cable and in silence, goes on, and ends by GiveBack."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.lend()
    with journey.leg("desktop: the bus tells of the loan"):
        _check(loan)
    loan.write_witness()
    _lose_the_way(loan)
    here, shell = loan.laptop.console.position(), loan.laptop.shell.position()
    with journey.leg("desktop: GiveBack to given back") as leg:
        loan.desktop.shell.tell(f"busctl call {SERVICE} {ROOT} {SERVICE}.Loan GiveBack 'a{{sv}}' 0")
        _, leg.end = loan.laptop.console.wait(words.RETURNED, STEP_SECONDS, here)
        loan.desktop.wait_off(STEP_SECONDS)
    loan.come_home(here, shell)
    loan.check_witness()
    loan.check_clean()
    with journey.leg("laptop: the bus tells of the last loan"):
        _, left, back = _get(loan.laptop, "Manager", "LastLoan").removeprefix("(ott) ").split()
        if not 0 < int(left) < int(back):
            raise LabError(f"left at {left} and back at {back}")


def _get(machine, interface, name):
    return machine.run(f"busctl get-property {SERVICE} {ROOT} {SERVICE}.{interface} {name}").strip()


def _check(loan):
    desktop = loan.desktop
    found = {name: _get(desktop, "Loan", name) for name in (
        "State", "Lender", "Cable", "SinceUsec", "RxBytes", "Battery", "OnAc", "DiskHealth", "Ending",
        "Warnings")}
    found["Role"] = _get(desktop, "Manager", "Role")
    loan.journey.facts["loan_on_the_bus"] = found
    expected = {
        "Role": 's "borrower"', "State": 's "held"', "Lender": 's "laptop"', "Cable": 's "connected"',
        "Battery": "d -1", "OnAc": "b true", "DiskHealth": 's "unknown"', "Ending": 's ""', "Warnings": "a(ssss) 0",
    }
    wrong = {name: found[name] for name, value in expected.items() if found[name] != value}
    if wrong:
        raise LabError(f"the bus tells {wrong}")
    if int(found["RxBytes"].split()[1]) < 1 << 20 or int(found["SinceUsec"].split()[1]) == 0:
        raise LabError(f"nothing was counted: {found}")


def _lose_the_way(loan):
    desktop = loan.desktop
    desktop.run(f"busctl monitor {SERVICE} > {HEARD} 2>&1 & until [ -s {HEARD} ]; do sleep 0.1; done")
    cable.interrupt(loan, "cable pulled", desktop.set_carrier)
    with loan.journey.leg("desktop: the bus told of it"):
        desktop.run(f"""
            until grep -q '"held"' {HEARD}; do sleep 0.1; done
            grep -q '"frozen"' {HEARD}
        """, STEP_SECONDS)
        if _get(desktop, "Loan", "State") != 's "held"':
            raise LabError("the loan is still frozen on the bus")
    cable.interrupt(loan, "silence", lambda up: desktop.set_silent(not up))
