"""A desktop under Secure Boot gets a boot entry on its own disk, loses it without a trace, and borrows by it."""

import second_system
from lab import disk, firmware, words
from lab.errors import LabError
from lab.loan import BOOT_SECONDS, CONFIRMED, DESKTOP_ON, LENT_UP, SERVING, STEP_SECONDS, Loan, until

INSTALL = f"stiefelctl install-entry {second_system.FILE}"
# What the firmware says of it on its console.
OURS_STARTS = r'BdsDxe: starting Boot[0-9A-F]{4} "Borrow from '
# All that the firmware starts, and all that is on its partition.
STATE = """
    cd /boot/efi && find . -type f -exec sha256sum {} + | sort -k 2 && find . -type d | sort
    cd /sys/firmware/efi/efivars && sha256sum Boot[0-9ON]*
"""

# In the lent system: nothing can write boot entries, and what the firmware left running cannot write to memory.
LEFT_ALONE = """
    set -e
    [ -z "$(ls -A /sys/firmware/efi/efivars)" ] || { echo 'the firmware is asked'; exit 1; }
    hidden=$(grep -l stiefelsystem /sys/bus/pci/devices/*/driver_override)
    for controller in $hidden; do
        command=$(od -An -t u1 -j 4 -N 1 ${controller%/*}/config)
        [ $((command & 4)) = 0 ] || { echo "$controller: masters the bus"; exit 1; }
    done
"""


def play(lab, journey, installed):
    """The entry is the way to the loan; the rest is as from a stick."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    second_system.switch_on(loan, disk.System(2, esp=True), "networkd", firmware.SECURE_BOOT)
    desktop = loan.desktop
    before = desktop.run(STATE)
    refused(loan, "a read-only partition", "mount -o remount,ro /boot/efi", "mount -o remount,rw /boot/efi", "read-only",
            before)
    refused(loan, "a full partition", "head -c 100M /dev/zero > /boot/efi/fill", "rm /boot/efi/fill", "has only",
            before)
    refused(loan, "a partition for everybody", "umount /boot/efi; mount -o umask=022 /dev/vda4 /boot/efi",
            "umount /boot/efi; mount /boot/efi", "umask=0077", before)
    with journey.leg("desktop: entry installed, and removed without a trace"):
        desktop.run(INSTALL, BOOT_SECONDS)
        if desktop.run(STATE) == before:
            raise LabError("install-entry changed nothing")
        desktop.run("stiefelctl remove-entry")
        _is_as_before(desktop, before)
    with journey.leg("desktop: entry installed for the next boot"):
        desktop.run(f"{INSTALL} --next", BOOT_SECONDS)
    _restart(loan)
    loan.hand_over()
    loan.boot_lent_system()
    with journey.leg("the lent system's kernel is locked down"):
        found = desktop.run("cat /sys/kernel/security/lockdown")
        if "[integrity]" not in found:
            raise LabError(f"the lent system's kernel is not locked down: {found}")
    with journey.leg("the desktop's disks and firmware are left alone"):
        desktop.run(LEFT_ALONE)
    loan.write_witness()
    loan.give_back_and_end()
    journey.span("seconds_confirmed_to_serving", CONFIRMED, SERVING)
    journey.span("seconds_desktop_on_to_multi_user", DESKTOP_ON, LENT_UP)


def refused(loan, what, spoil, repair, says, before):
    """install-entry fails with these words, and leaves nothing behind."""
    with loan.journey.leg(f"desktop: refused on {what}"):
        loan.desktop.run(spoil)
        status, said = loan.desktop.run(INSTALL, BOOT_SECONDS, check=False)
        loan.desktop.run(repair)
        if status == 0 or says not in said:
            raise LabError(f"install-entry ended with {status} on {what}: {said}")
        _is_as_before(loan.desktop, before)


def _is_as_before(desktop, before):
    after = desktop.run(STATE)
    if after != before:
        changed = sorted(set(after.splitlines()) ^ set(before.splitlines()))
        raise LabError("not as before:\n" + "\n".join(changed))


def _restart(loan):
    """The firmware starts the entry, and the ramdisk finds the laptop."""
    announced = loan.laptop.shell.tell(until("announced"))
    desktop = loan.desktop
    here = desktop.console.position()
    desktop.shell.tell("systemctl reboot")
    with loan.journey.leg("desktop: its own shutdown, firmware") as leg:
        _, leg.end = desktop.console.wait(OURS_STARTS, STEP_SECONDS, here)
    # The ramdisk's first line ends one that GRUB has begun, so its time is not known.
    with loan.journey.leg(DESKTOP_ON) as leg:
        _, leg.end = desktop.console.wait(words.SEARCHING, STEP_SECONDS, here)
    with loan.journey.leg("laptop: found by the desktop"):
        status, said = loan.laptop.shell.answer(announced, STEP_SECONDS)
        if status:
            raise LabError(f"the laptop never announced a hand-off: {said}")
