"""The laboratory's own checks: each one fails when what it looks for is there."""

import socket

from lab import secrets, traces
from lab.console import Console
from lab.errors import Died, LabError
from lab.loan import WITNESS, Loan

_SECRET = "$(grep -ohE '[0-9a-f]{64}' /var/lib/stiefelsystem/pairings/* | head -n 1)"

# What is wrong, how it gets wrong, and right again.
LEAKS = (
    ("a readable file", f"echo {_SECRET} > /etc/leak", "rm /etc/leak"),
    ("a pairing for everybody", "chmod 644 /var/lib/stiefelsystem/pairings/*",
     "chmod 600 /var/lib/stiefelsystem/pairings/*"),
    ("an argument of a process", f"bash -c 'sleep 900; :' {_SECRET} > /dev/null 2>&1 & echo $! > /run/leak",
     "kill $(cat /run/leak)"),
    ("the journal", f"logger {_SECRET}; journalctl --sync", ":"),
)
TRACES = (
    ("a file for networkd", "mkdir -p /run/systemd/network; touch /run/systemd/network/00-stiefelsystem.network",
     "rm /run/systemd/network/00-stiefelsystem.network"),
    ("an inhibitor", "systemd-inhibit --who=Stiefelsystem sleep 901 > /dev/null 2>&1 & echo $! > /run/held;"
     " until systemd-inhibit --list | grep -q Stiefelsystem; do sleep 0.1; done", "kill $(cat /run/held)"),
    ("an unmanaged interface", "mkdir -p /run/systemd/network;"
     " printf '[Match]\\nName=en*\\n[Link]\\nUnmanaged=yes\\n' > /run/systemd/network/00-lab.network; networkctl reload;"
     " until networkctl list | grep en | grep -q unmanaged;"
     " do sleep 0.1; done",
     "rm /run/systemd/network/00-lab.network; networkctl reload;"
     " while networkctl list | grep en | grep -q unmanaged; do sleep 0.1; done"),
    ("a unit that failed", "systemd-run --wait --unit=bad false; :", "systemctl reset-failed"),
    ("no daemon", "systemctl stop stiefeld", "systemctl start stiefeld"),
)


def play(lab, journey, installed):
    """Spoils one thing after the other in a laptop that is fine."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    laptop = loan.laptop

    def must_be_seen(what, check, *arguments, **settings):
        with journey.leg(f"seen: {what}"):
            try:
                check(*arguments, **settings)
            except LabError:
                return
            raise LabError(f"{check.__name__} does not see {what}")

    with journey.leg("seen: what a kernel said before it stopped"):
        _accident_is_told(lab)
    secret = secrets.of_initramfs(loan.stick() / "initramfs.img")
    log = lab.private / "console"
    for what, content in (("digits", secret.encode()), ("bytes", bytes.fromhex(secret))):
        log.write_bytes(b"before " + content + b" after")
        must_be_seen(f"the secret's {what} in a log", secrets.must_not_be_in_files, secret, [log])
    log.write_bytes(b'\0' * ((16 << 20) - 9) + b'"preshared_key":"' + secret.encode() + b'"')
    must_be_seen("keys of a loan on a disk", secrets.loan_keys_must_not_be_on, log)
    for check, spoiled in ((traces.must_be_gone, TRACES), (secrets.must_not_be_in_system, LEAKS)):
        check(laptop)
        for what, spoil, repair in spoiled:
            laptop.run(spoil)
            must_be_seen(what, check, laptop)
            laptop.run(repair)
    loan.check_boot_untouched()
    laptop.run("echo >> /boot/config-*")
    must_be_seen("a changed file in /boot", loan.check_boot_untouched)
    loan.witness_sum = "another"
    laptop.run(f"touch {WITNESS}")
    must_be_seen("another file", loan.check_witness)
    loan.check_clean()
    must_be_seen("a file system without an accident", loan.check_clean, clean=False)


# What a kernel says of an accident, shortened; the first is not the one that it stops for.
ACCIDENTS = """\
BUG: unable to handle page fault for address: 0000000000000001
RIP: 0010:first+0x1/0x2
---[ end trace 0000000000000000 ]---
""" + "of something else\n" * 50 + """\
BUG: unable to handle page fault for address: 0000000000000002
#PF: supervisor read access in kernel mode
Oops: Oops: 0000 [#2] PREEMPT SMP
RIP: 0010:second+0x1/0x2
Kernel panic - not syncing: Fatal exception in interrupt
"""


def _accident_is_told(lab):
    """The error has all of the last one."""
    near, far = socket.socketpair()
    with near, far:
        console = Console("broken", near, lab.out / "broken.log", lab.zero)
        far.sendall(ACCIDENTS.encode())
        try:
            console.wait("never", 10)
        except Died as error:
            told = str(error)
        far.close()
        console.drain()
    if "0002" not in told or "second" not in told or "first" in told:
        raise LabError(f"of an accident is told:\n{told}")
