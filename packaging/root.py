"""The Debian 13 tree that packages are built in, from its own tools alone.

It is kept where the tests keep theirs (tests/vm/lab/cache.py says where), and
made again when the list of packages changes. What a build writes to it is
forgotten with the build.
"""

import pathlib
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TREE / "tests/vm"))
from lab import cache, debian  # noqa: E402

PACKAGES = """
    build-essential debhelper fakeroot lintian
    rustc-web cargo-web meson pkgconf
    libgtk-4-dev libadwaita-1-dev libpolkit-gobject-1-dev systemd-dev
    gettext appstream desktop-file-utils libxml2-utils shellcheck man-db systemd
    rpm rpmlint makepkg pacman-package-manager libarchive-tools zstd
""".split()

EXCLUDED = ["/usr/share/doc/*", "/usr/share/info/*", "/usr/share/gtk-doc/*", "/usr/share/locale/*"]

# Ours alone are the processes, the mounts and the network, of which there is none.
ENTER = r"""
root=$1 over=$2 place=$3
shift 3
mkdir -p "$over/upper" "$over/work" "$over/merged"
mount -t overlay -o "lowerdir=$root,upperdir=$over/upper,workdir=$over/work" overlay "$over/merged"
root=$over/merged
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/build"
mount --bind "$place" "$root/build"
ip link set lo up
exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


def path():
    """Where the tree is; made when it is not there."""

    def make(place):
        print("package: making the Debian 13 tree, which takes some minutes", file=sys.stderr)
        with open(cache.directory() / "package-root.log", "wb") as log:
            options = [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
            debian.bootstrap(place, PACKAGES, options, log)

    return cache.get("package-root", cache.key(repr((debian.SUITE, PACKAGES, EXCLUDED))), make)


def run(place, over, script):
    """Runs a shell script in the tree; `place` is its /build, `over` an empty folder for what it changes.

    Returns its exit status.
    """
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--ipc", "--net", "--fork", "--kill-child", "--propagation", "private",
         "sh", "-euc", ENTER, "enter", str(path()), str(over), str(place),
         "sh", "-euxc", "cd /build\n" + script],
        check=False, stdin=subprocess.DEVNULL,
    ).returncode


if __name__ == "__main__":
    print(path())
