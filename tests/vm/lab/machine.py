"""One virtual machine: QEMU, its consoles, its monitor, its plugs."""

import contextlib
import dataclasses
import pathlib
import socket
import subprocess
import time

from . import firmware
from .console import Console
from .errors import LabError, TimedOut
from .monitor import Monitor
from .network import BRIDGE
from .shell import Shell

MEMORY_MIB = 2048
PLUGS = {"nic0": "virtio-net-pci"}


@dataclasses.dataclass(frozen=True)
class Boot:
    """What a machine starts: a disk or a stick by its firmware, or three files of a stick."""

    disk: pathlib.Path | None = None
    drive: str = "virtio-blk-pci"  # QEMU's name of the kind of disk
    parcel: pathlib.Path | None = None  # a second small disk, to get files out
    stick: pathlib.Path | None = None  # the image of one
    stick_keeps: bool = False  # what is written to it
    firmware: str = firmware.BIOS
    kernel: pathlib.Path | None = None
    initramfs: pathlib.Path | None = None
    command_line: str = ""


class Machine:
    """Made by Lab.machine(); switched on at once, off by kill() at the latest.

    `devices` are QEMU's words for what else it has.
    """

    def __init__(self, lab, name, boot, mac, memory_mib=MEMORY_MIB, processors=1, devices=()):
        self.name = name
        self.mac = mac
        self._network = lab.network
        self._taps = {}
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as far_ends:
            words, fds, sockets = _sockets(far_ends, self._stack)
            command = (_base(name, memory_mib, processors, lab.accelerator, boot.firmware) + words
                       + self._plug_nic("nic0", mac)
                       + firmware.words(boot.firmware, lab.private / f"{name}.firmware") + _boot(boot) + [*devices])
            log = self._stack.enter_context(open(lab.out / f"{name}.qemu.log", "wb"))
            self.switched_on = lab.now()
            self._qemu = subprocess.Popen(
                self._network.command(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds)
        self._lines = []
        try:
            self.console = Console(name, sockets["console"], lab.out / f"{name}.log", lab.zero)
            self.shell = Shell(name, sockets["shell"], lab.out / f"{name}.shell.log", lab.zero)
            self._lines = [self.console, self.shell]
            self.monitor = Monitor(name, sockets["monitor"])
        except BaseException:
            self.kill()
            raise

    def run(self, script, timeout=60, check=True):
        """Runs a script as root in the booted system; see Shell.run()."""
        return self.shell.run(script, timeout, check)

    def is_on(self):
        """Whether QEMU still runs."""
        return self._qemu.poll() is None

    def wait_off(self, timeout):
        """Waits until the machine has switched itself off."""
        try:
            status = self._qemu.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"{self.name} is not off after {timeout} s") from None
        if status:
            raise LabError(f"{self.name}: QEMU ended with {status}, see {self.name}.qemu.log")

    def reset(self):
        """Presses the reset button."""
        self.monitor.ask("system_reset")

    def kill(self):
        """Takes the power away, with whatever was in the machine's memory."""
        if self.is_on():
            self._qemu.kill()
        self._qemu.wait()
        for line in self._lines:
            line.drain()
        self._stack.close()

    def set_carrier(self, up, nic="nic0"):
        """Plugs the cable out of, or into, a NIC; the machine sees it."""
        self.monitor.ask("set_link", name=nic, up=up)

    def set_silent(self, silent, nic="nic0"):
        """Loses all packets of a NIC; the machine keeps its carrier."""
        self._network.silence(self._taps[nic], silent)

    def set_packet_size(self, size, nic="nic0"):
        """Lets packets of so many bytes through, as a switch does; larger ones are lost."""
        self._network.set_packet_size(self._taps[nic], size)

    def plug_nic(self, nic, mac, cable=BRIDGE):
        """Plugs in a fast network adapter that is on the cable, or another one, as Thunderbolt would."""
        self._taps[nic] = tap = self._network.socket(cable)
        self.monitor.ask_person(f"netdev_add {_netdev(nic, tap)}")
        self.monitor.ask("device_add", driver="virtio-net-pci", id=f"{nic}-device", netdev=nic, mac=mac,
                         romfile="", bus="port0")

    def plug_usb_nic(self, mac, nic="usbnic", port=None):
        """Plugs in a USB network adapter that is on the cable; `port` is one of the controller's four."""
        self._taps[nic] = tap = self._network.socket()
        self.monitor.ask_person(f"netdev_add {_netdev(nic, tap)}")
        self.monitor.ask("device_add", driver="usb-net", id=f"{nic}-device", netdev=nic, mac=mac, bus="xhci.0",
                         **({"port": port} if port else {}))

    def unplug_usb_nic(self, nic="usbnic"):
        """Pulls it out."""
        self.monitor.ask("device_del", id=f"{nic}-device")
        self.monitor.ask("netdev_del", id=nic)

    def _plug_nic(self, nic, mac):
        self._taps[nic] = tap = self._network.socket()
        return ["-netdev", _netdev(nic, tap),
                "-device", f"{PLUGS[nic]},netdev={nic},id={nic}-device,mac={mac},romfile="]


def _netdev(nic, tap):
    return f"tap,id={nic},ifname={tap},script=no,downscript=no,vhost=off"


def _sockets(far_ends, near_ends):
    """Three lines into QEMU, as pairs of sockets: no paths, and nothing is lost at the start."""
    words, fds, sockets = [], [], {}
    for line in ("console", "shell", "monitor"):
        near, far = socket.socketpair()
        sockets[line] = near_ends.enter_context(near)
        fds.append(far_ends.enter_context(far).fileno())
        words += ["-chardev", f"socket,id={line},fd={fds[-1]}"]
    words += ["-serial", "chardev:console", "-serial", "chardev:shell", "-mon", "chardev=monitor,mode=control"]
    return words, fds, sockets


def _base(name, memory_mib, processors, accelerator, kind):
    if processors > 1 and accelerator.startswith("tcg"):
        # Where each has a thread, one may run code that another has just changed: kernels patch
        # theirs under int3, and panic when they meet one that is gone ("Oops: int3").
        accelerator += ",thread=single"
    return ["qemu-system-x86_64", "-name", name, "-machine", firmware.machine(kind), "-accel", accelerator,
            "-cpu", "max",
            "-smp", str(processors), "-m", str(memory_mib), "-nodefaults", "-no-user-config", "-display", "none",
            "-rtc", "base=utc", "-device", "virtio-rng-pci", "-device", "qemu-xhci,id=xhci",
            "-device", "pcie-root-port,id=port0,chassis=1"]


def _boot(boot):
    words = []
    disks = (("disk", boot.disk, boot.drive), ("parcel", boot.parcel, "virtio-blk-pci"))
    for number, (ident, path, drive) in enumerate(disks):
        if path:
            words += ["-drive", f"file={path},format=raw,if=none,id={ident},cache=unsafe,discard=unmap",
                      "-device", f"{drive},drive={ident},serial={ident},bootindex={number + 1}"]
    if boot.stick:
        # Firmware may write to it, too.
        snapshot = "off" if boot.stick_keeps else "on"
        words += ["-drive", f"file={boot.stick},format=raw,if=none,id=stick,snapshot={snapshot}",
                  "-device", "usb-storage,drive=stick,bus=xhci.0,bootindex=0,removable=on"]
    if boot.kernel:
        words += ["-kernel", str(boot.kernel), "-initrd", str(boot.initramfs), "-append", boot.command_line]
    return words
