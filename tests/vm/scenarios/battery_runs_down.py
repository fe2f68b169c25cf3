"""The laptop's battery runs down during a loan: warnings on both, and an end in good order before it is empty.

Its disk is one that knows how it is, and the desktop is told.
"""

from lab import words
from lab.battery import Battery
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan
from lab.machine import MEMORY_MIB

SERVICE = "org.stiefelsystem.Stiefel1"
ROOT = "/org/stiefelsystem/Stiefel1"
AT = words.OURS + r"BATTERY AT {} %"
OFF = words.OURS + r"The disk is back and complete\. Switching off"


def play(lab, journey, installed):
    """Mains lost, 20, 10 and 5 %; then both machines are off, and what was written is there."""
    loan = Loan(lab, journey, installed, drive="nvme")
    battery = Battery(lab.private, MEMORY_MIB)
    loan.prepare(devices=battery.words())
    loan.lend()
    loan.write_witness()
    here = loan.laptop.console.position()
    with journey.leg("desktop: the disk is well"):
        _wait(loan, "DiskHealth", 's "good"')
        _wait(loan, "DiskTemperature", "d 50")
    with journey.leg("laptop: mains lost"):
        battery.set(60, False)
        loan.laptop.console.wait(words.OURS + "Running on battery", STEP_SECONDS, here)
        _wait(loan, "OnAc", "b false")
        _wait(loan, "BatteryWarning", 's "none"')
    for percent, warning in ((20, "low"), (10, "low"), (5, "critical")):
        with journey.leg(f"laptop: battery at {percent} %"):
            battery.set(percent, False)
            loan.laptop.console.wait(AT.format(percent), STEP_SECONDS, here)
            _wait(loan, "Battery", f"d {percent}")
            _wait(loan, "BatteryWarning", f's "{warning}"')
    with journey.leg("desktop: shuts down by itself"):
        _wait(loan, "Ending", 's "low-power"')
        loan.desktop.wait_off(STEP_SECONDS + 60)
    with journey.leg("laptop: switches itself off"):
        loan.laptop.console.wait(OFF, STEP_SECONDS, here)
        loan.laptop.wait_off(STEP_SECONDS)
    battery.set(100, True)
    loan.boot_laptop(devices=battery.words())
    loan.check_witness()
    loan.check_clean()
    loan.check_boot_untouched()


def _wait(loan, name, value):
    """Waits until the desktop's bus says so."""
    get = f"busctl get-property {SERVICE} {ROOT} {SERVICE}.Loan {name}"
    status, found = loan.desktop.run(f"""
        for _ in $(seq 60); do
            found=$({get})
            [ "$found" = '{value}' ] && exit 0
            sleep 1
        done
        echo "$found"; exit 1
    """, STEP_SECONDS, check=False)
    if status:
        raise LabError(f"{name} is {found}, not {value}")
