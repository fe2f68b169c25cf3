"""Stops a hand-off at one of its steps."""

from . import LAPTOP_MAC, words
from .errors import LabError
from .loan import BOOT_SECONDS

STEPS = ("hold-sleep", "check-image", "claim-link", "load-kernel")
MARKER = "/run/stiefelsystem/hand-off"

# A service that a step waits for is stopped meanwhile, so that the step lasts
# until we are there. The other steps last long enough by themselves.
_HELD_BY = {"hold-sleep": "systemd-logind", "claim-link": "systemd-networkd"}


def ready(loan):
    """A laptop on which a hand-off has all steps to take: its NIC is the stiefellink.

    It is not armed, because a stiefellink is claimed as long as it is.
    """
    loan.prepare(f'[link]\nmac = "{LAPTOP_MAC}"\n')
    loan.laptop.run("stiefelctl disarm")
    return loan


def at(step, action):
    """A script that confirms a hand-off, does `action` in that step, and waits for the end of it."""
    held = _HELD_BY.get(step)
    stop, go_on = (f"systemctl kill --signal={signal} {held}" if held else ":" for signal in ("STOP", "CONT"))
    return f"""
        {stop}
        stiefelctl confirm &
        until [ -e {MARKER} ] && [ "$(< {MARKER})" = {step} ]; do :; done
        {action} &
        sleep 0.5
        {go_on}
        wait
        while [ -e {MARKER} ] && systemctl is-active --quiet stiefeld; do sleep 0.2; done
    """


def reboots_normally(loan):
    """No kernel is left loaded that a reboot would take."""
    console, shell = loan.laptop.console.position(), loan.laptop.shell.position()
    loan.laptop.shell.tell("systemctl reboot")
    loan.laptop.console.wait(r"SeaBIOS|Reached target .*reboot\.target", BOOT_SECONDS, console)
    loan.laptop.console.wait(words.MULTI_USER, BOOT_SECONDS, console)
    loan.laptop.shell.wait_ready(BOOT_SECONDS, shell)
    if loan.laptop.console.find(words.OURS, console):
        raise LabError("the reboot went into the ramdisk")
