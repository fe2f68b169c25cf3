"""tools/try: from a fresh machine to a disk that was lent and came back."""

import argparse
import pathlib
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
    parser.add_argument("--keep", action="store_true", help="leave the machines running at the end")
    arguments = parser.parse_args()
    stage.as_root()
    out = stage.folder(arguments.out, "stiefelsystem-try-")
    journey = Journey(out, lambda: time.monotonic() - zero)
    journey.say(f"logs go to {out}")
    passed = False
    with tempfile.TemporaryDirectory(prefix="stiefelsystem-files-") as installed:
        try:
            stage.prepare(journey, pathlib.Path(installed))
            passed = stage.play(SCENARIO, journey, pathlib.Path(installed), zero, arguments.keep)
        except stage.LabError as error:
            stage.explain(journey, error)
            journey.write("failed")
    print(f"\n{journey.table()}\n\n{'The loan went round.' if passed else 'FAILED at: ' + str(journey.failed)}")
    return 0 if passed else 1


if __name__ == "__main__":
    stage.run(main)
