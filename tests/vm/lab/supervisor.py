"""The two processes on the desktop that keep its disk attached, as root finds them there."""

from .loan import STEP_SECONDS

# Prints "PID PARENT", and kills nobody.
FIND = """
    for folder in /proc/[0-9]*; do
        read -r name < $folder/comm || continue
        [ "$name" = @stiefel ] || continue
        echo "${folder#/proc/} $(sed -n 's/^PPid:[^0-9]*//p' $folder/status)"
    done 2>/dev/null
"""

# The heir's parent is the one that works.
KILL = f"kill -9 $({{ {FIND}\n}} | awk '{{ pid[$1]; parent[$2] }} END {{ for (p in pid) if (p in parent) print p }}')"
KILL_HEIR = f"kill -9 $({{ {FIND}\n}} | awk '{{ own[$1] = $2 }} END {{ for (p in own) if (own[p] in own) print p }}')"


def processes(desktop):
    """{process: its parent} of both."""
    lines = desktop.run(FIND).splitlines()
    return {int(pid): int(parent) for pid, parent in (line.split() for line in lines)}


def wait_for_two(desktop):
    """Waits until one works and one sleeps."""
    desktop.run(f"until [ $({{ {FIND}\n}} | wc -l) = 2 ]; do sleep 0.1; done", STEP_SECONDS)
