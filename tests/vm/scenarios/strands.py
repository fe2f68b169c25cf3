"""Several connections to the disk: the network falls silent under a heavy load, and nothing is lost.

It stays silent until the kernel has given up on one connection after the other, and has sent what was under way
again on those that were left. Then it does so for longer, and the cable is pulled.
"""

from lab import stress
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan
from trials import outage

PROCESSORS = 2
CONNECTIONS = 4
STRESS_SECONDS = 60
# The kernel's words about a request that it moves while others live; it counts before it gives this one up.
MOVED = r"Connection timed out, retrying \([2-4]/4 alive\)"

ROLL = "stiefel: The lender calls the roll"


def play(lab, journey, installed):
    """Asks the kernel that is lent how it moves requests, then lends it."""
    loan = Loan(lab, journey, installed, processors=PROCESSORS)
    loan.prepare()
    _look_at_queues(loan)
    loan.lend()
    _has_connections(loan)
    _interrupt(loan)
    outage.pass_by(loan, "silence", lambda: loan.desktop.set_silent(True), lambda: loan.desktop.set_silent(False))
    outage.pass_by(loan, "desktop: cable out, and in again", lambda: loan.desktop.set_carrier(False),
                   lambda: loan.desktop.set_carrier(True))
    loan.sum_files()
    loan.give_back()
    loan.check_files()
    loan.check_clean()


def _look_at_queues(loan):
    """A request keeps its queue when it is moved, and its cookie tells it: what the disk service relies on."""
    with loan.journey.leg("laptop: how its kernel moves requests"):
        copies = {}
        for line in loan.laptop.run("/usr/lib/lab/queues 2>&1", STEP_SECONDS).splitlines():
            processor, at, cookie = line.split()
            copies.setdefault(processor, []).append((int(at), bytes.fromhex(cookie)))
        homes = set()
        for came in copies.values():
            ways = [at for at, _ in came]
            queues = {int.from_bytes(cookie[4:6], "big") for _, cookie in came}
            sends = [int.from_bytes(cookie[:4], "big") for _, cookie in came]
            if queues != {ways[0]} or len(set(ways)) != len(ways) or sends != sorted(set(sends)):
                raise LabError(f"on connections {ways} came queues {queues}, sent {sends} times")
            homes |= queues
        if len(homes) != PROCESSORS:
            raise LabError(f"each processor has a queue, but these were used: {homes}")


def _has_connections(loan):
    with loan.journey.leg("desktop: has several connections"):
        queues = int(loan.desktop.run("ls /sys/block/nbd0/mq | wc -l"))
        if queues != min(PROCESSORS, CONNECTIONS):
            raise LabError(f"the kernel has {queues} queues")


def _interrupt(loan):
    desktop = loan.desktop
    there = desktop.console.position()
    with loan.journey.leg("desktop: silence under load"):
        working = stress.begin(loan, STRESS_SECONDS)
        desktop.set_silent(True)
        desktop.console.wait(MOVED, STEP_SECONDS, there)
        desktop.set_silent(False)
        # What was moved comes by a connection that lived on, and the lender asks whether it still does.
        desktop.run(f"until dmesg | grep -q '{ROLL}'; do sleep 0.2; done", STEP_SECONDS)
    with loan.journey.leg("desktop: all that was forced out is there"):
        stress.end(loan, working)
