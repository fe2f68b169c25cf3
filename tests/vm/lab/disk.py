"""A disk that a PC's firmware boots, made without mounting anything.

GPT: GRUB's core in a partition of its own (its first sector is named in the
boot sector), then /boot and / as ext4, filled by mke2fs.
"""

import hashlib
import os
import pathlib
import shutil
import struct
import subprocess

from .errors import LabError

SECTOR = 512
MIB = 1 << 20
CORE_MIB, BOOT_MIB, ROOT_MIB = 1, 192, 1400

BOOT_UUID = "57ef0001-0000-4000-8000-000000000001"
ROOT_UUID = "57ef0001-0000-4000-8000-000000000002"
FSTAB = f"""\
UUID={ROOT_UUID} /     ext4 errors=remount-ro 0 1
UUID={BOOT_UUID} /boot ext4 defaults          0 2
"""
# The last word spares a slow emulated machine a test of its timer that is a matter of luck.
COMMAND_LINE = (f"root=UUID={ROOT_UUID} ro console=ttyS0 loglevel=5 systemd.show_status=yes"
                " no_timer_check")

_GRUB = pathlib.Path("/usr/lib/grub/i386-pc")
_GRUB_MODULES = ["biosdisk", "part_gpt", "ext2", "search_fs_uuid", "normal", "configfile", "linux"]
# What Debian 12's GRUB cannot read, and mke2fs writes on a newer Debian.
_EXT4 = "^metadata_csum_seed,^orphan_file"


def make(path, tree):
    """Fills the file `path` from a tree, whose /boot is moved out for it.

    Returns (kernel release, {name in /boot: SHA-256}).
    """
    boot = pathlib.Path(f"{tree}.boot")
    os.rename(tree / "boot", boot)
    try:
        (tree / "boot").mkdir(mode=0o755)
        release = kernel_release(boot)
        (boot / "grub").mkdir()
        (boot / "grub/grub.cfg").write_text(_menu(release), encoding="utf-8")
        _partition(path)
        _file_system(path, 1 + CORE_MIB, BOOT_MIB, boot, "boot", BOOT_UUID)
        _file_system(path, 1 + CORE_MIB + BOOT_MIB, ROOT_MIB, tree, "root", ROOT_UUID)
        _install_grub(path, boot.with_suffix(".core"))
        return release, {str(file.relative_to(boot)): _sha256(file) for file in boot.rglob("*") if file.is_file()}
    finally:
        shutil.rmtree(boot)


def kernel_release(boot):
    """The release of the one kernel in a folder /boot."""
    found = [path.name.removeprefix("vmlinuz-") for path in boot.glob("vmlinuz-*")]
    if len(found) != 1:
        raise LabError(f"one kernel is expected in {boot}, not {found}")
    return found[0]


def _menu(release):
    return (f"linux /vmlinuz-{release} {COMMAND_LINE}\n"
            f"initrd /initrd.img-{release}\n"
            "boot\n")


def _partition(path):
    path.unlink(missing_ok=True)
    with open(path, "wb") as disk:
        disk.truncate((1 + CORE_MIB + BOOT_MIB + ROOT_MIB + 1) * MIB)
    table = f"""\
label: gpt
label-id: 57ef0000-0000-4000-8000-000000000000
start=1MiB, size={CORE_MIB}MiB, type=21686148-6449-6E6F-744E-656564454649
size={BOOT_MIB}MiB, type=linux
size={ROOT_MIB}MiB, type=linux
"""
    subprocess.run(["sfdisk", "--quiet", path], input=table, text=True, check=True)


def _file_system(path, start_mib, size_mib, tree, label, uuid):
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", _EXT4, "-L", label, "-U", uuid,
                    "-E", f"hash_seed={uuid},root_owner=0:0,offset={start_mib * MIB}", "-d", tree,
                    path, f"{size_mib}M"], check=True)


def _install_grub(path, core_path):
    early = core_path.with_suffix(".cfg")
    early.write_text(f"search.fs_uuid {BOOT_UUID} root\n"
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
