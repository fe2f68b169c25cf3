"""A desktop whose own Linux runs, with NetworkManager busy on the cable, borrows without a stick."""

import json

import second_system
from lab import disk, firmware
from lab.errors import LabError
from lab.loan import STEP_SECONDS, Loan, until

BORROW = f"stiefelctl borrow --yes {second_system.FILE}"


def play(lab, journey, installed):
    """First what is refused and called off, then the loan."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    second_system.switch_on(loan, disk.System(2), "NetworkManager-alone", firmware.BIOS)
    desktop = loan.desktop
    with journey.leg("desktop: looked at"):
        plan = json.loads(desktop.run(f"stiefelctl borrow --dry-run --json {second_system.FILE}"))
        if plan["locked_down"] or len(plan["interfaces"]) != 1 or not plan["interfaces"][0]["carrier"]:
            raise LabError(f"borrow --dry-run says: {plan}")
    with journey.leg("desktop: refused without kexec"):
        _refused_without_kexec(desktop)
    with journey.leg("desktop: called off"):
        loan.laptop.run("stiefelctl disarm")
        desktop.run(_call_off(), STEP_SECONDS)
        loan.laptop.run("stiefelctl arm")
    with journey.leg("desktop: searching, laptop found"):
        announced = loan.laptop.shell.tell(until("announced"))
        # In front of its lines is what the ramdisk has in front of the same ones.
        desktop.shell.tell(f"{BORROW} 2>&1 | sed -u 's/^/stiefel: /' > /dev/console")
        status, said = loan.laptop.shell.answer(announced, STEP_SECONDS)
        if status:
            raise LabError(f"the laptop never announced a hand-off: {said}")
    loan.hand_over()
    loan.boot_lent_system()
    loan.check_secrets_on_desktop()
    loan.write_witness()
    loan.give_back_and_end()


def _refused_without_kexec(desktop):
    status, said = desktop.run(f"""
        echo 1 > /run/disabled
        mount --bind /run/disabled /proc/sys/kernel/kexec_load_disabled
        {BORROW}
        status=$?
        umount /proc/sys/kernel/kexec_load_disabled
        exit $status
    """, check=False)
    if status == 0 or "switched off" not in said:
        raise LabError(f"borrow without kexec ended with {status}: {said}")


def _call_off():
    """Ctrl-C in mid-search: everything is as before."""
    return f"""
        set -e
        card=$(basename $(readlink -f /sys/class/net/en*))
        managed() {{ nmcli -g GENERAL.STATE device show $card; }}
        before=$(cat /sys/class/net/$card/flags /proc/sys/net/ipv6/conf/$card/disable_ipv6)
        until managed | grep -qE '^([3-9]0)'; do sleep 0.2; done
        {BORROW} > /run/said 2>&1 &
        until managed | grep -q '^10 '; do sleep 0.2; done
        kill -INT $!
        status=0
        wait $! || status=$?
        cat /run/said
        [ $status = 130 ]
        until managed | grep -qvE '^10 '; do sleep 0.2; done
        [ "$(cat /sys/kernel/kexec_loaded)" = 0 ]
        [ "$(cat /proc/sys/net/ipv6/conf/$card/disable_ipv6)" = "${{before##*$'\\n'}}" ]
    """
