"""Which of QEMU's accelerators really runs a guest here."""

import functools
import os
import subprocess
import threading

# The small translation cache is on purpose: after a kexec QEMU invalidates the
# old system's blocks one by one, which takes a minute with the default size.
EMULATION = "tcg,tb-size=64"
PROBE_SECONDS = 5


@functools.cache
def choose():
    """`kvm` where the firmware of a guest speaks under it within seconds.

    The device file alone says nothing: on a machine that is itself virtual it
    can be there, open, and hang at the first instruction.
    """
    named = os.environ.get("STIEFEL_ACCEL")
    if named:
        return named
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and _firmware_speaks("kvm"):
        return "kvm"
    return EMULATION


def _firmware_speaks(accel):
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-accel", accel, "-machine", "q35", "-cpu", "max", "-m", "64",
         "-nodefaults", "-no-user-config", "-display", "none",
         "-chardev", "stdio,id=debug", "-device", "isa-debugcon,iobase=0x402,chardev=debug"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    # The end of the program, by the clock at the latest, ends the read.
    clock = threading.Timer(PROBE_SECONDS, qemu.kill)
    clock.start()
    try:
        return any(b"SeaBIOS" in line for line in qemu.stdout)
    finally:
        clock.cancel()
        qemu.kill()
        try:
            qemu.wait(1)
        except subprocess.TimeoutExpired:
            pass  # It is stuck inside the kernel, which lets go of it in its own time.
