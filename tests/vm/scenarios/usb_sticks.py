"""A laptop makes sticks of real drives: of bad ones it says why not, good ones are known again and renewed.

What a stick remembers of a start that went wrong is kept, and shown.
"""

import re

import stick_errors
from lab.errors import LabError
from lab.loan import BOOT_SECONDS, PAIRING, STEP_SECONDS, Loan
from lab.stick import Stick
from lab.usb_stick import MIB, UsbStick

# What the daemon may need at most beyond what it has at rest, KiB: a stick holds far more.
MEMORY_KIB = 8 << 10


def play(lab, journey, installed):
    """The second machine never borrows."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    laptop = loan.laptop
    _in_the_way(loan)
    with journey.leg("a bad drive is told, and is no stick"):
        stick = _plugged(loan, "BAD1", 256, broken_at=30 * MIB)
        _refused(laptop, "BAD1", "worn out")
        _is_no_stick(laptop, "BAD1")
        stick.pull()
    with journey.leg("one that is pulled out is told"):
        stick = _plugged(loan, "GONE1", 256, write_bps=8 * MIB)
        question = laptop.shell.tell(f"{_create('GONE1')} > /run/said 2>&1")
        laptop.run("until grep -qE '[1-4]0 %' /run/said; do sleep 0.1; done", STEP_SECONDS)
        stick.pull()
        status, _ = laptop.shell.answer(question, STEP_SECONDS)
        said = laptop.run("cat /run/said")
        if status == 0 or "pulled out" not in said:
            raise LabError(f"a stick that was pulled out: {status}, {said}")
    with journey.leg("a good one is made, in little memory") as leg:
        good = _plugged(loan, "GOOD1", 256)
        before = _memory(laptop)
        laptop.run(_create("GOOD1"), BOOT_SECONDS)
        grown = _memory(laptop) - before
    journey.facts |= {"usb_stick_seconds": round(leg.seconds(), 1), "daemon_grown_kib": grown}
    if grown > MEMORY_KIB:
        raise LabError(f"the daemon needed {grown} KiB for a stick")
    _renew(loan, good)
    with journey.leg("the pairing is unharmed"):
        laptop.run(f"stiefelctl pairings | grep -w {PAIRING}")
    with journey.leg("refused: to renew a stick whose pairing is forgotten"):
        status, said = laptop.run(f"stiefelctl forget --yes {PAIRING} && stiefelctl refresh-stick GOOD1", check=False)
        if status == 0 or "was forgotten" not in said:
            raise LabError(f"a stick of nobody: {status}, {said}")
    good.pull()
    Stick(good.path).must_be_sound()
    stick_errors.must_show(lab, journey, good.path)
    loan.check_boot_untouched()


def _in_the_way(loan):
    laptop = loan.laptop
    with loan.journey.leg("refused: too small"):
        stick = _plugged(loan, "SMALL1", 64)
        _refused(laptop, "SMALL1", "too small")
        stick.pull()
    with loan.journey.leg("refused: read-only"):
        stick = _plugged(loan, "LOCKED1", 256, read_only=True)
        _refused(laptop, "LOCKED1", "refuses to be written")
        stick.pull()
    with loan.journey.leg("refused: mounted, swap, the system's own disk"):
        _plugged(loan, "USED1", 256)
        device = "/dev/disk/by-id/usb-*USED1*"
        laptop.run(f"mkfs.ext4 -q -F {device} && mkdir -p /media/stick && mount {device} /media/stick")
        _refused(laptop, "USED1", "mounted; unmount")
        laptop.run("umount /media/stick && mkdir -p /srv/stick && mount " f"{device} /srv/stick")
        _refused(laptop, "USED1", "this system uses it|is in use")
        laptop.run(f"umount /srv/stick && mkswap -q $(readlink -f {device}) && swapon $(readlink -f {device})")
        _refused(laptop, "USED1", "this system uses it|is in use")
        laptop.run(f"swapoff $(readlink -f {device})")
        _refused(laptop, "/dev/vda", "no removable drive", "x")
        _refused(laptop, "/dev/vda3", "no removable drive", "x")
        _refused(laptop, "USED1", "nothing was done", "USED2")


def _renew(loan, good):
    laptop = loan.laptop
    table = "lsblk -nro PARTLABEL,PARTUUID /dev/disk/by-id/usb-*GOOD1-0:0 | grep stiefel"
    with loan.journey.leg("it is taken out"):
        _take_out(laptop, good)
    stick = stick_errors.go_wrong(loan.lab, loan.journey, good.path)
    with loan.journey.leg("it is known when it is back"):
        _put_in(laptop, good)
    with loan.journey.leg("an old stick is named, and renewed as the one that it is"):
        before = laptop.run(table)
        laptop.run("! stiefelctl update | grep refresh-stick", BOOT_SECONDS)
        # As if it had been made before an upgrade.
        laptop.run(r"sed -i 's/\"kernel\":\"[^\"]*\"/\"kernel\":\"6.0-old\"/' /var/lib/stiefelsystem/sticks.json")
        said = laptop.run("stiefelctl update | grep refresh-stick", BOOT_SECONDS)
        if PAIRING not in said or "6.0-old" not in said:
            raise LabError(f"stiefelctl update says: {said}")
        laptop.run("stiefelctl refresh-stick GOOD1", BOOT_SECONDS)
        _take_out(laptop, good)
        stick_errors.must_remember(stick)
        _put_in(laptop, good)
        if laptop.run(table) != before:
            raise LabError("it is another stick now")
        laptop.run("! stiefelctl update | grep refresh-stick", BOOT_SECONDS)
    with loan.journey.leg("refused: to renew what is no stick"):
        _is_no_stick(laptop, "USED1")


def _plugged(loan, serial, mib, **settings):
    """The laptop's daemon has seen it."""
    stick = UsbStick(loan.lab, loan.laptop, serial, mib, **settings)
    loan.laptop.run(f"until stiefelctl drives | grep -qw {serial}; do sleep 0.1; done; udevadm settle", STEP_SECONDS)
    return stick


def _take_out(laptop, stick):
    """As a person does who has been told that it is done; it was ejected before."""
    laptop.run(f"until stiefelctl drives | grep -w {stick.name} | grep -qw no-medium; do sleep 0.1; done", STEP_SECONDS)
    stick.pull()
    laptop.run(f"while stiefelctl drives | grep -qw {stick.name}; do sleep 0.1; done", STEP_SECONDS)


def _put_in(laptop, stick):
    stick.plug()
    laptop.run(f"until stiefelctl drives | grep -qw {stick.name}; do sleep 0.1; done; udevadm settle", STEP_SECONDS)


def _create(target, yes=None):
    return f"stiefelctl create-usbdrive --yes {yes or target} {PAIRING} {target}"


def _refused(laptop, target, words, yes=None):
    status, said = laptop.run(_create(target, yes), BOOT_SECONDS, check=False)
    if status == 0 or not re.search(words, said):
        raise LabError(f"create-usbdrive {target} ended with {status}, and not for '{words}': {said}")


def _is_no_stick(laptop, serial):
    status, said = laptop.run(f"stiefelctl refresh-stick {serial}", check=False)
    if status == 0 or "no stick of ours" not in said:
        raise LabError(f"refresh-stick {serial} ended with {status}: {said}")


def _memory(laptop):
    """The daemon's largest memory so far, KiB."""
    return int(laptop.run("awk '/VmHWM/ { print $2 }' /proc/$(systemctl show -P MainPID stiefeld)/status"))
