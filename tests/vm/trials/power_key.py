"""The laptop's power key: the desktop is asked, tells its people, shuts down in time, and the laptop goes home."""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS

SERVICE = "org.stiefelsystem.Stiefel1"
ROOT = "/org/stiefelsystem/Stiefel1"
# Somebody who works at a text console, and what is written over that.
TERMINAL = "tty2"
LOG_IN = (f"systemd-run --quiet -p PAMName=login -p TTYPath=/dev/{TERMINAL} -p StandardInput=tty"
          f" -p UtmpIdentifier={TERMINAL} -p UtmpMode=user sleep 10000")
TOLD = "laptop wants its disk back"
ASKED = words.OURS + r"The borrower is asked to shut down within (\d+) s"


def press(loan):
    """Nobody at the desktop does anything."""
    laptop, desktop = loan.laptop, loan.desktop
    here, shell = laptop.console.position(), laptop.shell.position()
    with loan.journey.leg("desktop: somebody works at a text console"):
        desktop.run(f"{LOG_IN} && until who | grep -w {TERMINAL}; do sleep 0.2; done", STEP_SECONDS)
    with loan.journey.leg("laptop: power key"):
        laptop.monitor.ask("system_powerdown")
        asked, _ = laptop.console.wait(ASKED, STEP_SECONDS, here)
        within = int(asked.group(1))
    with loan.journey.leg("desktop: tells of it"):
        told = desktop.run(f"""
            until [ "$(busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan Ending)" = 's "asked"' ]; do sleep 0.2; done
            busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan EndsUsec
            cut -d. -f1 /proc/uptime
        """, STEP_SECONDS)
        ends, uptime = (int(line.split()[-1]) for line in told.splitlines())
        if not 0 < ends // 1_000_000 - uptime <= within:
            raise LabError(f"it ends at {ends} us, {uptime} s after the start")
        screen = f"/dev/vcs{TERMINAL.removeprefix('tty')}"
        desktop.run(f"until tr -d '\\0' < {screen} | grep -aqF '{TOLD}'; do sleep 0.2; done", STEP_SECONDS)
    with loan.journey.leg("desktop: shuts down by itself"):
        laptop.console.wait(words.RETURNED, within + STEP_SECONDS, here)
        desktop.wait_off(STEP_SECONDS)
    loan.come_home(here, shell)
