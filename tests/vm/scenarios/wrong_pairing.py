"""A forgotten pairing's stick gets nothing, from the running system and from the ramdisk."""

from lab import words
from lab.errors import LabError
from lab.loan import PAIRING, STEP_SECONDS, Loan
from lab.traces import must_be_gone

# The desktop searches once a second; so many questions without an answer are no accident.
QUESTIONS = 8
OFFER_SECONDS = 30


def play(lab, journey, installed):
    """The stick of a pairing that was forgotten, while another of the same name is there."""
    loan = Loan(lab, journey, installed)
    loan.prepare(f"[loan]\noffer-secs = {OFFER_SECONDS}\n")
    with journey.leg("laptop: pairing forgotten and made anew"):
        loan.laptop.run(f"stiefelctl forget --yes {PAIRING} && stiefelctl pair {PAIRING}")
    laptop = loan.laptop
    stranger = loan.boot_desktop()
    with journey.leg("laptop: asked, and silent"):
        laptop.run(_heard(QUESTIONS), STEP_SECONDS)
        _must_be_ignored(stranger)
        must_be_gone(laptop)
        if loan.status()["hand_off"]["state"] != "idle":
            raise LabError(f"a stranger woke the laptop: {loan.status()}")
    here, shell = laptop.console.position(), laptop.shell.position()
    with journey.leg("laptop: lends to whom it may"):
        laptop.run(f"stiefelctl lend {PAIRING}")
        laptop.shell.tell("stiefelctl confirm")
        laptop.console.wait(words.SERVING, STEP_SECONDS, here)
    # Nobody it knows comes, so it goes home; all that time the stranger asks.
    loan.come_home(here, shell)
    with journey.leg("the stranger got nothing"):
        _must_be_ignored(stranger)
        if laptop.console.find(words.SENDING, here):
            raise LabError("the laptop sent its system to a stranger")
    stranger.kill()
    loan.check_clean()
    loan.check_boot_untouched()


def _must_be_ignored(stranger):
    if not stranger.is_on():
        raise LabError("the stranger's machine has gone")
    later = [match.string for match, _ in stranger.console.find(words.OURS)]
    answered = [line for line in later if "Found" in line or "offers" in line or "lent" in line]
    if answered:
        raise LabError(f"a stranger was answered: {answered}")


def _heard(count):
    """Waits in the laptop until so many more datagrams have come to a UDP socket."""
    return f"""
        heard() {{ sed -n 's/^Udp6InDatagrams *//p' /proc/net/snmp6; }}
        start=$(heard)
        while [ $(( $(heard) - start )) -lt {count} ]; do sleep 0.2; done
    """
