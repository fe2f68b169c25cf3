"""Who has signed what is on a stick, as other programs see it (Debian's package sbsigntool).

The firmware knows Microsoft's certificates, Microsoft has signed shim, shim holds
the distribution's certificate, and that has signed the boot loader and the kernel.
"""

import pathlib
import ssl
import struct
import subprocess

from .errors import LabError

# Firmware settings with the keys that machines are sold with.
_SETTINGS = pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
# EFI_CERT_X509_GUID (UEFI Specification 2.10, section 32.4.1), as it is in memory.
_X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
_OWNER_BYTES = 16

SHIM, GRUB, KERNEL = "EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi", "stiefel/vmlinuz"


def must_be_trusted(stick, folder):
    """The whole chain holds for a stick, and breaks where a byte is another one; `folder` is for files."""
    microsoft = [_written(folder / f"firmware{number}.pem", der)
                 for number, der in enumerate(_in_firmware(_SETTINGS.read_bytes()))]
    shim = _written(folder / "shim.efi", stick.read(SHIM))
    distribution = [_written(folder / "distribution.pem", _in_shim(shim, folder))]
    for path, certificates in ((SHIM, microsoft), (GRUB, distribution), (KERNEL, distribution)):
        content = bytearray(stick.read(path))
        program = _written(folder / "program.efi", content)
        if not any(_verifies(program, certificate) for certificate in certificates):
            raise LabError(f"{path} is not signed by whom the step before trusts")
        content[len(content) // 2] ^= 0xff
        _written(program, content)
        if any(_verifies(program, certificate) for certificate in certificates):
            raise LabError(f"sbverify finds nothing wrong with an altered {path}")


def _verifies(program, certificate):
    done = subprocess.run(["sbverify", "--cert", certificate, program], capture_output=True, check=False)
    return done.returncode == 0


def _in_firmware(settings):
    """All X.509 certificates in the lists of a firmware's settings."""
    found, at = [], settings.find(_X509)
    while at >= 0:
        size, header, entry = struct.unpack_from("<III", settings, at + 16)
        if 28 < entry <= size < len(settings):
            start = at + 28 + header + _OWNER_BYTES
            found.append(settings[start:start + entry - _OWNER_BYTES])
        at = settings.find(_X509, at + 16)
    if not found:
        raise LabError(f"no certificates in {_SETTINGS}")
    return found


def _in_shim(shim, folder):
    """The certificate that shim was built with: a section with sizes, offsets and content (shim: cert.S)."""
    section = folder / "vendor_cert"
    subprocess.run(["objcopy", "--output-target=binary", "--only-section=.vendor_cert", shim, section], check=True)
    content = section.read_bytes()
    size, _, offset, _ = struct.unpack_from("<IIII", content)
    return content[offset:offset + size]


def _written(path, content):
    if path.suffix == ".pem":
        path.write_text(ssl.DER_cert_to_PEM_cert(content), encoding="ascii")
    else:
        path.write_bytes(content)
    return path
