"""A hand-off cancelled at any step leaves nothing behind."""

from lab import steps
from lab.errors import LabError
from lab.loan import PAIRING, Loan
from lab.traces import must_be_gone


def play(lab, journey, installed):
    """One hand-off for each step, cancelled when that step has begun."""
    loan = steps.ready(Loan(lab, journey, installed))
    for step in steps.STEPS:
        with journey.leg(f"laptop: cancelled in {step}"):
            loan.laptop.run(f"stiefelctl lend {PAIRING}")
            loan.laptop.run(steps.at(step, "stiefelctl cancel"), 90)
            status = loan.status()["hand_off"]
            if (status["state"], status["reason"]) != ("idle", "cancelled"):
                raise LabError(f"after the cancellation in {step}: {status}")
            must_be_gone(loan.laptop)
    with journey.leg("laptop: reboots into its own system"):
        steps.reboots_normally(loan)
