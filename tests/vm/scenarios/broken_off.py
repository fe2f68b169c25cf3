"""A hand-off that is cancelled, or whose daemon is killed, at any step leaves nothing behind."""

from lab import steps
from lab.errors import LabError
from lab.loan import PAIRING, Loan
from lab.traces import must_be_gone


def play(lab, journey, installed):
    """Two hand-offs for each step, broken off when that step has begun."""
    loan = steps.ready(Loan(lab, journey, installed))
    for step in steps.STEPS:
        with journey.leg(f"laptop: cancelled in {step}"):
            _break_off(loan, step, "stiefelctl cancel")
            status = loan.status()["hand_off"]
            if (status["state"], status["reason"]) != ("idle", "cancelled"):
                raise LabError(f"after the cancellation in {step}: {status}")
            must_be_gone(loan.laptop)
    for step in steps.STEPS:
        with journey.leg(f"laptop: daemon killed in {step}"):
            _break_off(loan, step, "systemctl kill --signal=KILL stiefeld")
            loan.laptop.run("systemctl reset-failed stiefeld; systemctl restart stiefeld; stiefelctl status")
            must_be_gone(loan.laptop)
    with journey.leg("laptop: reboots into its own system"):
        steps.reboots_normally(loan)


def _break_off(loan, step, action):
    loan.laptop.run(f"stiefelctl lend {PAIRING}")
    loan.laptop.run(steps.at(step, action), 90)
