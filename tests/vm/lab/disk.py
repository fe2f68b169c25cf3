"""A disk that a PC's firmware boots, made without mounting anything.

GPT: GRUB's core in a partition of its own (its first sector is named in the
boot sector), then /boot and / as ext4, filled by mke2fs; / may be encrypted. A system
that starts by UEFI has an EFI system partition with the distribution's signed loaders
behind them.
"""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import struct
import subprocess

from . import crypt
from .errors import LabError

SECTOR = 512
MIB = 1 << 20
CORE_MIB, BOOT_MIB, ROOT_MIB, ESP_MIB = 1, 192, 1400, 128
ENCRYPTED_ROOT_MIB = 720
ESP_GUID = "57ef0000-0000-4000-8000-0000000000e5"


@dataclasses.dataclass(frozen=True)
class System:
    """What a disk's system is known by: two of them may meet in one machine."""

    number: int = 1
    esp: bool = False  # starts by UEFI, with Secure Boot or without
    encrypted: bool = False  # its root, by a passphrase

    def root(self):
        """Where its root's partition is, and how long, in MiB. Each byte of an encrypted one costs time."""
        return 1 + CORE_MIB + BOOT_MIB, ENCRYPTED_ROOT_MIB if self.encrypted else ROOT_MIB

    def uuid(self, part):
        """Of the file system of a part: 1 is /boot, 2 is the root."""
        return f"57ef{self.number:04x}-0000-4000-8000-{part:012x}"

    def root_source(self):
        """How its root's file system is called, as distributions do."""
        return crypt.DEVICE if self.encrypted else f"UUID={self.uuid(2)}"

    def fstab(self):
        """Its /etc/fstab."""
        lines = [f"{self.root_source()} / ext4 errors=remount-ro 0 1",
                 f"UUID={self.uuid(1)} /boot ext4 defaults 0 2"]
        if self.esp:
            lines.append(f"PARTUUID={ESP_GUID} /boot/efi vfat umask=0077 0 2")
        return "\n".join(lines) + "\n"

    def command_line(self):
        """Of its kernel."""
        # The last two spare a slow emulated machine a test of its timer that is a matter of luck, and what
        # protects a real processor from guessing wrongly, which is a twelfth of each boot.
        return (f"root={self.root_source()} ro console=ttyS0 loglevel=5 systemd.show_status=yes"
                " no_timer_check mitigations=off")


LAPTOP = System()

_GRUB = pathlib.Path("/usr/lib/grub/i386-pc")
_GRUB_MODULES = ["biosdisk", "part_gpt", "ext2", "search_fs_uuid", "normal", "configfile", "linux"]
# What Debian 12's GRUB cannot read, and mke2fs writes on a newer Debian.
_EXT4 = "^metadata_csum_seed,^orphan_file"


def make(path, tree, system=LAPTOP):
    """Fills the file `path` from a tree, whose /boot is moved out for it.

    Returns (kernel release, {name in /boot: SHA-256}).
    """
    boot = pathlib.Path(f"{tree}.boot")
    os.rename(tree / "boot", boot)
    try:
        (tree / "boot").mkdir(mode=0o755)
        release = kernel_release(boot)
        (boot / "grub").mkdir()
        (boot / "grub/grub.cfg").write_text(_menu(release, system), encoding="utf-8")
        if system.esp:
            (boot / "efi").mkdir()
        _partition(path, system)
        _file_system(path, 1 + CORE_MIB, BOOT_MIB, boot, "boot", system.uuid(1))
        if system.encrypted:
            _encrypted_root(path, tree, system)
        else:
            _file_system(path, *system.root(), tree, "root", system.uuid(2))
        _install_grub(path, boot.with_suffix(".core"), system)
        if system.esp:
            _fill_esp(path, tree, system)
        return release, {str(file.relative_to(boot)): _sha256(file) for file in boot.rglob("*") if file.is_file()}
    finally:
        shutil.rmtree(boot)


def kernel_release(boot):
    """The release of the one kernel in a folder /boot."""
    found = [path.name.removeprefix("vmlinuz-") for path in boot.glob("vmlinuz-*")]
    if len(found) != 1:
        raise LabError(f"one kernel is expected in {boot}, not {found}")
    return found[0]


def _menu(release, system):
    return (f"linux /vmlinuz-{release} {system.command_line()}\n"
            f"initrd /initrd.img-{release}\n"
            "boot\n")


