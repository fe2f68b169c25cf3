"""Root kills the program that keeps the disk attached: another one takes its place, and nothing is lost.

First the one that works, under load; then the one that sleeps; then the one that works, again.
"""

from lab import supervisor, words
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan

PROCESSORS = 2
STRESS = "/srv/stress"
STRESS_SECONDS = 60


def play(lab, journey, installed):
    """What takes over has to do what the first one did: an outage shows it, and so does giving back."""
    loan = Loan(lab, journey, installed, processors=PROCESSORS)
    loan.prepare()
    loan.lend()
    kill_in_turn(loan)
    loan.write_witness()
    sums = f"cd /srv && sha256sum {STRESS}* | sort"
    written = loan.desktop.run(sums, STEP_SECONDS)
    loan.give_back()
    loan.check_witness()
    with journey.leg("laptop: what was stressed compared"):
        found = loan.laptop.run(sums, STEP_SECONDS)
        if found != written:
            raise LabError(f"written was\n{written}\nbut the lender has\n{found}")
    loan.check_clean()


def kill_in_turn(loan, nic="nic0"):
    """The one that works, and an outage; the one that sleeps; and again the one that works. `nic` carries the loan."""
    laptop, desktop = loan.laptop, loan.desktop
    with loan.journey.leg("desktop: killed under load, and the cable pulled"):
        stress = f"/usr/lib/lab/stress {STRESS}-$0 {STRESS_SECONDS}"
        working = [desktop.shell.tell(f"taskset -c {processor} bash -c '{stress}' {processor}")
                   for processor in range(PROCESSORS)]
        desktop.run(f"until [ -s {STRESS}-0 ] && [ -s {STRESS}-1 ]; do sleep 0.1; done", STEP_SECONDS)
        _kill(desktop)
        here = laptop.console.position()
        desktop.set_carrier(False, nic)
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
        there = desktop.console.position()
        desktop.set_carrier(True, nic)
        desktop.console.wait(words.GOES_ON, STEP_SECONDS, there)
        for question in working:
            status, output = desktop.shell.answer(question, STRESS_SECONDS + STEP_SECONDS)
            if status:
                raise LabError(f"stress ended with {status}: {output}")
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
