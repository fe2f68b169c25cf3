"""The lender's screen, keys, beeper and sound card: shows how the loan stands, asks first, is heard, and saves itself.

Nobody is in front of the borrower, so nothing that it is asked for happens: the lender switches itself off before its
battery is empty. Disks of both kinds that know how they are are asked.
"""

from lab import tones, words
from lab.battery import Battery
from lab.errors import LabError
from lab.lender import Lender
from lab.loan import STEP_SECONDS
from lab.machine import MEMORY_MIB
from lab.screen import Screen

DARK_SECONDS = 30
HEALTHY = r"{}, 2\.1 GB · healthy · \d+ °C"
CRITICAL = words.OURS + r"BATTERY AT 3 %.*, or the loan ends"
ACTION = words.OURS + r"BATTERY AT 3 %.*; this machine switches itself off"
ASKED = words.OURS + "The borrower is asked to shut down now"
OFF = words.OURS + r"The battery is nearly empty; all that was saved is on the disk\. Switching off"
# What is played on both (ramdisk/src/serve/panel/tune.rs): the borrower is missed, and is back; it is asked; the mains
# are lost; the battery is nearly empty.
TUNES = [(880, 880, 660), (660, 1320), (880,), (1320, 880, 660), (1320,)]
# By which the kernel tells that the sound card has a driver.
CARD = r"hdaudioC\dD\d: autoconfig"
# Of a tone's frequency, between a timer's whole ticks and a recording's whole samples.
TOLERANCE = 0.03


def play(lab, journey, installed):
    """The machine has a VGA card, a keyboard, a power button, a beeper, a sound card and a battery."""
    beeper, card = lab.out / "beeper.wav", lab.out / "card.wav"
    lender = Lender(lab, journey, installed)
    battery = Battery(lab.private, MEMORY_MIB)
    machine = lender.switch_on("nvme", f"consoleblank={DARK_SECONDS}", (
        "-device", "VGA", "-audiodev", f"wav,id=beeper,path={beeper}", "-machine", "pcspk-audiodev=beeper",
        "-audiodev", f"wav,id=card,path={card}", "-device", "intel-hda", "-device", "hda-output,audiodev=card",
        *battery.words()))
    screen = Screen(machine, lab.private)
    _waits(journey, machine, screen)
    lender.attach()
    _lends(journey, lab, machine, screen)
    _asks(journey, lab, machine, screen)
    _runs_empty(journey, machine, screen, battery)
    with journey.leg("the beeper was heard"):
        _heard(journey, beeper)
    with journey.leg("the sound card was heard"):
        _heard(journey, card)
    _starts_its_own_system(lab, journey, lender)


def _waits(journey, machine, screen):
    with journey.leg("laptop: shows that it waits, and how its disk is"):
        screen.wait("Waiting for Workstation", STEP_SECONDS)
        screen.wait(HEALTHY.format("nvme0n1"), STEP_SECONDS)
        page = screen.wait("Esc, then Enter", STEP_SECONDS)
        _has_nothing_else(page)
    with journey.leg("laptop: its sound card has a driver"):
        machine.console.wait(CARD, STEP_SECONDS)
    with journey.leg("laptop: goes dark, and a key wakes it and does nothing else"):
        screen.wait_dark(STEP_SECONDS)
        _press(machine, "sleep", "esc")
        screen.wait_dark(STEP_SECONDS, dark=False)
        _press(machine, "ret")
        screen.wait("Waiting for Workstation", STEP_SECONDS)
        if machine.console.find("Taking the disk back"):
            raise LabError("keys on a dark screen took the disk back")
    with journey.leg("laptop: asks, and takes no for an answer"):
        _press(machine, "esc")
        screen.wait(r"start the system of this machine\?", STEP_SECONDS)
        _press(machine, "x")
        screen.wait(r"start the system of this machine\?", STEP_SECONDS, gone=True)
        _press(machine, "ret")


