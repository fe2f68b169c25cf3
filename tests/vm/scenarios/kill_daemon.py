"""A daemon killed at any step leaves a system that works, and its next start cleans up."""

from lab import steps
from lab.loan import PAIRING, Loan
from lab.traces import must_be_gone


def play(lab, journey, installed):
    """One hand-off for each step; the daemon is killed when that step has begun."""
    loan = steps.ready(Loan(lab, journey, installed))
    for step in steps.STEPS:
        with journey.leg(f"laptop: daemon killed in {step}"):
            loan.laptop.run(f"stiefelctl lend {PAIRING}")
            loan.laptop.run(steps.at(step, "systemctl kill --signal=KILL stiefeld"), 90)
            loan.laptop.run("systemctl reset-failed stiefeld; systemctl restart stiefeld; stiefelctl status")
            must_be_gone(loan.laptop)
    with journey.leg("laptop: reboots into its own system"):
        steps.reboots_normally(loan)
