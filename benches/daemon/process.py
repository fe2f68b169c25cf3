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
        """How often one of its threads was put on a processor since it began. A thread that has
        ended meanwhile is not counted."""
        count = 0
        for task in (self.proc / "task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if "ctxt_switches" in line:
                    count += int(line.split()[1])
        return count
