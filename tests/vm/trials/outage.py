"""The way to the lender is lost for a while, under processes that force out what they write and read it back.

The disk stands still meanwhile, and nothing is lost or stale. How soon it goes on is kept as a fact, from the moment
when there was a way again: as this laboratory has made it, and, where a machine tells of it, from its own words.
"""

import os
import re
import time

from lab import stress, words
from lab.loan import STEP_SECONDS

# A writer and a reader on each processor; they begin before the outage and end after it.
STRESS_SECONDS = 45
# How long it lasts is what this is about: longer than the kernel tries by itself.
OUTAGE_SECONDS = 30
STAMPED = r"^\[ *([\d.]+)\] .*?"


def pass_by(loan, what, out, back, link=None):
    """One, from `out` to some time after `back`.

    `link` is one of the functions below, where a machine tells that the way is there.
    """
    laptop, desktop = loan.laptop, loan.desktop
    here, there = laptop.console.position(), desktop.console.position()
    with loan.journey.leg(what) as leg:
        working = stress.begin(loan, STRESS_SECONDS)
        begun = loan.lab.now()
        out()
        laptop.console.wait(words.VANISHED, STEP_SECONDS, here)
        desktop.console.wait(words.FROZEN, STEP_SECONDS, there)
        time.sleep(max(0, begun + OUTAGE_SECONDS - loan.lab.now()))
        since = loan.lab.now()
        back()
        _, when = desktop.console.wait(words.GOES_ON, STEP_SECONDS, there)
        leg.end = when
    log = loan.desktop.run("dmesg", STEP_SECONDS)
    facts = {"until it goes on": when - since}
    if link:
        facts["from the link until it goes on"] = link(loan, log, here, when)
    with loan.journey.leg("desktop: all that was forced out is there"):
        written = stress.end(loan, working)
    # Both are the desktop's clock; what its supervisor says comes in between.
    facts["until something is forced out"] = when - since + written - _last(log, words.GOES_ON)
    loan.journey.facts[f"load of this machine, {what}"] = round(os.getloadavg()[0], 1)
    loan.journey.facts |= {f"seconds {fact}, {what}": round(seconds, 2) for fact, seconds in facts.items()}


def adapter_of_desktop(_loan, log, _here, _when):
    """From when the desktop's kernel has registered its USB adapter, by its own clock."""
    return _last(log, words.GOES_ON) - _last(log, r"usb.*: register ")


def cable_of_laptop(loan, _log, here, when):
    """From when the laptop has told that one of its adapters has a cable with two ends."""
    _, told = loan.laptop.console.wait(words.CABLE_IN, STEP_SECONDS, here)
    return when - told


def _last(log, pattern):
    """When the kernel's log had that last."""
    *_, last = re.finditer(STAMPED + pattern, log, re.MULTILINE)
    return float(last[1])
