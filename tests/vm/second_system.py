"""A desktop that has a system of its own, and the file of a pairing."""

from lab import DESKTOP_MAC, laptop, words
from lab.loan import BOOT_SECONDS, PAIRING, STEP_SECONDS
from lab.machine import Boot

FILE = "/srv/pairing"
_PARCEL_BYTES = 1 << 20


def switch_on(loan, system, network, firmware):
    """Makes its disk, with our files and a pairing's file on it, and boots it; it is the loan's desktop then."""
    lab, journey = loan.lab, loan.journey
    secret = _pairing_file(loan)
    folder = lab.private / "desktop"
    with journey.leg("desktop: disk of its own made"):
        folder.mkdir()
        laptop.make_disk(folder / "desktop.img", loan.generator, network, loan.installed, True, system)
    (folder / "parcel").write_bytes(secret.ljust(_PARCEL_BYTES, b"\0"))
    with journey.leg("desktop: its own system, power-on to multi-user") as leg:
        boot = Boot(disk=folder / "desktop.img", parcel=folder / "parcel", firmware=firmware)
        machine = loan.desktop = lab.machine("desktop", boot, DESKTOP_MAC)
        leg.start = machine.switched_on
        _, leg.end = machine.console.wait(words.MULTI_USER, BOOT_SECONDS)
        machine.shell.wait_ready(STEP_SECONDS)
        machine.run(f"umask 077; head -c {len(secret)} /dev/disk/by-id/virtio-parcel > {FILE}")
    loan.desktop_shell = machine.shell.position()


def _pairing_file(loan):
    with loan.journey.leg("laptop: pairing exported"):
        size = loan.laptop.run(f"""
            set -e
            stiefelctl export-pairing {PAIRING} /srv/pairing > /dev/null
            [ "$(stat -c %a /srv/pairing)" = 600 ]
            ! stiefelctl export-pairing {PAIRING} /srv/pairing > /dev/null 2>&1
            stat -c %s /srv/pairing
            dd if=/srv/pairing of=/dev/disk/by-id/virtio-parcel conv=notrunc status=none
            sync /dev/disk/by-id/virtio-parcel
            rm /srv/pairing
        """)
    with open(loan.lab.private / "parcel", "rb") as parcel:
        return parcel.read(int(size))
