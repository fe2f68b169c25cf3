#!/usr/bin/python3
"""The Debian 13 tree that the application is built, tested and looked at in.

usage: root.py [--path] [COMMAND ...]

Runs COMMAND (or a shell) inside, with this project at /src; --path only makes
the tree and prints where it is. Debian 12 has a GTK that is too old, so
the application is always built here and never with the machine's own
libraries; its build output is in target/gui.

The tree is kept where the laptops' trees are (tests/vm/lab/cache.py says
where), and made again when the list of packages changes. The Rust toolchain
and the crates are the machine's own. Inside there is no network, no process
and no device of the machine. Needs root (or sudo).
"""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
sys.path.insert(0, str(TREE / "tests/vm"))
from lab import cache, debian  # noqa: E402

PACKAGES = """
    gcc libc6-dev make pkgconf libgtk-4-dev libadwaita-1-dev
    gettext libxml2-utils appstream desktop-file-utils
    dbus-daemon at-spi2-core gir1.2-atspi-2.0 python3-gi python3-dbus python3-dbusmock python3-pil
    sway grim wtype strace procps iproute2
    librsvg2-common adwaita-icon-theme fonts-cantarell fonts-dejavu-core locales
    gnome-shell gnome-shell-extension-appindicator
""".split()

# Nobody reads these here. Of the translations those stay that are looked at:
# German, and two that are read from right to left.
EXCLUDED = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/gtk-doc/*",
            "/usr/share/locale/*", "/usr/share/help/*", "/usr/share/gnome-control-center/*"]
INCLUDED = [f"/usr/share/locale/{path}" for path in ("locale.alias", "de/*", "ar/*", "he/*")]
LOCALES = ["de_DE", "ar_EG", "he_IL"]

# Prepares the inside: ours alone are the processes, the devices and the network.
ENTER = r"""
root=$1 tree=$2 cargo=$3 rust=$4 place=$5
shift 5
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root/dev/pts" "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=700 tmpfs "$root/root"
mkdir -p "$root/src" "$root/opt/cargo" "$root/opt/rust"
mount --bind "$tree" "$root/src"
mount -t tmpfs -o mode=755 tmpfs "$root/opt/cargo"
# Not its programs, which ask a rustup that is not here.
mkdir "$root/opt/cargo/registry"
mount --bind "$cargo/registry" "$root/opt/cargo/registry"
mount --bind "$rust" "$root/opt/rust"
mount -o remount,bind,ro "$root/opt/rust"
for outside in $place; do
    mkdir -p "$root$outside"
    mount --bind "$outside" "$root$outside"
done
ip link set lo up
# What the machine in our pictures is called.
echo Laptop >/proc/sys/kernel/hostname
exec chroot "$root" env -i "$@"
"""


def definition():
    """Text that changes when the tree would come out differently."""
    return repr((debian.SUITE, PACKAGES, EXCLUDED, INCLUDED, LOCALES))


def path():
    """Where the tree is; made when it is not there."""

    def make(place):
        print("gui-root: making the Debian 13 tree, which takes some minutes", file=sys.stderr)
        options = [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
        options += [f"--dpkgopt=path-include={pattern}" for pattern in INCLUDED]
        options += [f'--customize-hook=chroot "$1" localedef -i {name} -f UTF-8 {name}.UTF-8'
                    for name in LOCALES]
        folder = cache.directory()
        with open(folder / "gui-root.log", "wb") as log:
            debian.bootstrap(place, PACKAGES, options, log)

    return cache.get("gui-root", cache.key(definition()), make)


def enter(command, places=(), extra=()):
    """The command line that runs `command` inside.

    `places` are folders outside that are seen inside under the same name,
    `extra` are settings like NAME=VALUE.
    """
    rust, cargo = toolchain()
    settings = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": "/opt/rust/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CARGO_HOME": "/opt/cargo",
        "CARGO_TARGET_DIR": "/src/target/gui",
        # What is built is fetched outside, by fetch().
        "CARGO_NET_OFFLINE": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    words = [f"{name}={value}" for name, value in settings.items()] + list(extra)
    places = " ".join(str(place) for place in places)
    return ["unshare", "--mount", "--pid", "--ipc", "--net", "--uts", "--fork", "--kill-child",
            "--propagation", "private", "sh", "-euc", ENTER, "enter",
            str(path()), str(TREE), cargo, rust, places, *words, *command]


def toolchain():
    """Folders of the compiler and of the crates, as tools/gui-root was told them or as root has them."""
    rust = os.environ.get("STIEFEL_RUST") or subprocess.run(
        ["rustc", "--print", "sysroot"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout.strip()
    cargo = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    (pathlib.Path(cargo) / "registry").mkdir(parents=True, exist_ok=True)
    return rust, cargo


def main():
    words = sys.argv[1:]
    if words[:1] in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    if words[:1] == ["--path"]:
        print(path())
        return 0
    if not shutil.which("mmdebstrap"):
        print("gui-root: there is no mmdebstrap; run tools/setup", file=sys.stderr)
        return 1
    command = words or ["bash", "-l"]
    inside = enter(["sh", "-c", 'cd /src && exec "$@"', "sh", *command])
    os.execvp(inside[0], inside)


if __name__ == "__main__":
    sys.exit(main())
