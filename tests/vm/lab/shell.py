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

    def run(self, script, timeout=60, check=True):
        """What the script prints (both outputs, stripped); with check=False (status, output)."""
        status, output = self.answer(self.tell(script), timeout)
        if not check:
            return status, output
        if status:
            raise Failed(f"{self.name}: `{script.strip()}` ended with {status}:\n{output}")
        return output

    def tell(self, script):
        """Starts a script; returns what answer() wants, for who is not content with that it runs."""
        question = (next(self._numbers), self._console.position())
        text = base64.b64encode(script.encode()).decode()
        self._sock.sendall(f"{question[0]} {text}\n".encode())
        return question

    def answer(self, question, timeout=60):
        """Waits for the end of a script that was started by tell(): (status, output)."""
        number, asked_at = question
        match, _ = self._console.wait(rf"^{number} (\d+) (\S*)$", timeout, asked_at)
        return int(match.group(1)), base64.b64decode(match.group(2)).decode("utf-8", "replace").strip()

    def drain(self):
        """Reads to the end; for a machine that is off."""
        self._console.drain()
