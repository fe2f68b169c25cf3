"""A serial line of a machine: every line with its time, kept, logged, waited for."""

import codecs
import re
import threading
import time

from .errors import Died, Ended, TimedOut

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
                      r"|[\x00-\x08\x0b-\x1f\x7f]")
# After one of these a machine waits for a person; so should the test not.
_HOPELESS = re.compile(r"Kernel panic - not syncing|You are in emergency mode|Entering emergency mode"
                       r"|\(initramfs\)|grub rescue>|No bootable device")
# How a kernel begins to tell what went wrong, before it says what it does about it.
_OOPS = re.compile(r"BUG: |kernel BUG at |Oops: |general protection fault|stack segment: |invalid opcode: |double fault: ")
# Of one: these many lines have its registers and the beginning of its calls, and its beginning is as long at most.
_OOPS_LINES, _OOPS_HEAD_LINES = 40, 6


class Console:
    """Reads `sock` in a thread of its own until its other end is closed."""

    def __init__(self, name, sock, path, clock_zero):
        self.name = name
        self.lines = []  # (seconds since clock_zero, text)
        self._zero = clock_zero
        self._sock = sock
        self._path = path
        self._news = threading.Condition()
        self._open = True
        self._pending = ""  # of a line that has not ended
        self._reader = threading.Thread(target=self._read, name=f"console {name}", daemon=True)
        self._reader.start()

    def position(self):
        """Where the next line goes; give it to wait() to look only at what comes."""
        with self._news:
            return len(self.lines)

    def wait(self, pattern, timeout, after=0, hopeless=True, unfinished=False):
        """The first match in a line from position `after` on: (match, its time).

        With `unfinished` also in a line that has not ended, such as the last one
        of a program that waits for a key.
        Ends at once when the machine does, or (unless told not to look) when
        its console says that it will not get any further.
        """
        wanted = re.compile(pattern)
        end = time.monotonic() + timeout
        at = after
        with self._news:
            while True:
                while at < len(self.lines):
                    when, text = self.lines[at]
                    at += 1
                    if match := wanted.search(text):
                        return match, when
                    if hopeless and _HOPELESS.search(text):
                        raise Died(f"{self.name}: {text.strip()!r} while waiting for {pattern!r}" + self._oops(at))
                if unfinished and (match := wanted.search(self._pending)):
                    return match, time.monotonic() - self._zero
                if not self._open:
                    raise Ended(f"{self.name} is off, and its console never said {pattern!r}")
                left = end - time.monotonic()
                if left <= 0:
                    raise TimedOut(f"{self.name}: no {pattern!r} on the console within {timeout} s")
                self._news.wait(left)

    def type(self, text):
        """Types at it, as a person would."""
        self._sock.sendall(text.encode())

    def find(self, pattern, after=0):
        """All matches so far, with their times."""
        wanted = re.compile(pattern)
        with self._news:
            lines = self.lines[after:]
        return [(match, when) for when, text in lines if (match := wanted.search(text))]

    def tail(self, count=25):
        """The last lines, as they stand in the log."""
        with self._news:
            return [_stamped(*line) for line in self.lines[-count:]]

    def drain(self):
        """Reads to the end; for a machine that is off."""
        self._reader.join()

    def _oops(self, end):
        """What the kernel told of its last accident before line `end`, to go behind a sentence."""
        begins = [at for at, (_, text) in enumerate(self.lines[:end]) if _OOPS.search(text)]
        if not begins:
            return ""
        # More than one line at its beginning looks like one.
        first = min(at for at in begins if at >= begins[-1] - _OOPS_HEAD_LINES)
        return "\n" + "\n".join(_stamped(*line) for line in self.lines[first:min(end, first + _OOPS_LINES)])

    def _read(self):
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        pending = ""
        began = 0.0
        with open(self._path, "w", buffering=1, encoding="utf-8") as log:
            while chunk := self._receive():
                now = time.monotonic() - self._zero
                if not pending:
                    began = now
                *whole, pending = (pending + decode(chunk)).split("\n")
                with self._news:
                    self._pending = _ESCAPES.sub("", pending)
                    self._news.notify_all()
                for text in whole:
                    self._append(log, began, text)
                    began = now
            if pending:
                self._append(log, began, pending)
        with self._news:
            self._open = False
            self._news.notify_all()

    def _append(self, log, when, text):
        text = _ESCAPES.sub("", text).rstrip()
        log.write(_stamped(when, text) + "\n")
        with self._news:
            self.lines.append((when, text))
            self._news.notify_all()

    def _receive(self):
        try:
            return self._sock.recv(65536)
        except OSError:
            return b""


def _stamped(when, text):
    return f"{when:9.3f} {text}"
