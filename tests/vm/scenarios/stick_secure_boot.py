"""A desktop with Secure Boot and the usual keys borrows from a stick, and starts nothing that was altered."""

import stick_loan
from lab import DESKTOP_MAC, firmware, signatures
from lab.loan import STEP_SECONDS
from lab.machine import Boot

# What firmware and boot loader say of a program whose signature is not that of its content.
REFUSED = {
    "EFI/BOOT/BOOTX64.EFI": r"Access Denied|Security Violation",
    "EFI/BOOT/grubx64.efi": r"Verification failed|Security Violation|Security Policy Violation",
    "stiefel/vmlinuz": r"bad shim signature",
}
# It says so twice, and a serial line may lose a character while the kernel starts.
LOCKED = r"Kernel is locked down from EFI Secure Boot|Lockdown: swapper/0: hibernation is restricted"


def play(lab, journey, installed):
    """First each program is altered, then nothing is."""
    loan, stick = stick_loan.prepare(lab, journey, installed)
    with journey.leg("stick: other programs find it signed"):
        folder = lab.private / "signatures"
        folder.mkdir()
        signatures.must_be_trusted(stick, folder)
    for path, words in REFUSED.items():
        with journey.leg(f"refused: an altered {path}"):
            # In the middle of a program is code.
            spoilt = stick.spoil(path, len(stick.read(path)) // 2)
            name = "altered-" + path.rsplit("/", maxsplit=1)[-1].lower()
            machine = lab.machine(name, Boot(stick=spoilt.path, firmware=firmware.SECURE_BOOT), DESKTOP_MAC)
            machine.console.wait(words, STEP_SECONDS, hopeless=False, unfinished=True)
            machine.kill()
    stick_loan.play(loan, stick, firmware.SECURE_BOOT, lambda: _look(loan))


def _look(loan):
    with loan.journey.leg("both kernels are locked down"):
        if not loan.desktop.console.find(LOCKED):
            raise AssertionError("the stick's kernel never said that it is locked down")
        # The lent system's kernel is quiet.
        found = loan.desktop.run("cat /sys/kernel/security/lockdown")
        if "[integrity]" not in found:
            raise AssertionError(f"the lent system's kernel is not locked down: {found}")
