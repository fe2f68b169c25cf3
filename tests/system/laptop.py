"""What makes a laptop of a Debian tree, where it has neither a disk nor a kernel of its own."""

import os
import pathlib

LAB = "/usr/lib/lab"
# A number that no driver gives to a disk: a loop device that nobody makes.
DISK_NUMBER = (7, 250)
KERNEL = os.uname().release

# The kernel that runs is this machine's. What the daemon reads of it, it reads from these
# files: that it can kexec, and that there is a disk below the root.
FAKED = {
    "block/lab0/size": "8388608\n",
    "block/lab0/queue/logical_block_size": "512\n",
    "block/lab0/device/model": "Laboratory\n",
    "block/lab0/device/serial": "L4B0\n",
    "kernel/kexec_load_disabled": "0\n",
    "kernel/hostname": "laptop\n",
    "kernel/domainname": "(none)\n",
    "cmdline": "root=UUID=5713fe15-0000-4000-8000-000000000000 ro\n",
}

UNIT = f"""[Service]
BindReadOnlyPaths={LAB}/block:/sys/block {LAB}/dev-block:/sys/dev/block
BindReadOnlyPaths={LAB}/kernel:/proc/sys/kernel {LAB}/cmdline:/proc/cmdline
"""

# Both services want all cables that are called lan, and give addresses that tell them apart.
NETWORKD = """[Match]
Name=lan*

[Network]
Address=10.1.0.1/24
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
"""
NETWORK_MANAGER = """[connection]
id=wired
type=ethernet
interface-name=lan0

[ipv4]
method=manual
address1=10.2.0.1/24

[ipv6]
method=link-local
"""
# It leaves virtual cables alone if nobody says otherwise.
UDEV = 'SUBSYSTEM=="net", ENV{INTERFACE}=="lan*", ENV{NM_UNMANAGED}="0"\n'

FILES = {
    "etc/hostname": "laptop\n",
    "etc/machine-id": "5713fe15713fe15713fe15713fe15713\n",
    "etc/fstab": "",
    "etc/systemd/network/50-lan.network": NETWORKD,
    "etc/udev/rules.d/99-lan.rules": UDEV,
    # What unpacks the devices of this machine is none of the laptop's business.
    "etc/systemd/system/systemd-udev-trigger.service.d/lab.conf":
        "[Service]\nExecStart=\nExecStart=udevadm trigger --subsystem-match=net --action=add\n",
    "etc/systemd/system/stiefeld.service.d/lab.conf": UNIT,
    "etc/tmpfiles.d/lab.conf": "b /dev/lab0 660 root root - {}:{}\n".format(*DISK_NUMBER),
}
SECRET = {"etc/NetworkManager/system-connections/wired.nmconnection": NETWORK_MANAGER}

MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
    e2scrub_reap.service fstrim.timer ldconfig.service systemd-timesyncd.service
    NetworkManager-wait-online.service systemd-networkd-wait-online.service
""".split()
ENABLED = ["stiefeld.service", "systemd-networkd.service", "NetworkManager.service"]


def furnish(folder, tree, files):
    """Writes the layer `folder` for the Debian tree `tree`; `files` are a test's own."""
    for path, text in (FILES | files).items():
        _write(folder / path, text)
    for path, text in SECRET.items():
        _write(folder / path, text, 0o600)
    for path, text in FAKED.items():
        _write(folder / f"{LAB}/{path}".lstrip("/"), text)
    numbers = folder / f"{LAB}/dev-block".lstrip("/")
    numbers.mkdir()
    (numbers / "{}:{}".format(*DISK_NUMBER)).symlink_to("/sys/block/lab0")
    units = folder / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir()
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")
    for unit in ENABLED:
        (units / "multi-user.target.wants" / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
    _kernel(folder, tree)


def _kernel(folder, tree):
    """The tree's modules under the running kernel's name. Its image is none that any kernel
    would start: whatever machine we are on, it is not to be loaded there."""
    [modules] = (tree / "usr/lib/modules").iterdir()
    (folder / "usr/lib/modules").mkdir(parents=True)
    if modules.name != KERNEL:
        (folder / "usr/lib/modules" / KERNEL).symlink_to(modules.name)
    for name in ("vmlinuz", "initrd.img"):
        file = folder / "boot" / f"{name}-{KERNEL}"
        _write(file, "\0" * 4096)
        # Older than any ramdisk that is made of it.
        os.utime(file, (0, 0))


def _write(path, text, mode=0o644):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
