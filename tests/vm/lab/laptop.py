"""The laptop's own system: a Debian tree, this laboratory's files, and ours."""

import pathlib
import shutil
import subprocess

from . import cache, debian, disk
from .errors import LabError

OVERLAY = pathlib.Path(__file__).parent.parent / "laptop"

# They cost seconds of every emulated boot, and a loan does not touch them; GRUB's
# own service writes to /boot at every boot, where we look for traces of ours.
MASKED = """
    grub-common.service
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
    e2scrub_reap.service fstrim.timer systemd-pstore.service
    NetworkManager-wait-online.service systemd-networkd-wait-online.service
    getty@tty1.service serial-getty@ttyS0.service
""".split()

# Each of the usual network services, with a cable that asks nobody for an address.
NETWORKS = {
    "networkd": {
        "unit": "systemd-networkd.service",
        "file": "etc/systemd/network/50-wired.network",
        "mode": 0o644,
        "text": "[Match]\nName=en*\n\n[Network]\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n",
    },
    # The same service as it comes: nobody answers on the cable, so it tries for ever.
    "NetworkManager-alone": {
        "unit": "NetworkManager.service",
        "file": "etc/NetworkManager/conf.d/lab.conf",
        "mode": 0o644,
        "text": "[main]\n",
    },
    "NetworkManager": {
        "unit": "NetworkManager.service",
        "file": "etc/NetworkManager/system-connections/wired.nmconnection",
        "mode": 0o600,
        "text": "[connection]\nid=wired\ntype=ethernet\n\n[ipv4]\nmethod=disabled\n\n[ipv6]\nmethod=link-local\n",
    },
}


def tree(generator):
    """The cached Debian tree whose initramfs that generator made."""
    def make(path):
        with open(path.with_suffix(".log"), "w", encoding="utf-8") as log:
            debian.make_tree(path, generator, log)
    return cache.get(f"laptop-{generator}", cache.key(debian.definition(generator)), make)


def make_disk(path, generator, network, installed, with_image=False, system=disk.LAPTOP):
    """Writes a disk that boots by itself; `installed` is a folder from tools/install, or one of packages.

    `path` has to be on the file system of the cache, in a folder for it alone.
    With an image, our ramdisk is made here and now, in a fraction of the time
    that it takes in an emulated laptop.

    Returns (kernel release, SHA-256 sums of /boot by file name) as on the disk.
    """
    merged, overlay = path.with_suffix(".tree"), path.with_suffix(".overlay")
    try:
        packages = sorted(installed.glob("*.deb"))
        # Hard links: the cached tree is only read, and so are the files it shares. A package's scripts may do more.
        merged.mkdir()
        subprocess.run(["cp", "-a" if packages else "-al", f"{tree(generator)}/.", merged], check=True)
        _make_overlay(overlay, network, system)
        _copy(overlay, merged)
        if packages:
            _install(packages, merged)
        else:
            _copy(installed, merged)
        if with_image:
            _make_image(merged)
        return disk.make(path, merged, system)
    finally:
        shutil.rmtree(overlay, ignore_errors=True)
        shutil.rmtree(merged)


def _make_overlay(root, network, system):
    shutil.copytree(OVERLAY, root, symlinks=True)
    units = root / "etc/systemd/system"
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(parents=True)
    chosen = NETWORKS[network]
    others = {entry["unit"] for entry in NETWORKS.values()} - {chosen["unit"]}
    for unit in [*MASKED, *others]:
        (units / unit).symlink_to("/dev/null")
    for unit, place in ((chosen["unit"], "/usr/lib"), ("lab-shell.service", "/etc"),
                        ("stiefeld.service", "/usr/lib")):
        (wanted / unit).symlink_to(f"{place}/systemd/system/{unit}")
    _write(root / chosen["file"], chosen["text"], chosen["mode"])
    _write(root / "etc/hostname", "laptop\n")
    # With a fixed one the first boot is not a "first boot", which sets up units
    # anew; with the other two, systemd does not update caches that are new.
    _write(root / "etc/machine-id", "5713fe15713fe15713fe15713fe15713\n")
    _write(root / "etc/.updated", "")
    _write(root / "var/.updated", "")
    _write(root / "etc/fstab", system.fstab())


def _copy(folder, root):
    subprocess.run(["cp", "-a", "--no-preserve=ownership", "--remove-destination", f"{folder}/.", root], check=True)


def _install(packages, root):
    """As a person would, with the scripts and hooks that are run then."""
    place = root / "tmp/packages"
    place.mkdir()
    for package in packages:
        shutil.copy(package, place)
    names = " ".join(f"/tmp/packages/{package.name}" for package in packages)
    script = f"mount -t proc proc /proc && exec dpkg --install {names}"
    done = subprocess.run(["unshare", "--mount", "chroot", root, "sh", "-c", script], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    shutil.rmtree(place)
    if done.returncode:
        raise LabError(f"dpkg --install {names}: {done.stdout}")


def _make_image(root):
    release = disk.kernel_release(root / "boot")
    done = subprocess.run(["chroot", root, "stiefelctl", "update", "--kernel", release], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    # It also wants to tell a daemon, and here is none; what counts is that there is an image.
    if not (root / f"var/lib/stiefelsystem/images/{release}.img").exists():
        raise LabError(f"stiefelctl update: {done.stdout}")


def _write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
