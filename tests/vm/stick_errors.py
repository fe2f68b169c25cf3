"""A start from a stick that goes wrong: the stick remembers it, and shows it when it is asked."""

from lab import DESKTOP_MAC, secrets, words
from lab.errors import LabError
from lab.loan import STEP_SECONDS
from lab.machine import Boot
from lab.stick import ERRORS, SHOW_ERRORS, Stick

# With this word for its kernel a desktop can start no other one, and what it then says of that.
NO_KEXEC = "sysctl.kernel.kexec_load_disabled=1"
ERROR = "Error: kexec is switched off"


def go_wrong(lab, journey, path):
    """A desktop is started in vain. The error is on the stick then, and nothing else has changed."""
    stick = Stick(path)
    stick.speak_on_serial(NO_KEXEC)
    before = path.read_bytes()
    with journey.leg("desktop: a start that goes wrong is remembered"):
        machine = lab.machine("failing", Boot(stick=path, stick_keeps=True), DESKTOP_MAC)
        machine.console.wait(words.REMEMBERED, STEP_SECONDS)
        machine.kill()
    with journey.leg("stick: nothing but its error log has changed"):
        must_remember(stick)
        stick.must_be_sound()
        initramfs, errors = lab.private / "initrd.img", lab.private / "errors.txt"
        initramfs.write_bytes(stick.read("stiefel/initrd.img"))
        errors.write_bytes(stick.read(ERRORS))
        secrets.must_not_be_in_files(secrets.of_initramfs(initramfs), [errors])
        after, log = path.read_bytes(), stick.read(ERRORS)
        start = after.index(log)
        end = start + len(log)
        if after[:start] != before[:start] or after[end:] != before[end:]:
            raise LabError("the ramdisk wrote beside the error log")
    return stick


def must_remember(stick):
    """The error is there, with what the desktop has seen."""
    text = stick.read(ERRORS).decode()
    for wanted in (ERROR, "QEMU", "(virtio_net)"):
        if wanted not in text:
            raise LabError(f"{wanted!r} is not in the stick's error log:\n{text.rstrip()}")


def must_show(lab, journey, path):
    """A desktop shows what the stick remembers, page after page, and writes nothing."""
    stick = Stick(path)
    stick.speak_on_serial()
    stick.choose(SHOW_ERRORS)
    before = path.read_bytes()
    with journey.leg("desktop: the stick's errors are shown"):
        machine = lab.machine("showing", Boot(stick=path, stick_keeps=True), DESKTOP_MAC)
        machine.monitor.ask("set-action", reboot="shutdown")
        console = machine.console
        console.wait(words.OURS + ERROR, STEP_SECONDS)
        console.wait(words.ENTER_TO_GO_ON, STEP_SECONDS)
        while not console.find(words.ENTER_TO_RESTART):
            here = console.position()
            console.type("\n")
            console.wait(f"{words.ENTER_TO_GO_ON}|{words.ENTER_TO_RESTART}", STEP_SECONDS, here)
        console.type("\n")
        machine.wait_off(STEP_SECONDS)
    if path.read_bytes() != before:
        raise LabError("showing the errors has changed the stick")
