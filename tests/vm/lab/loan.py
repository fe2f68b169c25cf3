"""A whole loan, step by step, between a laptop and a desktop.

A scenario calls the steps it needs in their order; each is a leg of the
journey, checks what it can, and leaves the machines where the next one starts.
"""

import json
import os
import subprocess
import tarfile

from . import DESKTOP_MAC, LAPTOP_MAC, accelerator, crypt, laptop, outside, secrets, words
from .disk import System
from .errors import LabError
from .machine import Boot
from .stick import Stick

PAIRING = "workstation"
PARCEL_BYTES = 192 << 20
BOOT_FILES = ("vmlinuz", "initramfs.img", "cmdline")
WITNESS = "/srv/witness"
WITNESS_BYTES = 4 << 20
# All that the desktop writes in a scenario.
SUMS = "cd /srv && find . -type f -exec sha256sum {} + | sort -k 2"

# Emulated machines on a busy host take long; nothing here is a promise.
BOOT_SECONDS = 400
STEP_SECONDS = 180


# What the laptop's disk is called by its kernel, by QEMU's name of its kind.
DRIVES = {"virtio-blk-pci": "/dev/vda", "nvme": "/dev/nvme0n1"}

# Legs that others are counted from or to.
CONFIRMED = "laptop: confirmed to leaving"
SERVING = "laptop: ramdisk to serving"
DESKTOP_ON = "desktop: power-on, kernel"
LENT_UP = "desktop: attached to multi-user"


