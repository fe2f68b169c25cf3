"""Both cards can carry large packets, and so can the cable; then it is another cable, which cannot."""

from lab import words
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan

LARGE, USUAL = 9000, 1500
PASSES = r"Packets of [0-9]+ bytes get through"
READ_MIB = 128


def play(lab, journey, installed):
    """The size is found out before the disk is attached, and again when the cable has changed."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.start_desktop()
    desktop, laptop = loan.desktop, loan.laptop
    for machine in (desktop, laptop):
        machine.set_packet_size(LARGE)
    loan.hand_over()
    loan.boot_lent_system()
    with journey.leg("desktop: large packets"):
        _expect(desktop, 8912)
        large = _read(desktop)
    with journey.leg("desktop: another cable"):
        here = laptop.console.position()
        there = desktop.console.position()
        desktop.set_carrier(False)
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
        for machine in (desktop, laptop):
            machine.set_packet_size(USUAL)
        desktop.set_carrier(True)
        desktop.console.wait(words.GOES_ON, STEP_SECONDS, there)
        _expect(desktop, 1408)
        usual = _read(desktop)
    journey.facts["large_to_usual_packets"] = round(usual / large, 2)
    loan.write_witness()
    loan.give_back()
    loan.check_witness()
    loan.check_clean()


def _expect(desktop, size):
    found = desktop.run(f"dmesg | grep -oE '{PASSES}' | tail -1")
    if f" {size} " not in found:
        raise LabError(f"not {size} bytes, but: {found!r}")


def _read(desktop):
    """Seconds to read from the disk."""
    return float(desktop.run(f"""
        start=$(cut -d' ' -f1 /proc/uptime)
        dd if=/dev/nbd0 of=/dev/null bs=1M count={READ_MIB} iflag=direct status=none
        cut -d' ' -f1 /proc/uptime | awk -v start=$start '{{ print $1 - start }}'
    """, STEP_SECONDS))
