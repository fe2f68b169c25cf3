"""What a machine shows: the text on its screen, as letters and as a picture."""

import re
import time

from .errors import TimedOut

# Where a VGA card has its text, two bytes a character, and how it is laid out.
_MEMORY, _MEMORY_BYTES = 0xB8000, 0x8000
COLUMNS, ROWS = 80, 25
_LOOK_SECONDS = 0.3


class Screen:
    """Of a machine that has a VGA card and is in its text mode."""

    def __init__(self, machine, folder):
        self._machine = machine
        self._memory = folder / f"{machine.name}.text"
        self._picture = folder / f"{machine.name}.ppm"

    def text(self):
        """The rows, without the blanks at their ends."""
        # The card's registers 12 and 13 say where in its memory the screen begins, in characters.
        start = 2 * (self._register(12) << 8 | self._register(13))
        self._machine.monitor.ask("pmemsave", val=_MEMORY, size=_MEMORY_BYTES, filename=str(self._memory))
        memory = self._memory.read_bytes()
        # It goes on at the beginning of the memory when it reaches the end.
        shown = (memory + memory)[start % _MEMORY_BYTES:][:2 * COLUMNS * ROWS]
        letters = shown[::2].decode("cp437").replace("\0", " ")
        return [letters[at:at + COLUMNS].rstrip() for at in range(0, COLUMNS * ROWS, COLUMNS)]

    def wait(self, pattern, timeout, gone=False):
        """Waits until the pattern is on the screen, or is gone from it; returns the rows."""
        end = time.monotonic() + timeout
        while True:
            rows = self.text()
            if bool(re.search(pattern, "\n".join(rows))) != gone:
                return rows
            if time.monotonic() > end:
                raise TimedOut(f"{self._machine.name}: {pattern!r} is {'still' if gone else 'not'} on the screen after "
                               f"{timeout} s:\n" + "\n".join(rows))
            time.sleep(_LOOK_SECONDS)

    def wait_dark(self, timeout, dark=True):
        """Waits until there is no light on the screen, or some."""
        end = time.monotonic() + timeout
        while self._is_dark() != dark:
            if time.monotonic() > end:
                raise TimedOut(f"{self._machine.name}: the screen is {'not ' if dark else ''}dark after {timeout} s")
            time.sleep(_LOOK_SECONDS)

    def keep(self, path):
        """Keeps a picture of it, PNG."""
        self._machine.monitor.ask("screendump", filename=str(path), format="png")

    def _is_dark(self):
        self._machine.monitor.ask("screendump", filename=str(self._picture))
        # "P6", width and height, depth, then the pixels.
        return not any(self._picture.read_bytes().split(b"\n", 3)[3])

    def _register(self, number):
        answer = self._machine.monitor.ask_person(f"i /b 0x3d4.{number}")
        return int(answer.rpartition("=")[2], 16)
