"""Root kills the program that keeps the disk attached: another one takes its place, and nothing is lost.

First the one that works, under load; then the one that sleeps; then the one that works, again. What takes over has
to do what the first one did: an outage shows it, and so does giving back.
"""

from lab import stress, supervisor, words
from lab.errors import LabError
from lab.loan import STEP_SECONDS

STRESS_SECONDS = 40


def kill_in_turn(loan, meanwhile=lambda: None):
    """`meanwhile` is called while the cable is out."""
    laptop, desktop = loan.laptop, loan.desktop
    with loan.journey.leg("desktop: killed under load, and the cable pulled"):
        working = stress.begin(loan, STRESS_SECONDS)
        _kill(desktop)
        here = laptop.console.position()
        desktop.set_carrier(False)
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
        meanwhile()
        there = desktop.console.position()
        desktop.set_carrier(True)
        desktop.console.wait(words.GOES_ON, STEP_SECONDS, there)
        stress.end(loan, working)
    with loan.journey.leg("desktop: the heir killed"):
        desktop.run(supervisor.KILL_HEIR)
        supervisor.wait_for_two(desktop)
    with loan.journey.leg("desktop: killed once more"):
        _kill(desktop)
    with loan.journey.leg("desktop: the bus still tells of the loan"):
        state = desktop.run("""
            until busctl get-property org.stiefelsystem.Stiefel1 /org/stiefelsystem/Stiefel1 \\
                org.stiefelsystem.Stiefel1.Loan State | grep held; do sleep 0.2; done
        """, STEP_SECONDS)
        if state != 's "held"':
            raise LabError(state)


def _kill(desktop):
    there = desktop.console.position()
    supervisor.wait_for_two(desktop)
    desktop.run(supervisor.KILL)
    desktop.console.wait(words.TAKEN_OVER, STEP_SECONDS, there)
    supervisor.wait_for_two(desktop)
