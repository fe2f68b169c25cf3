"""The Debian package's life on a laptop: installed, used, upgraded while armed, and purged, with a restart after each.

Needs packages that are made before: see tests/packaging/debs, which calls this.
"""

import os
import pathlib
import sys

from lab import stage
from lab.loan import BOOT_SECONDS, Loan

sys.path.append(str(stage.PROJECT / "tests/packaging"))
import life  # noqa: E402


def play(lab, journey, _installed):
    """Nothing is installed before it."""
    supplies = lab.private / "supplies"
    supplies.mkdir()
    earlier = os.environ.get("STIEFEL_EARLIER_DEBS")
    life.supply(supplies, pathlib.Path(os.environ["STIEFEL_DEBS"]), earlier and pathlib.Path(earlier))
    loan = Loan(lab, journey, supplies)
    loan.make_disk()
    loan.boot_laptop()
    package = life.Life(lambda script: loan.laptop.run(script, BOOT_SECONDS, check=False))
    for name, step in package.steps():
        with journey.leg(f"package: {name}"):
            step()
        if name == life.UPGRADE:
            _restart(loan, journey)
            with journey.leg("package: armed after a restart"):
                package.is_armed()
    _restart(loan, journey)
    with journey.leg("package: nothing is left after a restart"):
        package.left_nothing()
    loan.check_boot_untouched()


def _restart(loan, journey):
    here, shell = loan.laptop.console.position(), loan.laptop.shell.position()
    with journey.leg("laptop: restarts"):
        loan.laptop.shell.tell("systemctl reboot")
    loan.come_home(here, shell)
