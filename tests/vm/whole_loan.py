"""tools/try: from a fresh machine to a disk that was lent and came back."""

import argparse
import pathlib
import shutil
import tempfile
import time

from lab import stage
from lab.journey import Journey

SCENARIO = "loan_initramfs_tools"


def main():
    """Returns the program's exit status."""
    zero = time.monotonic()
    parser = argparse.ArgumentParser(prog="tools/try", description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, help="folder for logs and result.json (default: a new one)")
    parser.add_argument("--packages", type=pathlib.Path, metavar="FOLDER",
                        help="install the daemon's package from there, instead of building")
    parser.add_argument("--keep", action="store_true", help="leave the machines running at the end")
    arguments = parser.parse_args()
    stage.as_root()
    out = stage.folder(arguments.out, "stiefelsystem-try-")
    journey = Journey(out, lambda: time.monotonic() - zero)
    journey.say(f"logs go to {out}")
    passed = False
    with tempfile.TemporaryDirectory(prefix="stiefelsystem-files-") as installed:
        installed = pathlib.Path(installed)
        try:
            if arguments.packages:
                stage.set_up(journey)
                _take_package(arguments.packages, installed)
            else:
                stage.prepare(journey, installed)
            passed = stage.play(SCENARIO, journey, installed, zero, arguments.keep)
        except stage.LabError as error:
            stage.explain(journey, error)
            journey.write("failed")
    print(f"\n{journey.table()}\n\n{'The loan went round.' if passed else 'FAILED at: ' + str(journey.failed)}")
    return 0 if passed else 1


def _take_package(folder, place):
    """The one that a loan needs; the application's wants a desktop."""
    found = sorted(folder.glob("stiefelsystem_*.deb"))
    if len(found) != 1:
        raise stage.LabError(f"{folder} has {len(found)} packages stiefelsystem_*.deb; make one with: "
                             "tools/package deb")
    shutil.copy(found[0], place)


if __name__ == "__main__":
    stage.run(main)
