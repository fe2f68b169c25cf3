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
TOLD, TOLD_OTHERWISE = "laptop wants its disk back", "shutdown has been cancelled"
ASKED = words.OURS + r"The borrower is asked to shut down within (\d+) s"
CALLED_OFF = words.OURS + r"The borrower may keep the disk\."


def press(loan):
    """Once by mistake, which is called off; then nobody at the desktop does anything."""
    laptop, desktop = loan.laptop, loan.desktop
    with loan.journey.leg("desktop: somebody works at a text console"):
        desktop.run(f"{LOG_IN} && until who | grep -w {TERMINAL}; do sleep 0.2; done", STEP_SECONDS)
    _ask(loan)
    _is_told(desktop, TOLD)
    with loan.journey.leg("laptop: asks no more"):
        here = laptop.console.position()
        for key in ("esc", "ret"):
            laptop.monitor.ask_person(f"sendkey {key}")
        laptop.console.wait(CALLED_OFF, STEP_SECONDS, here)
        _is_told(desktop, TOLD_OTHERWISE)
        desktop.run(_until_ending_is(""), STEP_SECONDS)
    here, shell = laptop.console.position(), laptop.shell.position()
    within = _ask(loan)
    with loan.journey.leg("desktop: tells of it"):
        told = desktop.run(f"""
            {_until_ending_is("asked")}
            busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan EndsUsec
            cut -d. -f1 /proc/uptime
        """, STEP_SECONDS)
        ends, uptime = (int(line.split()[-1]) for line in told.splitlines())
        if not 0 < ends // 1_000_000 - uptime <= within:
            raise LabError(f"it ends at {ends} us, {uptime} s after the start")
    with loan.journey.leg("desktop: shuts down by itself"):
        laptop.console.wait(words.RETURNED, within + STEP_SECONDS, here)
        desktop.wait_off(STEP_SECONDS)
    loan.come_home(here, shell)


def _ask(loan):
    """Returns in how many seconds the desktop has to shut down."""
    here = loan.laptop.console.position()
    with loan.journey.leg("laptop: power key"):
        loan.laptop.monitor.ask("system_powerdown")
        asked, _ = loan.laptop.console.wait(ASKED, STEP_SECONDS, here)
    return int(asked.group(1))


def _is_told(desktop, words_):
    screen = f"/dev/vcs{TERMINAL.removeprefix('tty')}"
    desktop.run(f"until tr -d '\\0' < {screen} | grep -aqF '{words_}'; do sleep 0.2; done", STEP_SECONDS)


def _until_ending_is(word):
    get = f"busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan Ending"
    return f"""until [ "$({get})" = 's "{word}"' ]; do sleep 0.2; done"""
