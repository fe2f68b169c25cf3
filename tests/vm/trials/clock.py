"""The desktop's clock is an hour ahead, because its other system keeps local time, and is then set right.

The tunnel takes no handshake that seems older than the last one, and needs one every few minutes.
"""

from lab.errors import LabError
from lab.loan import STEP_SECONDS

# Longer than any key of the tunnel lives (180 s).
SECONDS = 200
FILE = "/srv/clock"


def set_back(loan):
    """Sets it back, and has something written all the time from then on; returns what wait() wants."""
    with loan.journey.leg("desktop: clock set back by an hour"):
        before, after = loan.desktop.run("date +%s; date -s '1 hour ago' > /dev/null; date +%s").split()
        if not 3500 < int(before) - int(after) < 3700:
            raise LabError(f"it was {before} and is {after}")
    # By the clock that nobody sets.
    return loan.desktop.shell.tell(f"""
        set -e
        uptime() {{ cut -d. -f1 /proc/uptime; }}
        end=$(( $(uptime) + {SECONDS} ))
        turns=0
        while [ $(uptime) -lt $end ]; do
            date >> {FILE}
            sync {FILE}
            turns=$((turns + 1))
            sleep 1
        done
        echo $turns
    """)


def wait(loan, writing):
    """Until a key that was made before can be in use no more."""
    with loan.journey.leg("desktop: has written for longer than a key lives"):
        status, turns = loan.desktop.shell.answer(writing, SECONDS + STEP_SECONDS)
        if status or not int(turns):
            raise LabError(f"writing ended with {status}: {turns}")
    loan.journey.facts["written_after_clock_set_back"] = int(turns)