def _partition(path, system):
    path.unlink(missing_ok=True)
    _, root_mib = system.root()
    esp_mib = ESP_MIB if system.esp else 0
    with open(path, "wb") as disk:
        disk.truncate((1 + CORE_MIB + BOOT_MIB + root_mib + esp_mib + 1) * MIB)
    table = f"""\
label: gpt
label-id: 57ef0000-0000-4000-8000-{system.number - 1:012x}
start=1MiB, size={CORE_MIB}MiB, type=21686148-6449-6E6F-744E-656564454649
size={BOOT_MIB}MiB, type=linux
size={root_mib}MiB, type=linux
"""
    if system.esp:
        table += f"size={ESP_MIB}MiB, type=uefi, uuid={ESP_GUID}\n"
    subprocess.run(["sfdisk", "--quiet", path], input=table, text=True, check=True)


def _file_system(path, start_mib, size_mib, tree, label, uuid):
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", _EXT4, "-L", label, "-U", uuid,
                    "-E", f"hash_seed={uuid},root_owner=0:0,offset={start_mib * MIB}", "-d", tree,
                    path, f"{size_mib}M"], check=True)


def _encrypted_root(path, tree, system):
    start_mib, size_mib = system.root()
    volume = pathlib.Path(f"{tree}.root")
    try:
        with open(volume, "wb") as file:
            file.truncate(size_mib * MIB)
        _file_system(volume, 0, size_mib - crypt.HEADER_MIB, tree, "root", system.uuid(2))
        crypt.encrypt(volume, tree)
        _copy_in(volume, path, start_mib)
    finally:
        volume.unlink()


def _copy_in(volume, path, start_mib):
    subprocess.run(["dd", f"if={volume}", f"of={path}", "bs=1M", f"seek={start_mib}", "conv=notrunc,sparse",
                    "status=none"], check=True)


def _fill_esp(path, tree, system):
    """As the distribution's packages fill it; the firmware starts what is in EFI/BOOT."""
    volume = pathlib.Path(f"{tree}.esp")
    menu = f"search.fs_uuid {system.uuid(1)} root\nset prefix=($root)/grub\nconfigfile ($root)/grub/grub.cfg\n"
    with open(volume, "wb") as file:
        file.truncate(ESP_MIB * MIB)
    try:
        subprocess.run(["mkfs.vfat", "-F", "32", volume], stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["mmd", "-i", volume, "::EFI", "::EFI/BOOT", "::EFI/debian"], check=True)
        for place, source in (("BOOT/BOOTX64.EFI", "shim/shimx64.efi.signed"),
                              ("BOOT/grubx64.efi", "grub/x86_64-efi-signed/grubx64.efi.signed")):
            subprocess.run(["mcopy", "-i", volume, tree / "usr/lib" / source, f"::EFI/{place}"], check=True)
        subprocess.run(["mcopy", "-i", volume, "-", "::EFI/debian/grub.cfg"], input=menu.encode(), check=True)
        _copy_in(volume, path, sum(system.root()))
    finally:
        volume.unlink()


def _install_grub(path, core_path, system):
    early = core_path.with_suffix(".cfg")
    early.write_text(f"search.fs_uuid {system.uuid(1)} root\n"
                     "set prefix=($root)/grub\n"
                     "normal ($root)/grub/grub.cfg\n", encoding="utf-8")
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-p", "/grub", "-c", early, "-o", core_path, *_GRUB_MODULES],
                   check=True)
    core = bytearray(core_path.read_bytes())
    early.unlink()
    core_path.unlink()
    first = MIB // SECTOR
    # The first sector of the core loads the rest of it, by a list of blocks at
    # its end (grub: include/grub/offsets.h, struct grub_pc_bios_boot_blocklist).
    struct.pack_into("<Q", core, SECTOR - 12, first + 1)
    # The boot sector loads that first sector (GRUB_BOOT_MACHINE_KERNEL_SECTOR);
    # what follows its code is the table of the disk's partitions.
    sector = bytearray((_GRUB / "boot.img").read_bytes()[:440])
    struct.pack_into("<Q", sector, 0x5C, first)
    with open(path, "r+b") as disk:
        disk.write(sector)
        disk.seek(first * SECTOR)
        disk.write(core)


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
