"""The desktop's clock is an hour ahead, because its other system keeps local time, and is then set right.

The tunnel takes no handshake that seems older than the last one, and needs one every few minutes.
"""

from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan

# Longer than any key of the tunnel lives (180 s).
SECONDS = 240


def play(lab, journey, installed):
    """Writes for longer than a key lives, after the clock was set back."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    loan.lend()
    with journey.leg("desktop: writes after its clock was set back"):
        # By the clock that nobody sets.
        pauses = loan.desktop.run(f"""
            set -e
            uptime() {{ cut -d. -f1 /proc/uptime; }}
            date -s '1 hour ago' > /run/clock
            start=$(uptime)
            last=$start
            while [ $((last - start)) -lt {SECONDS} ]; do
                date > /srv/clock
                sync /srv/clock
                now=$(uptime)
                echo $((now - last))
                last=$now
            done | sort -n | tail -1
        """, SECONDS + STEP_SECONDS)
        journey.facts["longest_pause_seconds"] = int(pauses)
    loan.write_witness()
    loan.give_back()
    loan.check_witness()
    loan.check_clean()
    if not pauses:
        raise LabError("nothing was written")
