"""What a person sees of a run, and what is kept of it: legs and their seconds."""

import contextlib
import json
import pathlib
import sys

TAIL_LINES = 30


class Leg:
    """One stretch of the way. Its end may be set to when a console said so."""

    def __init__(self, name, start):
        self.name = name
        self.start = start
        self.end = None

    def seconds(self):
        """How long it took."""
        return self.end - self.start


class Journey:
    """Legs one after the other, on the clock `now` (a function, seconds)."""

    def __init__(self, out, now, quiet=False):
        self.legs = []
        self.facts = {}  # what else belongs into result.json
        self.failed = None
        self.outcome = None
        self.out = pathlib.Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self._now = now
        self._quiet = quiet
        self._behind = None

    @contextlib.contextmanager
    def leg(self, name):
        """A leg that lasts as long as its block, or until the `end` that the block sets.

        It starts where the one before ended, if that was a moment on a console.
        """
        start = self._now() if self._behind is None else self._behind
        leg = Leg(name, start)
        self.say(f"{name} ...")
        self.failed = name  # until the whole way is known to have come out well
        yield leg
        self._behind = leg.end
        if leg.end is None:
            leg.end = self._now()
        self.legs.append(leg)
        self.say(f"{name}: {leg.seconds():.1f} s")

    def span(self, fact, first, last):
        """Keeps, as a fact, the seconds from the start of one leg to the end of another."""
        by_name = {leg.name: leg for leg in self.legs}
        self.facts[fact] = round(by_name[last].end - by_name[first].start, 1)

    def say(self, text):
        """A line of progress."""
        if not self._quiet:
            print(f"{self._now():7.1f} s  {text}", flush=True)

    def blame(self, error, machines):
        """Says which leg failed, why, and what the machines said last."""
        print(f"\nFAILED: {self.failed or 'before the first leg'}: {error}", file=sys.stderr)
        for machine in machines:
            print(f"\n--- {machine.name}, last lines of {self.out / machine.name}.log", file=sys.stderr)
            print("\n".join(machine.console.tail(TAIL_LINES)), file=sys.stderr)
        sys.stderr.flush()

    def table(self):
        """The legs, their seconds and the facts, for a person."""
        width = max([len(leg.name) for leg in self.legs] + [len(name) for name in self.facts] + [5])
        rows = [f"{leg.name:{width}}  {leg.seconds():7.1f} s" for leg in self.legs]
        rows += [f"{name.replace('_', ' '):{width}}  {value}" for name, value in self.facts.items()]
        return "\n".join(rows)

    def write(self, outcome):
        """Writes result.json."""
        self.outcome = outcome
        if outcome == "passed":
            self.failed = None
        result = {"outcome": outcome, "failed_leg": self.failed,
                  "legs": {leg.name: round(leg.seconds(), 3) for leg in self.legs}, **self.facts}
        text = json.dumps(result, indent=2) + "\n"
        (self.out / "result.json").write_text(text, encoding="utf-8")
