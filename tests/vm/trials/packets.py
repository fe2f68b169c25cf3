"""Both cards can carry large packets, and so can the cable; then it is another cable, which cannot.

The size is found out before the disk is attached, and again when the cable has changed.
"""

from lab.errors import LabError
from lab.loan import STEP_SECONDS

LARGE, USUAL = 9000, 1500
# As the tunnel has them: what WireGuard adds is not in it.
LARGE_INSIDE, USUAL_INSIDE = 8912, 1408
PASSES = r"Packets of [0-9]+ bytes get through"
READ_MIB = 32


def let_through(loan, size):
    """What the cable can carry from now on."""
    for machine in (loan.desktop, loan.laptop):
        machine.set_packet_size(size)


def are(loan, size):
    """Checks which size the desktop has found; returns the seconds that it takes to read from the disk."""
    with loan.journey.leg(f"desktop: packets of {size} bytes"):
        found = loan.desktop.run(f"dmesg | grep -oE '{PASSES}' | tail -1")
        if f" {size} " not in found:
            raise LabError(f"not {size} bytes, but: {found!r}")
        return float(loan.desktop.run(f"""
            start=$(cut -d' ' -f1 /proc/uptime)
            dd if=/dev/nbd0 of=/dev/null bs=1M count={READ_MIB} iflag=direct status=none
            cut -d' ' -f1 /proc/uptime | awk -v start=$start '{{ print $1 - start }}'
        """, STEP_SECONDS))
