"""Which of QEMU's accelerators really runs a guest here."""

import functools
import os
import subprocess
import threading

# The small translation cache is on purpose: after a kexec QEMU invalidates the
# old system's blocks one by one, which takes a minute with the default size.
EMULATION = "tcg,tb-size=64"
PROBE_SECONDS = 8


@functools.cache
def choose(kernel):
    """`kvm` where this kernel speaks under it within seconds, else emulation.

    The device file alone says nothing, nor does a firmware that runs: on a
    machine that is itself virtual KVM can be there, start, and then hang or
    stop at an instruction that it cannot run in real mode.
    """
    named = os.environ.get("STIEFEL_ACCEL")
    if named:
        return named
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and _speaks(kernel, "kvm"):
        return "kvm"
    return EMULATION


def _speaks(kernel, accelerator):
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-accel", accelerator, "-machine", "q35", "-cpu", "max", "-m", "512",
         "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio",
         "-kernel", str(kernel), "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    # The end of the program, by the clock at the latest, ends the read.
    clock = threading.Timer(PROBE_SECONDS, qemu.kill)
    clock.start()
    try:
        return any(b"Linux version" in line for line in qemu.stdout)
    finally:
        clock.cancel()
        qemu.kill()
        try:
            qemu.wait(1)
        except subprocess.TimeoutExpired:
            pass  # It is stuck inside the kernel, which lets go of it in its own time.
