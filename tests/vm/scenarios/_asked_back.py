"""The laptop's power key: the desktop is asked, tells its people, shuts down in time, and the laptop goes home."""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan

SERVICE = "org.stiefelsystem.Stiefel1"
ROOT = "/org/stiefelsystem/Stiefel1"
ASKED = words.OURS + r"The borrower is asked to shut down within (\d+) s"


def play(lab, journey, installed):
    """Nobody at the desktop does anything."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.lend()
    loan.write_witness()
    here, shell = loan.laptop.console.position(), loan.laptop.shell.position()
    with journey.leg("laptop: power key"):
        loan.laptop.monitor.ask("system_powerdown")
        asked, _ = loan.laptop.console.wait(ASKED, STEP_SECONDS, here)
    with journey.leg("desktop: tells of it"):
        told = loan.desktop.run(f"""
            until [ "$(busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan Ending)" = 's "asked"' ]; do sleep 0.2; done
            busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan EndsUsec
            cut -d. -f1 /proc/uptime
        """, STEP_SECONDS)
        ends, uptime = (int(line.split()[-1]) for line in told.splitlines())
        if not 0 < ends // 1_000_000 - uptime <= int(asked.group(1)):
            raise LabError(f"it ends at {ends} us, {uptime} s after the start")
    with journey.leg("desktop: shuts down by itself"):
        loan.laptop.console.wait(words.RETURNED, int(asked.group(1)) + STEP_SECONDS, here)
        loan.desktop.wait_off(STEP_SECONDS)
    loan.come_home(here, shell)
    loan.check_witness()
    loan.check_clean()
