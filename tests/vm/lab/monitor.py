"""QEMU's machine protocol: one question, one answer."""

import json
import threading

from .errors import Ended, LabError

ANSWER_SECONDS = 30


class Monitor:
    """Speaks on `sock`, the near end of a pair whose far end QEMU holds."""

    def __init__(self, name, sock):
        self._name = name
        self._turn = threading.Lock()
        sock.settimeout(ANSWER_SECONDS)
        self._stream = sock.makefile("rwb", buffering=0)
        self._next()  # its greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        """Runs one command and returns what QEMU returns for it."""
        question = {"execute": command, "arguments": arguments}
        with self._turn:
            self._stream.write(json.dumps(question).encode() + b"\n")
            while "event" in (answer := self._next()):
                pass
        if "error" in answer:
            raise LabError(f"{self._name}: QEMU refuses {command}: {answer['error']['desc']}")
        return answer["return"]

    def ask_person(self, line):
        """Runs one line of the monitor that is meant for people."""
        return self.ask("human-monitor-command", **{"command-line": line})

    def _next(self):
        try:
            line = self._stream.readline()
        except ConnectionError:
            line = b""
        if not line:
            raise Ended(f"{self._name}: QEMU has ended, see {self._name}.qemu.log")
        return json.loads(line)
