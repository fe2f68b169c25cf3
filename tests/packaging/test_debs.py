"""The life of the Debian package on one machine: it comes, is used, is upgraded, and leaves no trace."""

import json
import os
import pathlib
import shutil
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "system"), str(HERE.parent / "vm")]

import laptop  # noqa: E402
from lab import laptop as vm_laptop  # noqa: E402
from machine import Machine  # noqa: E402

DEBS = pathlib.Path(os.environ["STIEFEL_DEBS"])
STATE = "/var/lib/stiefelsystem"
UNIT = "stiefeld.service"
# What changes in any system, and what dpkg keeps of packages that are gone.
CHANGING = ("/var/lib/dpkg/", "/var/log/", "/var/cache/", "/var/lib/systemd/", "/srv/", "/var/lib/NetworkManager/",
            "/var/tmp/")


class Life(unittest.TestCase):
    """One test, since each step of a life needs the one before."""

    def setUp(self):
        tree = vm_laptop.tree("initramfs-tools")
        self.system = Machine([tree])
        self.addCleanup(self.system.end)
        laptop.furnish(self.system.layer, tree, {})
        # Here it is the package that enables it.
        (self.system.layer / "etc/systemd/system/multi-user.target.wants" / UNIT).unlink()
        (self.deb,) = DEBS.glob("stiefelsystem_*_*.deb")
        packages = self.system.layer / "srv"
        packages.mkdir()
        shutil.copy(self.deb, packages / "this.deb")
        self.system.boot()

    def shell(self, script):
        return self.system.run("sh", "-euc", script)

    def files(self):
        found = self.shell("find / -xdev ! -type d -printf '%p\\n'").splitlines()
        return {path for path in found if not path.startswith(CHANGING)}

    def running(self):
        return self.system.run("systemctl", "is-active", UNIT, check=False).stdout.strip()

    def armed(self):
        return json.loads(self.system.run("stiefelctl", "status", "--json"))["armed"]

    def test_comes_is_used_is_upgraded_and_leaves_nothing(self):
        before, users = self.files(), self.shell("cat /etc/passwd /etc/group")

        with self.subTest("install"):
            self.system.run("dpkg", "--install", "/srv/this.deb")
            self.assertEqual(self.system.run("systemctl", "is-enabled", UNIT).strip(), "enabled")
            self.assertEqual(self.running(), "active")
            self.assertIn(f"{STATE}/images/{laptop.KERNEL}.img", self.files(), "a ramdisk was made")
            self.assertEqual(self.shell(f"stat -c %a {STATE}").strip(), "700")
            self.assertEqual(self.shell(f"systemd-analyze verify --man=no /usr/lib/systemd/system/{UNIT} 2>&1"), "")

        with self.subTest("the bus starts it"):
            self.system.run("systemctl", "stop", UNIT)
            self.system.run("stiefelctl", "status")
            self.assertEqual(self.running(), "active")

        with self.subTest("upgrade while armed"):
            self.system.run("stiefelctl", "pair", "Workstation")
            self.system.run("stiefelctl", "arm")
            pid = self.system.run("systemctl", "show", "--value", "--property=MainPID", UNIT)
            self.shell(f"rm {STATE}/images/*")
            self.shell("""
                dpkg-deb --raw-extract /srv/this.deb /srv/next
                sed -i 's/^Version: .*/&+next/' /srv/next/DEBIAN/control
                dpkg-deb --build /srv/next /srv/next.deb
                dpkg --install /srv/next.deb
            """)
            self.assertNotEqual(
                self.system.run("systemctl", "show", "--value", "--property=MainPID", UNIT), pid, "the new one runs")
            self.assertTrue(self.armed())
            self.assertIn("Workstation", self.system.run("stiefelctl", "pairings"))
            self.assertIn(f"{STATE}/images/{laptop.KERNEL}.img", self.files(), "the ramdisk is made of the new one")

        with self.subTest("without a network service, polkit or a desktop"):
            self.shell("systemctl mask --runtime --now NetworkManager.service systemd-networkd.socket "
                       f"systemd-networkd.service polkit.service; systemctl restart {UNIT}")
            self.system.run("stiefelctl", "disarm")
            self.system.run("stiefelctl", "arm")
            self.assertTrue(self.armed())
            refused = self.system.run("runuser", "-u", "nobody", "--", "stiefelctl", "disarm", check=False)
            self.assertIn("polkit", refused.stdout + refused.stderr)
            self.assertTrue(self.armed())
            self.shell("systemctl unmask --runtime NetworkManager.service systemd-networkd.socket "
                       "systemd-networkd.service polkit.service")

        with self.subTest("remove keeps what a person made"):
            self.system.run("dpkg", "--remove", "stiefelsystem")
            self.assertNotEqual(self.running(), "active")
            self.assertEqual(len([path for path in self.files() if path.startswith(f"{STATE}/pairings/")]), 1)

        with self.subTest("purge"):
            self.system.run("dpkg", "--purge", "stiefelsystem")
            self.assertEqual(self.files() - before, set())
            self.assertEqual(before - self.files(), set())
            self.assertEqual(self.shell("cat /etc/passwd /etc/group"), users)
            for folder in (STATE, "/etc/stiefelsystem", "/run/stiefelsystem"):
                self.assertEqual(self.system.run("test", "-e", folder, check=False).returncode, 1, folder)
            self.assertNotIn("stiefel", self.shell("ps -e -o args | grep -v grep || true"))
            self.assertEqual(self.shell("systemctl list-units --all --plain --no-legend 'stiefel*'"), "")
            self.assertEqual(self.shell("systemctl --failed --plain --no-legend"), "")


if __name__ == "__main__":
    unittest.main()
