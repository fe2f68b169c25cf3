"""What the kernel says of a process."""

import os
import pathlib


class Process:
    def __init__(self, pid):
        self.proc = pathlib.Path(f"/proc/{pid}")

    def memory(self):
        """KiB: all that is resident, and what of it is no file, so neither code nor shared."""
        rollup = {}
        for line in (self.proc / "smaps_rollup").read_text().splitlines()[1:]:
            key, value, _ = line.split()
            rollup[key.rstrip(":")] = int(value)
        return {"rss": rollup["Rss"], "own": rollup["Anonymous"]}

    def threads(self):
        return len(os.listdir(self.proc / "task"))

    def wakeups(self):
        """How often each of its threads was put on a processor since it began."""
        counts = {}
        for task in (self.proc / "task").iterdir():
            lines = (task / "status").read_text().splitlines()
            counts[task.name] = sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
        return counts

    def processor_secs(self):
        """Time on a processor, for itself and in the kernel."""
        fields = (self.proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def woken(before, after):
    """Wake-ups between two looks at the threads. One that has ended was woken for that at least."""
    ended = len(before.keys() - after.keys())
    return ended + sum(count - before.get(thread, 0) for thread, count in after.items())
