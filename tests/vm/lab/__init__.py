"""The laboratory: virtual machines on one cable, and what they boot from."""

import pathlib
import shutil
import time

from . import accelerator, cache
from .machine import Machine
from .network import Network

LAPTOP_MAC = "52:54:00:00:57:01"
DESKTOP_MAC = "52:54:00:00:57:02"
SECOND_DESKTOP_MAC = "52:54:00:00:57:03"


class Lab:
    """A cable, machines, and a folder for what they say; a context that ends them all.

    Its times count from `zero` (time.monotonic()), or from now.
    """

    def __init__(self, out, zero=None):
        self.out = pathlib.Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.zero = time.monotonic() if zero is None else zero
        self.machines = []
        self.accelerator = accelerator.EMULATION
        # Disks, and the stick's files: they hold a secret, so they are not in `out`.
        self.private = cache.workplace()
        self.network = Network()

    def now(self):
        """Seconds since zero."""
        return time.monotonic() - self.zero

    def machine(self, name, boot, mac, **settings):
        """Switches on a machine."""
        machine = Machine(self, name, boot, mac, **settings)
        self.machines.append(machine)
        return machine

    def close(self):
        """Takes the power from every machine, and the cable away."""
        try:
            for machine in self.machines:
                machine.kill()
        finally:
            self.network.close()
            shutil.rmtree(self.private)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