def _lends(journey, lab, machine, screen):
    with journey.leg("laptop: shows who has the disk"):
        page = screen.wait("Workstation has the disk of this machine", STEP_SECONDS)
        _has_nothing_else(page)
        screen.keep(lab.out / "held.png")
    with journey.leg("laptop: what the kernel says does not tear the page"):
        here = machine.console.position()
        machine.plug_usb_nic("52:54:00:00:57:0a")
        machine.console.wait(r"usb \d+-\d+: New USB device", STEP_SECONDS, here)
        page = screen.wait("USB", STEP_SECONDS)
        _has_nothing_else(page)
    with journey.leg("laptop: the borrower is missed, on a screen that was dark"):
        screen.wait_dark(STEP_SECONDS)
        here = machine.console.position()
        machine.set_carrier(False)
        machine.set_carrier(False, "usbnic")
        machine.console.wait(words.VANISHED, STEP_SECONDS, here)
        screen.wait("Workstation is missing", STEP_SECONDS)
        screen.wait_dark(STEP_SECONDS, dark=False)
        screen.keep(lab.out / "missing.png")
        machine.set_carrier(True)
        screen.wait("Workstation has the disk", STEP_SECONDS)


def _asks(journey, lab, machine, screen):
    with journey.leg("laptop: asks for the disk, and calls that off"):
        _press(machine, "esc")
        screen.wait(r"Ask Workstation to give the disk back\?", STEP_SECONDS)
        screen.keep(lab.out / "asking.png")
        _press(machine, "ret")
        screen.wait("is asked to give the disk back", STEP_SECONDS)
        _call_off(machine, screen)
        screen.wait("is asked to give the disk back", STEP_SECONDS, gone=True)
    with journey.leg("laptop: the power key asks with a deadline"):
        machine.monitor.ask("system_powerdown")
        screen.wait(r"is asked to shut down\. It does so in", STEP_SECONDS)
        screen.keep(lab.out / "asked.png")
        _call_off(machine, screen)
        screen.wait("is asked to shut down", STEP_SECONDS, gone=True)


def _runs_empty(journey, machine, screen, battery):
    here = machine.console.position()
    with journey.leg("laptop: mains lost"):
        battery.set(50, False)
        screen.wait(r"Power .* 50 % on battery", STEP_SECONDS)
    with journey.leg("laptop: one strange reading is not believed"):
        battery.set(3, False)
        machine.console.wait(CRITICAL, STEP_SECONDS, here)
    with journey.leg("laptop: asks for its disk"):
        machine.console.wait(ACTION, STEP_SECONDS, here)
        machine.console.wait(ASKED, STEP_SECONDS, here)
    with journey.leg("laptop: switches itself off"):
        machine.console.wait(OFF, STEP_SECONDS, here)
        machine.wait_off(STEP_SECONDS)


def _starts_its_own_system(lab, journey, lender):
    lender.desktop.kill()
    machine = lender.switch_on("ide-hd", devices=("-device", "VGA"))
    with journey.leg("laptop: shows how a SATA disk is"):
        Screen(machine, lab.private).wait(HEALTHY.format("sda"), STEP_SECONDS)
    with journey.leg("laptop: Ctrl+Alt+Del takes the disk back at once"):
        here = machine.console.position()
        _press(machine, "ctrl-alt-delete")
        machine.console.wait(words.OURS + r"The disk was taken back\. Starting our own system", STEP_SECONDS, here)


def _press(machine, *keys):
    for key in keys:
        machine.monitor.ask_person(f"sendkey {key}")


def _call_off(machine, screen):
    _press(machine, "esc")
    screen.wait(r"Let Workstation keep the disk\?", STEP_SECONDS)
    _press(machine, "ret")


def _has_nothing_else(page):
    """Only what the panel writes: what is beside its block, or has the kernel's time before it, is not."""
    strange = [row for row in page if row and (not row.startswith("  ") or "] " in row)]
    if strange:
        raise LabError("this does not belong on the screen:\n" + "\n".join(strange) + "\n---\n" + "\n".join(page))


def _heard(journey, recording):
    """Every tune is there, in its place."""
    heard = tones.heard(recording)
    journey.facts[f"{recording.stem}_hertz"] = heard
    # A beeper's recording has no silence between two tones.
    left = _collapsed(heard)
    for tone in _collapsed(tone for tune in TUNES for tone in tune):
        while left and abs(left[0] - tone) > tone * TOLERANCE:
            left.pop(0)
        if not left:
            raise LabError(f"{tone} Hz is not in its place in what was heard: {heard}")
        left.pop(0)


def _collapsed(tones_heard):
    """Without those that are as high as the one before."""
    kept = []
    for tone in tones_heard:
        if not kept or abs(kept[-1] - tone) > tone * TOLERANCE:
            kept.append(tone)
    return kept
