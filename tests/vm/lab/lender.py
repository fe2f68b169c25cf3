"""A lender that is switched on in its ramdisk, without a system that it has left before.

For what the ramdisk does by itself: it takes seconds instead of minutes. The
disk is empty, so a borrower attaches it and finds no root there.
"""

import json
import pathlib
import subprocess

from . import DESKTOP_MAC, LAPTOP_MAC, accelerator, laptop, words
from .loan import STEP_SECONDS
from .machine import Boot

PAIRING = {"id": "57ef57ef57ef57ef", "name": "Workstation", "secret": "5" * 64}
NAME = "Laptop"
SERIAL = "lent"
DISK_BYTES = 2 << 30
RDINIT = "rdinit=/stiefel/init"
COMMAND_LINE = f"console=tty0 console=ttyS0 no_timer_check {RDINIT}"


class Lender:
    """The lender, and a borrower; `installed` is a folder from tools/install."""

    def __init__(self, lab, journey, installed, generator="initramfs-tools"):
        self.lab = lab
        self.journey = journey
        self.laptop = None
        self.desktop = None
        self._tree = laptop.tree(generator)
        self._release = next((self._tree / "lib/modules").iterdir()).name
        self._kernel = self._tree / f"boot/vmlinuz-{self._release}"
        with journey.leg("ramdisk made"):
            subprocess.run([
                installed / "usr/bin/stiefelctl", "update", "--json", "--kernel", self._release, "--root", self._tree,
                "--init", installed / "usr/libexec/stiefelsystem/stiefel-init", "--out", lab.private / "images",
            ], stdout=subprocess.DEVNULL, check=True)
        self._image = lab.private / f"images/{self._release}.img"
        journey.facts["image_bytes"] = self._image.stat().st_size
        with journey.leg("accelerator probed"):
            lab.accelerator = accelerator.choose(self._kernel)
        self.disk = lab.private / "lent.img"
        with open(self.disk, "wb") as disk:
            disk.truncate(DISK_BYTES)

    def switch_on(self, drive="virtio-blk-pci", command_line="", devices=()):
        """Switches the lender on; returns once it offers its disk. `devices` are more words for QEMU."""
        ticket = {"role": "serve", "lender": NAME, "pairings": [PAIRING], "promised_to": PAIRING["id"],
                  "disk": {"serial": SERIAL, "size": DISK_BYTES}, "cmdline": RDINIT, "links": [],
                  "limits": {"offer_secs": 600, "patience_secs": 0}}
        bundle = [("vmlinuz", self._kernel), ("initrd.img", self._tree / f"boot/initrd.img-{self._release}"),
                  ("ramdisk.img", self._image)]
        drive = ["-drive", f"file={self.disk},format=raw,if=none,id=lent,cache=unsafe",
                 "-device", f"{drive},drive=lent,serial={SERIAL}"]
        with self.journey.leg("laptop: power-on to serving") as leg:
            self.laptop = self._machine("laptop", LAPTOP_MAC, ticket, bundle, command_line, (*drive, *devices))
            _, leg.end = self.laptop.console.wait(words.SERVING, STEP_SECONDS)
        return self.laptop

    def attach(self):
        """Switches the borrower on, and follows it until it has the disk."""
        ticket = {"role": "fetch", "pairing": PAIRING, "lender": NAME}
        with self.journey.leg("desktop: power-on to disk attached") as leg:
            self.desktop = self._machine("desktop", DESKTOP_MAC, ticket, [], "", ())
            _, leg.end = self.laptop.console.wait(words.HELD, 2 * STEP_SECONDS)
        return self.desktop

    def _machine(self, name, mac, ticket, bundle, command_line, devices):
        initramfs = self.lab.private / f"{name}.initramfs"
        with open(initramfs, "wb") as out:
            out.write(self._image.read_bytes())
            out.write(bytes(-out.tell() % 4))
            folders = [("stiefel", 0o40755, b"")] + ([("stiefel/bundle", 0o40755, b"")] if bundle else [])
            files = [(f"stiefel/bundle/{each}", 0o100600, pathlib.Path(path).read_bytes()) for each, path in bundle]
            ticket = json.dumps({"version": 1} | ticket).encode()
            for entry in [*folders, *files, ("stiefel/ticket.json", 0o100600, ticket), ("TRAILER!!!", 0, b"")]:
                out.write(_entry(*entry))
        boot = Boot(kernel=self._kernel, initramfs=initramfs, command_line=f"{COMMAND_LINE} {command_line}".strip())
        return self.lab.machine(name, boot, mac, devices=devices)


def _entry(path, mode, content):
    """One entry of a cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    name = path.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
