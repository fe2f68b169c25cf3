"""What can go wrong in the laboratory."""


class LabError(Exception):
    """A step did not come out as it had to. The text is for a person."""


class TimedOut(LabError):
    """What was waited for has not come within its limit."""


class Ended(LabError):
    """The machine that was waited for is off."""


class Died(LabError):
    """A console shows something that a system does not come back from."""
