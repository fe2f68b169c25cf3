"""What a laptop does by itself: makes its ramdisk, keeps the old one after an error, follows the kernels."""

from lab.errors import LabError
from lab.loan import PAIRING, Loan

IMAGES = "/var/lib/stiefelsystem/images"


def play(lab, journey, installed):
    """No second machine is switched on."""
    loan = Loan(lab, journey, installed)
    loan.prepare()
    release, laptop = loan.release, loan.laptop
    image = f"{IMAGES}/{release}.img"

    def refuses(what, spoil, repair, says):
        with journey.leg(f"update refuses: {what}"):
            before = laptop.run(f"sha256sum {image}; ls {IMAGES}")
            laptop.run(spoil)
            status, output = laptop.run("stiefelctl update", 120, check=False)
            if status == 0 or says not in output:
                raise LabError(f"update with {what} ended with {status} and said: {output}")
            if laptop.run(f"sha256sum {image}; ls {IMAGES}") != before:
                raise LabError(f"update with {what} did not leave the old image as it was")
            laptop.run(repair)

    refuses("no modules", f"mv /lib/modules/{release} /srv/modules",
            f"mv /srv/modules /lib/modules/{release}", f"no module tree for kernel {release}")
    refuses("no kernel", f"mv /boot/vmlinuz-{release} /srv/vmlinuz",
            f"mv /srv/vmlinuz /boot/vmlinuz-{release}", "vmlinuz")
    refuses("a full disk", f"""
        set -e
        size=$(du -sk {IMAGES} | cut -f1)
        mount -t tmpfs -o size=$((size + 1024))k,mode=700 full /mnt
        cp -a {IMAGES}/. /mnt
        mount --bind /mnt {IMAGES}
        """, f"umount {IMAGES} /mnt", "the disk is full")

    with journey.leg("ramdisk follows the kernels"):
        laptop.run(f"""
            set -e
            /etc/kernel/postrm.d/zz-stiefelsystem {release} /boot/vmlinuz-{release}
            ! [ -e {image} ]
            /etc/kernel/postinst.d/zz-stiefelsystem {release} /boot/vmlinuz-{release}
            [ -s {image} ]
        """, 120)
    with journey.leg("others than root are refused"):
        for command in (f"lend {PAIRING}", "disarm", f"forget --yes {PAIRING}", "pair intruder"):
            status, output = laptop.run(f"setpriv --reuid nobody --clear-groups stiefelctl {command}", check=False)
            if status == 0:
                raise LabError(f"nobody may `stiefelctl {command}`: {output}")
        laptop.run(f"stiefelctl pairings | grep -w {PAIRING}")
    loan.check_boot_untouched()
