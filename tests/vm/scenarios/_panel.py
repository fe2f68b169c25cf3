"""The lender's screen, keys and beeper: shows how the loan stands, asks before it acts, sleeps and wakes, and is heard."""

from lab import tones
from lab.errors import LabError
from lab.lender import Lender
from lab.loan import STEP_SECONDS
from lab.screen import Screen

DARK_SECONDS = 30
# What the beeper plays (ramdisk/src/serve/panel/tune.rs): the borrower is missed, and is back; it is asked.
TUNES = [(880, 880, 660), (660, 1320), (880,)]
# Of a tone's frequency, between a timer's whole ticks and a recording's whole samples.
TOLERANCE = 0.03


def play(lab, journey, installed):
    """The machine has a VGA card, a keyboard, a power button and a beeper."""
    recording = lab.out / "beeper.wav"
    lender = Lender(lab, journey, installed)
    machine = lender.switch_on(command_line=f"consoleblank={DARK_SECONDS}", devices=(
        "-device", "VGA", "-audiodev", f"wav,id=beeper,path={recording}", "-machine", "pcspk-audiodev=beeper"))
    screen = Screen(machine, lab.private)

    def press(*keys):
        for key in keys:
            machine.monitor.ask_person(f"sendkey {key}")

    with journey.leg("laptop: shows that it waits"):
        screen.wait("Waiting for Workstation", STEP_SECONDS)
        page = screen.wait("Esc, then Enter", STEP_SECONDS)
        _has_nothing_else(page)
    with journey.leg("laptop: goes dark, and a key wakes it and does nothing else"):
        screen.wait_dark(STEP_SECONDS)
        press("sleep")
        press("esc")
        screen.wait_dark(STEP_SECONDS, dark=False)
        press("ret")
        screen.wait("Waiting for Workstation", STEP_SECONDS)
        if machine.console.find("Taking the disk back"):
            raise LabError("keys on a dark screen took the disk back")
    with journey.leg("laptop: asks, and takes no for an answer"):
        press("esc")
        screen.wait(r"start the system of this machine\?", STEP_SECONDS)
        press("x")
        screen.wait(r"start the system of this machine\?", STEP_SECONDS, gone=True)
        press("ret")
    lender.attach()
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
        machine.set_carrier(False)
        machine.set_carrier(False, "usbnic")
        screen.wait("Workstation is missing", 2 * STEP_SECONDS)
        screen.wait_dark(STEP_SECONDS, dark=False)
        screen.keep(lab.out / "missing.png")
        machine.set_carrier(True)
        screen.wait("Workstation has the disk", STEP_SECONDS)
    with journey.leg("laptop: asks for the disk, and calls that off"):
        press("esc")
        screen.wait(r"Ask Workstation to give the disk back\?", STEP_SECONDS)
        screen.keep(lab.out / "asking.png")
        press("ret")
        screen.wait("is asked to give the disk back", STEP_SECONDS)
        press("esc")
        screen.wait(r"Let Workstation keep the disk\?", STEP_SECONDS)
        press("ret")
        screen.wait("is asked to give the disk back", STEP_SECONDS, gone=True)
    with journey.leg("laptop: the power key asks with a deadline"):
        machine.monitor.ask("system_powerdown")
        screen.wait(r"is asked to shut down\. It does so in", STEP_SECONDS)
        screen.keep(lab.out / "asked.png")
    with journey.leg("laptop: Ctrl+Alt+Del takes the disk back at once"):
        here = machine.console.position()
        press("ctrl-alt-delete")
        machine.console.wait("stiefel: .*(?:taken back|is back)", STEP_SECONDS, here)
    machine.kill()
    with journey.leg("the beeper was heard"):
        heard = tones.heard(recording)
        journey.facts["beeper_hertz"] = heard
        # The recording has no silence between two tones.
        left = _collapsed(heard)
        for tone in _collapsed(tone for tune in TUNES for tone in tune):
            while left and abs(left[0] - tone) > tone * TOLERANCE:
                left.pop(0)
            if not left:
                raise LabError(f"{tone} Hz is not in its place in what was heard: {heard}")
            left.pop(0)


def _has_nothing_else(page):
    """Only what the panel writes: what is beside its block, or has the kernel's time before it, is not."""
    strange = [row for row in page if row and (not row.startswith("  ") or "] " in row)]
    if strange:
        raise LabError("this does not belong on the screen:\n" + "\n".join(strange) + "\n---\n" + "\n".join(page))


def _collapsed(tones_heard):
    """Without those that are as high as the one before."""
    kept = []
    for tone in tones_heard:
        if not kept or abs(kept[-1] - tone) > tone * TOLERANCE:
            kept.append(tone)
    return kept
