"""What a machine starts its boot loaders with."""

import pathlib
import shutil

BIOS, UEFI, SECURE_BOOT = "bios", "uefi", "secure-boot"

# Debian's package ovmf; `.ms` holds the keys that machines are sold with.
_FOLDER = pathlib.Path("/usr/share/OVMF")
_CODE = {UEFI: "OVMF_CODE_4M.fd", SECURE_BOOT: "OVMF_CODE_4M.secboot.fd"}
_SETTINGS = {UEFI: "OVMF_VARS_4M.fd", SECURE_BOOT: "OVMF_VARS_4M.ms.fd"}


def machine(firmware):
    """QEMU's kind of machine: settings are safe from the system by its management mode only."""
    return "q35,smm=on" if firmware == SECURE_BOOT else "q35"


def words(firmware, settings):
    """QEMU's words for a firmware whose settings are kept in the file `settings`."""
    if firmware == BIOS:
        return []
    shutil.copyfile(_FOLDER / _SETTINGS[firmware], settings)
    locked = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if firmware == SECURE_BOOT else []
    return [*locked,
            "-drive", f"if=pflash,format=raw,readonly=on,file={_FOLDER / _CODE[firmware]}",
            "-drive", f"if=pflash,format=raw,file={settings}"]
