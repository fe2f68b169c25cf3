"""Runs commands as root in a booted system, over its second serial line.

The system's side is laptop/usr/lib/lab/shell. A question is one line
`NUMBER BASE64-OF-SCRIPT`, an answer is one line `NUMBER STATUS BASE64-OF-OUTPUT`.
"""

import base64
import itertools

from .console import Console
from .errors import LabError


class Failed(LabError):
    """A command in a machine ended with another status than 0."""


class Shell:
    """`sock` is the near end of the second serial line."""

    def __init__(self, name, sock, path, clock_zero):
        self.name = name
        self._sock = sock
        self._console = Console(name, sock, path, clock_zero)
        self._numbers = itertools.count(1)

    def position(self):
        """Where the channel stands, for wait_ready()."""
        return self._console.position()

    def wait_ready(self, timeout, after=0):
        """Waits until a system has started its side; returns the time of that."""
        _, when = self._console.wait(r"^ready$", timeout, after)
        return when

    def tell(self, script):
        """Starts a script and does not wait for it: for one that ends the system."""
        number = next(self._numbers)
        text = base64.b64encode(script.encode()).decode()
        self._sock.sendall(f"{number} {text}\n".encode())
        return number

    def drain(self):
        """Reads to the end; for a machine that is off."""
        self._console.drain()

    def run(self, script, timeout=60, check=True):
        """What the script prints (both outputs, stripped); with check=False (status, output)."""
        here = self._console.position()
        number = self.tell(script)
        match, _ = self._console.wait(rf"^{number} (\d+) (\S*)$", timeout, here)
        status = int(match.group(1))
        output = base64.b64decode(match.group(2)).decode("utf-8", "replace").strip()
        if not check:
            return status, output
        if status:
            raise Failed(f"{self.name}: `{script.strip()}` ended with {status}:\n{output}")
        return output
