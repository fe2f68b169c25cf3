"""Something on the desktop wants more memory than there is, while much is written: the disk goes on.

What keeps it attached has its memory locked, and is not what the kernel kills.
"""

from lab import stress, supervisor, words
from lab.errors import LabError
from lab.loan import STEP_SECONDS

HOGS = 2
# Taken before: filling all of a machine's memory takes an emulated one a minute.
BALLAST = "/dev/shm/ballast"
BALLAST_MIB = 800
STREAM = "/srv/stream"
ENOUGH = "/run/enough"
STREAM_MIB = 32
STRESS_SECONDS = 40
# PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE (include/linux/sched.h): what PR_SET_IO_FLUSHER sets.
IO_FLUSHER = 0x00080000 | 0x00100000
# A service of its own, so that nobody else is stopped with what the kernel kills.
# Not a constant, which would be there once; and no variable, which systemd would replace.
HOG = "systemd-run --quiet --wait --collect perl -e 'push @all, \"x\" x (33554432 + time % 7) while 1'"


def feed_hogs(loan):
    """Writes all the time, and sees the kernel kill one hog after the other, and nobody else."""
    desktop, journey = loan.desktop, loan.journey
    with journey.leg("desktop: what keeps the disk attached is spared"):
        before = supervisor.processes(desktop)
        for pid in before:
            _check_spared(desktop, pid)
    there = desktop.console.position()
    with journey.leg("desktop: hogs during heavy writes"):
        desktop.run(f"fallocate -l {BALLAST_MIB}M {BALLAST}")
        writing = stress.begin(loan, STRESS_SECONDS)
        streaming = desktop.shell.tell(f"""
            until [ -e {ENOUGH} ]; do
                dd if=/dev/urandom of={STREAM} bs=1M count={STREAM_MIB} conv=fsync,notrunc status=none || exit
            done
        """)
        for _ in range(HOGS):
            desktop.run(f"! {HOG}", STEP_SECONDS * 2)
        desktop.run(f"touch {ENOUGH}; rm {BALLAST}")
        stress.end(loan, writing)
        status, output = desktop.shell.answer(streaming, STEP_SECONDS)
        if status:
            raise LabError(f"the stream ended with {status}: {output}")
    with journey.leg("desktop: the hogs were killed, and nobody else"):
        killed = desktop.run("dmesg | grep -o 'Killed process [0-9]* ([^)]*)'").splitlines()
        if len(killed) != HOGS or any("(perl)" not in line for line in killed):
            raise LabError(f"the kernel killed {killed}")
        if supervisor.processes(desktop) != before:
            raise LabError("what keeps the disk attached has changed")
        if desktop.console.find(words.FROZEN, there):
            raise LabError("the disk stood still")


def _check_spared(desktop, pid):
    adjustment, locked, resident, flags = desktop.run(f"""
        cat /proc/{pid}/oom_score_adj
        sed -n 's/^VmLck:[^0-9]*\\([0-9]*\\).*/\\1/p; s/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/{pid}/status
        cut -d' ' -f9 /proc/{pid}/stat
    """).split()
    if int(adjustment) != -1000 or int(locked) < int(resident) or int(flags) & IO_FLUSHER != IO_FLUSHER:
        raise LabError(f"process {pid}: {adjustment=} {locked=} {resident=} flags={int(flags):x}")
