"""tools/install and meson install put the same files at the same places.

usage: installed.py BUILD-DIR LIBEXECDIR [--no-dpkg]

The first is for whoever has no meson, above all for the tests with virtual
machines. What only the application or the documentation needs is meson's.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Installed by meson alone.
ONLY_MESON = (
    "/usr/bin/stiefelsystem",
    "/usr/share/man/",
    "/usr/share/applications/",
    "/usr/share/metainfo/",
    "/usr/share/icons/",
    "/usr/share/locale/",
    "/usr/share/dbus-1/services/",
    "/usr/share/gnome-shell/",
    "/usr/share/bash-completion/",
    "/usr/share/zsh/",
    "/usr/share/fish/",
    "/usr/share/doc/",
    "/etc/xdg/autostart/",
)


def by_meson(build):
    words = os.environ.get("MESONINTROSPECT", "meson introspect").split()
    listed = subprocess.run([*words, "--installed", build], check=True, capture_output=True, text=True)
    return set(json.loads(listed.stdout).values())


def by_us():
    listed = subprocess.run([ROOT / "tools/install", "--list"], check=True, capture_output=True, text=True)
    # Of a file that goes to two places, meson tells the last one only.
    return {place.replace("/postinst.d/", "/postrm.d/") for place in listed.stdout.split()}


def main():
    meson = {place for place in by_meson(sys.argv[1]) if not place.startswith(ONLY_MESON)}
    ours = {place.replace("/usr/libexec/stiefelsystem/", sys.argv[2] + "/") for place in by_us()}
    if "--no-dpkg" in sys.argv:
        ours = {place for place in ours if not place.startswith("/etc/kernel/")}
    for place in sorted(meson - ours):
        print(f"only by meson: {place}")
    for place in sorted(ours - meson):
        print(f"only by tools/install: {place}")
    return meson != ours


if __name__ == "__main__":
    sys.exit(main())
