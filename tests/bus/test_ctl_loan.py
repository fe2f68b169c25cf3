"""stiefelctl on a system that runs from a lent disk, and with drives that become sticks."""

import json
import os
import stat

from harness import DRIVE, LOAN, MANAGER, ROOT
from test_ctl import CALLED_OFF, CtlCase


class OnALentDisk(CtlCase):
    def configure(self):
        self.start()
        self.script("loan begin Laptop")
        self.wait_for("Role", "borrower", MANAGER)

    def test_the_loan_is_shown(self):
        self.script("loan power 7 battery critical 600", "loan speed 2500", "loan disk worn spare-blocks-run-out")
        self.wait_for("BatteryWarning", "critical", LOAN)
        self.wait_for("DiskHealth", "worn", LOAN)
        for command in ("loan", "status"):
            shown = self.ok(command)
            self.assertIn("runs from the disk of Laptop: held", shown)
            self.assertIn("battery 7 %, not plugged in (critical), 10 min left", shown)
            self.assertIn("2.5 Gbit/s", shown)
        loan = self.json("loan")
        self.assertEqual((loan["lender"], loan["power"]["battery"], loan["link_speed_mbps"]), ("Laptop", 7, 2500))
        self.assertEqual(self.json("status")["loan"], loan)
        for warning in loan["warnings"]:
            self.assertIn(warning["text"], self.ok("loan"))
        self.assertGreater(len(loan["warnings"]), 0)

    def test_a_pulled_cable_is_shown(self):
        self.script("loan freeze unplugged")
        self.wait_for("State", "frozen", LOAN)
        self.assertIn("frozen", self.ok("loan"))
        self.assertIn("unplugged", self.ok("loan"))

    def test_watching_tells_what_moves(self):
        watch = self.begin_ctl("loan", "--watch", "--json")
        first = json.loads(watch.stdout.readline())
        self.assertEqual(first["state"], "held")
        # The numbers move only while somebody has subscribed.
        self.script("loan rate 1000000 2000", "loan move")
        for line in watch.stdout:
            if json.loads(line)["rx_bytes"] > first["rx_bytes"]:
                break
        self.script("loan freeze unplugged")
        for line in watch.stdout:
            if json.loads(line)["state"] == "frozen":
                return
        self.fail("the watching ended")

    def test_giving_back_is_asked_for(self):
        self.assertIn("--yes", self.refused("give-back"))
        status, shown = self.on_a_terminal("give-back", answer="\n")
        self.assertEqual(status, CALLED_OFF)
        self.assertIn("give the disk back to Laptop?", shown)
        self.assertEqual(self.property("State", LOAN), "held")
        self.assertIn("Laptop", self.ok("give-back", "--yes"))
        self.wait_for("State", "closing", LOAN)

    def test_what_lends_is_refused(self):
        for command in (["pair", "Desk"], ["arm"], ["lend"], ["make-image"]):
            self.assertIn("lent disk", self.refused(*command))


class OnTheOwnDisk(CtlCase):
    def test_there_is_no_loan(self):
        for command in (["loan"], ["give-back", "--yes"], ["loan", "--watch"]):
            self.assertIn("its own disk", self.refused(*command))
        self.assertIsNone(self.json("status")["loan"])