class Loan:
    """The machines and what is known of them; `installed` is a folder from tools/install."""

    def __init__(self, lab, journey, installed, generator="initramfs-tools", network="networkd", processors=1,
                 drive="virtio-blk-pci", encrypted=False):
        self.lab = lab
        self.journey = journey
        self.installed = installed
        self.system = System(encrypted=encrypted)
        self.generator = f"{generator}-luks" if encrypted else generator
        self.network = network
        self.processors = processors  # of each machine
        self.drive = drive  # of DRIVES
        self.laptop = None
        self.desktop = None
        self.desktop_shell = 0  # where its shell stood before the lent system
        self.release = None
        self._boot_sums = None
        self.witness_sum = None
        self._file_sums = None

    # Several steps at once

    def prepare(self, config=None, devices=()):
        """Everything before a loan: a laptop that runs, is paired, and may be woken."""
        self.make_disk(with_image=True)
        self.boot_laptop(devices)
        if config:
            self.configure(config)
        self.pair()
        self.arm()

    def lend(self, boot=None):
        """From a desktop that is switched on to the laptop's system running on it."""
        self.start_desktop(boot)
        self.hand_over()
        self.boot_lent_system()
        self.journey.span("seconds_confirmed_to_serving", CONFIRMED, SERVING)
        self.journey.span("seconds_desktop_on_to_multi_user", DESKTOP_ON, LENT_UP)

    # What comes before any loan

    def make_disk(self, with_image=False):
        """Makes the laptop's disk with our files on it, and the ramdisk if update_image() shall not."""
        with self.journey.leg("disk made"):
            self.release, self._boot_sums = laptop.make_disk(
                self.lab.private / "laptop.img", self.generator, self.network, self.installed, with_image,
                self.system)
        with self.journey.leg("accelerator probed"):
            kernel = laptop.tree(self.generator) / f"boot/vmlinuz-{self.release}"
            self.lab.accelerator = accelerator.choose(kernel)
        self.journey.facts |= {"accelerator": self.lab.accelerator, "kernel": self.release}

    def boot_laptop(self, devices=()):
        """Switches the laptop on; it boots its own system from its own disk. `devices`: see Machine."""
        with open(self.lab.private / "parcel", "wb") as parcel:
            parcel.truncate(PARCEL_BYTES)
        with self.journey.leg("laptop: power-on to multi-user") as leg:
            self.laptop = self.lab.machine(
                "laptop", Boot(disk=self.lab.private / "laptop.img", drive=self.drive,
                               parcel=self.lab.private / "parcel"), LAPTOP_MAC,
                processors=self.processors, devices=devices)
            leg.start = self.laptop.switched_on
            leg.end = self._wait_up(self.laptop, 0, 0)
            self._check_root(self.laptop, DRIVES[self.drive])

    def configure(self, text):
        """Gives the laptop's daemon a configuration file."""
        with self.journey.leg("laptop: configured"):
            self.laptop.run(f"""
                set -e
                printf %s '{text}' > /etc/stiefelsystem/lab.toml
                systemctl restart stiefeld
                stiefelctl status
            """)

    def update_image(self):
        """Makes the ramdisk on the laptop."""
        with self.journey.leg("laptop: stiefelctl update"):
            made = json.loads(self.laptop.run("stiefelctl update --json 2>/dev/null", BOOT_SECONDS))
        self.journey.facts |= {"image_bytes": made["size"], "image_seconds": round(made["seconds"], 3)}

    def pair(self, name=PAIRING):
        """Pairs with a desktop and takes the boot files to it."""
        with self.journey.leg("laptop: pairing and boot files"):
            self.laptop.run(f"stiefelctl pair {name}")
            self.export_boot(name)
        self.journey.facts["stick_bytes"] = sum(path.stat().st_size for path in self.stick(name).iterdir())

    def export_boot(self, pairing):
        """Fetches the boot files of a pairing, over a disk that both sides see."""
        self.laptop.run(f"""
            set -e
            stiefelctl export-boot {pairing} /srv/boot
            [ "$(stat -c %a /srv/boot/* | sort -u)" = 600 ] || {{ echo 'not 0600'; ls -l /srv/boot; exit 1; }}
            tar -C /srv/boot -cf /dev/disk/by-id/virtio-parcel {' '.join(BOOT_FILES)}
            sync /dev/disk/by-id/virtio-parcel
            rm -r /srv/boot
        """)
        stick = self.stick(pairing)
        stick.mkdir(exist_ok=True)
        with tarfile.open(self.lab.private / "parcel") as parcel:
            for name in BOOT_FILES:
                (stick / name).write_bytes(parcel.extractfile(name).read())

    def write_stick(self, pairing=PAIRING):
        """Has the laptop make the image of a stick, and takes it to the desktop."""
        with self.journey.leg("laptop: stick made") as leg:
            self.laptop.run(f"stiefelctl create-usbdrive {pairing} /srv/stick.img", BOOT_SECONDS)
        self.journey.facts["stick_seconds"] = round(leg.seconds(), 1)
        with self.journey.leg("laptop: stick carried over"):
            size = self.laptop.run("""
                set -e
                [ "$(stat -c %a /srv/stick.img)" = 600 ]
                cp /srv/stick.img /dev/disk/by-id/virtio-parcel
                sync /dev/disk/by-id/virtio-parcel
                stat -c %s /srv/stick.img
                rm /srv/stick.img
            """, BOOT_SECONDS)
        stick = Stick(self.lab.private / f"stick-{pairing}.img")
        subprocess.run(["cp", "--sparse=always", self.lab.private / "parcel", stick.path], check=True)
        # The parcel is longer, and a partition table has its copy at the very end.
        os.truncate(stick.path, int(size))
        return stick

    def stick(self, pairing=PAIRING):
        """The folder with the boot files of a pairing, on this machine."""
        return self.lab.private / f"stick-{pairing}"

    def arm(self):
        """Lets the laptop be woken."""
        with self.journey.leg("laptop: armed"):
            self.laptop.run("stiefelctl arm")

    # The loan itself

    def boot_desktop(self, stick=None, name="desktop", mac=DESKTOP_MAC, boot=None):
        """Switches a desktop on with a stick's files, or with `boot`; returns the machine once it searches."""
        with self.journey.leg(f"{name}: power-on, kernel") as leg:
            boot = boot or boot_files(stick or self.stick())
            machine = self.lab.machine(name, boot, mac, processors=self.processors)
            leg.start = machine.switched_on
            _, leg.end = machine.console.wait(words.OURS, STEP_SECONDS)
        with self.journey.leg(f"{name}: ramdisk to searching") as leg:
            _, leg.end = machine.console.wait(words.SEARCHING, STEP_SECONDS)
        return machine

    def start_desktop(self, boot=None):
        """The desktop of this loan is switched on, with the files of a stick or with `boot`."""
        announced = self.laptop.shell.tell(until("announced"))
        self.desktop = self.boot_desktop(boot=boot)
        with self.journey.leg("laptop: found by the desktop"):
            status, output = self.laptop.shell.answer(announced, STEP_SECONDS)
            if status:
                raise LabError(f"the laptop never announced a hand-off: {output}")

    def hand_over(self):
        """Confirms, and follows the laptop out of its system into the ramdisk."""
        here = self.laptop.console.position()
        with self.journey.leg(CONFIRMED):
            self.laptop.run("stiefelctl confirm")
            self.laptop.console.wait(words.GOING_DOWN, STEP_SECONDS, here)
        self.follow_hand_over(here)

    def follow_hand_over(self, console_after):
        """Follows a laptop that leaves its system until it offers its disk."""
        console = self.laptop.console
        with self.journey.leg("laptop: shutdown, kexec, kernel") as leg:
            _, leg.end = console.wait(words.OURS, STEP_SECONDS, console_after)
        with self.journey.leg(SERVING) as leg:
            _, leg.end = console.wait(words.SERVING, STEP_SECONDS, console_after)

    def boot_lent_system(self):
        """Follows the desktop into the laptop's system."""
        console = self.desktop.console
        with self.journey.leg("desktop: bundle fetched and verified") as leg:
            bundle, leg.end = console.wait(words.FETCHED, STEP_SECONDS)
        self.journey.facts["bundle_mib"] = float(bundle.group(1))
        with self.journey.leg("desktop: fetched to kexec") as leg:
            _, leg.end = console.wait(words.STARTING_LENT, STEP_SECONDS)
        here = console.position()
        with self.journey.leg("desktop: kexec, kernel") as leg:
            _, leg.end = console.wait(words.OURS, STEP_SECONDS, here)
        with self.journey.leg("desktop: ramdisk to disk attached") as leg:
            _, leg.end = console.wait(words.ATTACHED, STEP_SECONDS, here)
        with self.journey.leg(LENT_UP) as leg:
            leg.end = self._wait_up(self.desktop, here, self.desktop_shell, mistakes=1)
            self._check_root(self.desktop, "/dev/nbd0")
            steps = self.desktop.run("dmesg | grep -F stiefel:")
            (self.lab.out / "desktop.attach.log").write_text(steps + "\n", encoding="utf-8")
        memory, _ = self.laptop.console.wait(words.HELD, STEP_SECONDS)
        self.journey.facts["lender_memory_mib"] = int(memory.group(1))

    def write_witness(self):
        """Writes a file on the lent disk and forces it out."""
        with self.journey.leg("desktop: file written"):
            self.witness_sum = self.desktop.run(f"""
                set -e
                head -c {WITNESS_BYTES} /dev/urandom > {WITNESS}
                sync {WITNESS} /srv
                sha256sum < {WITNESS}
            """)

    def sum_files(self):
        """What check_files() compares with; nothing is written to them any more."""
        with self.journey.leg("desktop: what was written summed up"):
            self._file_sums = self.desktop.run(SUMS, STEP_SECONDS)

    def give_back(self):
        """Shuts the desktop down, and sees the laptop come home by itself."""
        here, shell = self.laptop.console.position(), self.laptop.shell.position()
        with self.journey.leg("desktop: shutdown to given back") as leg:
            self.desktop.shell.tell("systemctl poweroff")
            _, leg.end = self.laptop.console.wait(words.RETURNED, STEP_SECONDS, here)
            self.desktop.wait_off(STEP_SECONDS)
        self.come_home(here, shell)

    def give_back_and_end(self):
        """Shuts the desktop down, and looks at the disk from outside instead of seeing the laptop come home."""
        here = self.laptop.console.position()
        self.laptop.monitor.ask("set-action", reboot="shutdown")
        with self.journey.leg("desktop: shutdown to given back") as leg:
            self.desktop.shell.tell("systemctl poweroff")
            _, leg.end = self.laptop.console.wait(words.RETURNED, STEP_SECONDS, here)
            self.desktop.wait_off(STEP_SECONDS)
        with self.journey.leg("laptop: restarts"):
            self.laptop.wait_off(STEP_SECONDS)
        disk = self.lab.private / "laptop.img"
        with self.journey.leg("disk: file, file system and /boot are as they should be"):
            self._compare_witness(outside.digest(disk, WITNESS))
            outside.must_be_clean(disk)
            self._compare_boot(outside.boot_digests(disk))

    def come_home(self, console_after, shell_after):
        """The laptop boots its own system again, by itself."""
        with self.journey.leg("laptop: back in its own system") as leg:
            leg.end = self._wait_up(self.laptop, console_after, shell_after)
            self._check_root(self.laptop, DRIVES[self.drive])

    # What must hold afterwards

    def check_witness(self):
        """The file that was written from the desktop is there."""
        with self.journey.leg("laptop: file compared"):
            self._compare_witness(self.laptop.run(f"sha256sum < {WITNESS}"))

    def check_files(self):
        """All files that were written from the desktop are there, and no other ones."""
        with self.journey.leg("laptop: what was written compared"):
            found = self.laptop.run(SUMS, STEP_SECONDS)
            if found != self._file_sums:
                raise LabError(f"written was\n{self._file_sums}\nbut the lender has\n{found}")

    def check_clean(self, clean=True):
        """Whether the file system had to recover when the laptop mounted it."""
        with self.journey.leg("laptop: file system " + ("was clean" if clean else "recovered")):
            log = self.laptop.run("journalctl -b -k -o cat --no-pager | grep -i ext4")
            recovered = "recovery complete" in log or "orphan" in log or "error" in log.lower()
            if recovered == clean:
                raise LabError(f"the laptop's kernel says:\n{log}")

    def check_boot_untouched(self):
        """/boot and the stock initramfs are, byte by byte, what they were before."""
        with self.journey.leg("laptop: /boot is untouched"):
            lines = self.laptop.run("cd /boot && find . -type f -exec sha256sum {} +").splitlines()
            found = {name.removeprefix("./"): digest for digest, name in (line.split(maxsplit=1) for line in lines)}
            self._compare_boot(found)

    def check_secrets_on_desktop(self):
        """The same, while the lent system runs there."""
        with self.journey.leg("secrets are nowhere on the desktop"):
            secrets.must_not_be_in_system(self.desktop)

    def check_secrets(self):
        """Secrets are in no command line, no log and no readable file; those of a loan are not on the disk."""
        with self.journey.leg("secrets are nowhere"):
            secret = secrets.of_initramfs(self.stick() / "initramfs.img")
            secrets.must_not_be_in_system(self.laptop)
            secrets.must_not_be_in_files(secret, sorted(self.lab.out.glob("*.log")))
            secrets.loan_keys_must_not_be_on(self.lab.private / "laptop.img")
        if self.system.encrypted:
            with self.journey.leg("secrets are nowhere on the disk, opened"):
                secrets.passphrase_must_not_be_in_files(crypt.PASSPHRASE, sorted(self.lab.out.glob("*.log")))
                secrets.loan_keys_must_not_be_on(self.opened_root())

    def opened_root(self):
        """An encrypted root as it is on the disk now, with its encryption taken away."""
        start_mib, size_mib = self.system.root()
        root = self.lab.private / "root.img"
        if not root.exists():
            subprocess.run(["dd", f"if={self.lab.private}/laptop.img", f"of={root}", "bs=1M", f"skip={start_mib}",
                            f"count={size_mib}", "status=none"], check=True)
            crypt.decrypt(root, laptop.tree(self.generator))
        return root

    def status(self):
        """`stiefelctl status` of the laptop, parsed."""
        return json.loads(self.laptop.run("stiefelctl status --json"))

    def _compare_witness(self, found):
        if found.strip() != self.witness_sum.strip():
            raise LabError(f"{WITNESS} is not what was written: {found}, not {self.witness_sum}")

    def _compare_boot(self, found):
        if found != self._boot_sums:
            changed = sorted(name for name, _ in found.items() ^ self._boot_sums.items())
            raise LabError(f"changed in /boot: {changed}")

    def _wait_up(self, machine, console_after, shell_after, mistakes=0):
        """Types the passphrase where there is one, wrongly as often as told."""
        if self.system.encrypted:
            crypt.unlock(machine, BOOT_SECONDS, console_after, mistakes)
        _, when = machine.console.wait(words.MULTI_USER, BOOT_SECONDS, console_after)
        machine.shell.wait_ready(STEP_SECONDS, shell_after)
        return when

    def _check_root(self, machine, disk):
        source = machine.run("findmnt -no SOURCE /")
        if self.system.encrypted:
            source = crypt.below(machine, source)
        if not source.startswith(disk):
            raise LabError(f"{machine.name} runs from {source}, not from {disk}")


def boot_files(stick, disk=None):
    """A desktop that starts with a stick's files, and may have a disk of its own."""
    command_line = (stick / "cmdline").read_text(encoding="utf-8").strip()
    return Boot(disk=disk, kernel=stick / "vmlinuz", initramfs=stick / "initramfs.img",
                command_line=f"{command_line} console=ttyS0 no_timer_check")


def until(state):
    """Waits in the laptop for a state of the hand-off, by the bus's signals."""
    return f"grep -m 1 -w {state} < <(timeout {STEP_SECONDS} stiefelctl monitor 2>&1)"
