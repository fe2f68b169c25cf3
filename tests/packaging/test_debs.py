"""The life of the Debian package in a system that is booted in namespaces."""

import os
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "system"), str(HERE.parent / "vm")]

import laptop  # noqa: E402
import life  # noqa: E402
from lab import laptop as vm_laptop  # noqa: E402
from machine import Machine  # noqa: E402

PACKAGES = pathlib.Path(os.environ["STIEFEL_DEBS"])
EARLIER = os.environ.get("STIEFEL_EARLIER_DEBS")


class Debs(unittest.TestCase):
    def test_comes_is_used_is_upgraded_and_leaves_nothing(self):
        tree = vm_laptop.tree("initramfs-tools")
        system = Machine([tree])
        self.addCleanup(system.end)
        laptop.furnish(system.layer, tree, {})
        life.supply(system.layer, PACKAGES, EARLIER and pathlib.Path(EARLIER))
        system.boot()

        def ask(script):
            done = system.run("sh", "-c", script, check=False)
            return done.returncode, (done.stdout + done.stderr).strip()

        for name, step in life.Life(ask).steps():
            print(f"   {name}", flush=True)
            step()


if __name__ == "__main__":
    unittest.main()
