"""Two or more processes that force out what they write and read it back: see laptop/usr/lib/lab/stress."""

from .errors import LabError
from .loan import STEP_SECONDS

FILE = "/srv/stress"


def begin(loan, seconds):
    """One on each processor of the desktop; returns what end() wants, as soon as each has written."""
    processors = range(loan.processors)
    # Those of an earlier time would be taken for theirs.
    loan.desktop.run("rm -f " + " ".join(f"{FILE}-{each}" for each in processors))
    working = [loan.desktop.shell.tell(f"taskset -c {each} /usr/lib/lab/stress {FILE}-{each} {seconds}")
               for each in processors]
    written = " && ".join(f"[ -s {FILE}-{each} ]" for each in processors)
    loan.desktop.run(f"until {written}; do sleep 0.1; done", STEP_SECONDS)
    return working, seconds


def end(loan, begun):
    """Waits until they are done: everything was there, in its newest state, and the kernel heard of no error.

    Returns when the longest standstill was over for the first of them, in the seconds of the desktop's kernel.
    """
    working, seconds = begun
    went_on = []
    for question in working:
        status, output = loan.desktop.shell.answer(question, seconds + STEP_SECONDS)
        if status:
            raise LabError(f"stress ended with {status}: {output}")
        went_on.append(float(output.split()[-1]))
    if errors := loan.desktop.run("dmesg | grep -iE 'nbd0.*error|I/O error|ext4.*error' || true"):
        raise LabError(f"the kernel says:\n{errors}")
    return min(went_on)