class Sticks(CtlCase):
    def configure(self):
        self.start()
        self.ok("pair", "Desk")
        self.script("drive in sdb 16 SanDisk_Ultra 4C53", "drive holds sdb HOLIDAYS")
        self.path = f"{ROOT}/drives/sdb"
        self.wait(lambda: (self.path, DRIVE) in self.seen, "the drive")
        self.wait_for("Volumes", ["HOLIDAYS"], DRIVE, self.path)

    def test_drives_are_listed(self):
        shown = self.ok("drives")
        for part in ("/dev/sdb", "16.0 GB", "free", "SanDisk", "4C53", "HOLIDAYS"):
            self.assertIn(part, shown)
        [drive] = self.json("drives")
        self.assertEqual((drive["device"], drive["volumes"]), ("/dev/sdb", ["HOLIDAYS"]))

    def test_a_drive_is_erased_only_if_that_is_meant(self):
        self.assertIn("--yes", self.refused("create-usbdrive", "Desk", "sdb"))
        status, shown = self.on_a_terminal("create-usbdrive", "Desk", "/dev/sdb", answer="n\n")
        self.assertEqual(status, CALLED_OFF)
        self.assertIn("Erase /dev/sdb", shown)
        self.assertIn("HOLIDAYS", shown)
        self.assertEqual(self.json("jobs"), [])
        for name in ("sdb", "/dev/sdb", "4C53"):
            self.assertIn("Done.", self.ok("create-usbdrive", "--yes", "4C53", "Desk", name))
        kinds = {(job["kind"], job["state"]) for job in self.json("jobs")}
        self.assertEqual(kinds, {("write-stick", "done")})
        self.assertIn("Desk", self.ok("jobs"))

    def test_a_script_names_what_it_means(self):
        for wrong in ("4C54", "/dev/sdb", ""):
            self.assertIn("4C53", self.refused("create-usbdrive", "--yes", wrong, "Desk", "sdb"))
        self.assertIn("--yes '4C53'", self.refused("create-usbdrive", "Desk", "sdb"))
        self.assertEqual(self.json("jobs"), [])

    def test_a_drive_in_use_is_left_alone(self):
        self.script("drive is sdb mounted")
        self.wait_for("State", "mounted", DRIVE, self.path)
        self.refused("create-usbdrive", "--yes", "4C53", "Desk", "sdb")
        self.ok("create-usbdrive", "--yes", "4C53", "--unmount", "Desk", "sdb")
        self.script("drive is sdb busy")
        self.wait_for("State", "busy", DRIVE, self.path)
        self.refused("create-usbdrive", "--yes", "4C53", "--unmount", "Desk", "sdb")

    def test_a_file_becomes_an_image_that_nobody_else_reads(self):
        image = self.folder / "stick.img"
        self.assertIn("Done.", self.ok("create-usbdrive", "Desk", image))
        self.assertEqual(stat.S_IMODE(image.stat().st_mode), 0o600)
        self.assertEqual([job["kind"] for job in self.json("jobs")], ["save-stick"])
        self.assertIn("--yes", self.refused("create-usbdrive", "Desk", image))
        self.assertIn("nothing was done", self.refused("create-usbdrive", "--yes", "other.img", "Desk", image))
        self.ok("create-usbdrive", "--yes", image, "Desk", image)

    def test_a_pairing_becomes_a_file_that_nobody_else_reads(self):
        file = self.folder / "desk.pairing"
        self.assertEqual(self.json("export-pairing", "Desk", file), {"pairing": "Desk", "file": str(file)})
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        ticket = json.loads(file.read_text())
        self.assertEqual((ticket["role"], ticket["pairing"]["name"]), ("fetch", "Desk"))
        before = file.read_bytes()
        self.assertIn("there already", self.refused("export-pairing", "Desk", file))
        self.assertEqual(file.read_bytes(), before)
        self.refused("export-pairing", "Nobody", self.folder / "other")
        self.assertFalse((self.folder / "other").exists())
        file.write_bytes(before[:-9])
        error = self.refused("borrow", "--dry-run", file)
        self.assertIn("no pairing file", error)
        self.assertNotIn(ticket["pairing"]["secret"][:16], error)

    def test_only_a_stick_is_refreshed(self):
        self.assertIn("no stick of ours", self.refused("refresh-stick"))
        self.assertIn("no drive", self.refused("refresh-stick", "sdc"))

    def test_what_is_no_drive_is_not_made_one(self):
        self.assertIn("stiefelctl drives", self.refused("create-usbdrive", "--yes", "4C53", "Desk", "sdc"))
        self.assertIn("stiefelctl drives", self.refused("create-usbdrive", "--yes", "4C53", "Desk", "/dev/sdz"))
        self.assertIn("neither", self.refused("create-usbdrive", "--yes", "4C53", "Desk", "/dev/null"))
        self.assertFalse(os.path.exists("sdc"))
