"""The main menu, the pages of the preferences, and the image file: each is opened, used, and has its effect."""

import stat

from desk import DRIVE, LINK, PAIRING, SETTINGS
from test_window import Lender


class MainMenu(Lender):
    def open(self, entry):
        self.desk.screen.keys("F10")
        self.press(entry, "menu item")

    def test_each_entry_opens_what_it_says(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        for entry, seen in [
            ("Preferences", "Run in the Background"),
            ("Help", "What It Does"),
            ("About Lend My Disk", "The Stiefelsystem contributors"),
            ("Pair a Computer…", "Continue"),
        ]:
            with self.subTest(entry):
                self.open(entry)
                self.see(seen)
                self.desk.screen.keys("Escape")
                self.see_no_more(seen)
        self.open("Keyboard Shortcuts")
        self.see("Check this computer again")

    def test_the_machine_is_looked_at_again(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        # It is not noticed by itself.
        (self.machine / "boot/initrd.img-simulated").unlink()
        self.open("Check This Computer Again")
        self.see("Almost Ready to Lend", "heading")

    def test_the_ramdisk_is_made_again(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        self.open("Make the Ramdisk Again")
        self.wait_for_job("update-image", "done")

    def test_what_makes_no_sense_cannot_be_chosen(self):
        self.become("borrower-held")
        self.launch()
        self.see("Running From Laptop", "heading")
        self.desk.screen.keys("F10")
        self.see("Help", "menu item")
        usable = self.desk.eyes.buttons(self.app.pid)
        for entry in ("Pair a Computer…", "Make the Ramdisk Again"):
            self.assertNotIn(entry, usable)


class Pages(Lender):
    """Of the preferences."""

    def open(self, page):
        self.launch()
        self.see("Ready to Lend", "heading")
        self.act("preferences-at", page)

    def pick(self, row, key):
        """An entry of a row's list, by the keyboard."""
        self.choose(row)
        self.wait(self.in_a_list, "the keyboard in the list")
        self.desk.screen.keys(key, "Return")

    def in_a_list(self):
        focused = self.desk.eyes.focused(self.app.pid)
        return focused and focused.get_role_name() == "list item"

    def test_a_connection_is_taken_out_of_use(self):
        self.open("connections")
        link = "/org/stiefelsystem/Stiefel1/links/enx00e04c680001"
        self.assertEqual(self.property("Policy", LINK, link), "dedicated")
        self.pick("USB Network Adapter · enx00e04c680001", "End")
        self.wait(lambda: self.property("Policy", LINK, link) == "ignore", "the policy of the link")

    def test_what_a_cable_brings_about(self):
        self.open("connections")
        self.pick("When a Connection Only for Lending Is Plugged In", "End")
        self.wait_for("OnPlug", "never", SETTINGS)

    def test_a_computer_is_allowed_without_being_asked(self):
        self.open("computers")
        self.choose("Workstation")
        self.pick("When It Asks for the Disk", "Down")
        self.wait(lambda: self.of_pairing("Workstation", "Policy") == "automatic", "the policy")
        self.see("Always allowed")

    def test_a_computer_gets_another_name(self):
        self.open("computers")
        workstation = self.pairing("Workstation")
        self.choose("Workstation")
        self.reach("Name")
        self.desk.screen.keys("ctrl+a")
        self.desk.screen.write("Workshop")
        self.press("Apply")
        self.wait(lambda: self.property("Name", PAIRING, workstation) == "Workshop", "the new name")
        self.see("Workshop", "list item")

    def test_a_name_that_is_taken_is_refused(self):
        self.open("computers")
        self.choose("Workstation")
        self.reach("Name")
        self.desk.screen.keys("ctrl+a")
        self.desk.screen.write("Living room")
        self.press("Apply")
        self.see("Another pairing is called Living room; choose another name, or forget that one")
        self.assertTrue(self.pairing("Workstation"))

    def test_another_stick(self):
        self.open("computers")
        self.choose("Workstation")
        self.press("Make Stick…")
        self.see("Plug In a Stick")

    def test_a_computer_is_paired_from_here(self):
        self.open("computers")
        self.press("Pair a Computer")
        self.see("Continue", "button")

    def test_nobody_to_wait_for_leads_to_the_computers(self):
        self.script("policy Workstation never", 'policy "Living room" never', "arm")
        self.launch()
        self.see("Nobody to Wait For", "heading")
        self.press("Open Preferences")
        self.see("Who may borrow the disk while this computer waits.")


class ImageFile(Lender):
    MACHINE = "drives"

    def save(self, place):
        """Asks for an image in place of a stick, and says where, in the toolkit's own dialog."""
        self.see("Ready to Lend", "heading")
        self.act("write-stick", self.pairing("Workstation"))
        self.press("Save as Image File…")
        self.see("Save", "button")
        self.desk.screen.keys("ctrl+a")
        self.desk.screen.write(str(place))
        self.desk.screen.keys("Return")

    def test_it_is_made_for_its_owner_only(self):
        self.script("jobs by-hand")
        self.launch()
        image = self.folder / "workstation.img"
        self.save(image)
        self.wait_for_job("save-stick", "running")
        self.see("Making the Image")
        self.assertEqual(stat.S_IMODE(image.stat().st_mode), 0o600)
        self.script("job done")
        self.wait_for_job("save-stick", "done")
        self.see("The Image Is Ready")
        self.press("Done")

    def test_one_that_is_refused_leaves_no_file(self):
        self.script("deny write-stick")
        self.launch()
        image = self.folder / "workstation.img"
        self.save(image)
        self.see("Not done, because it was not permitted")
        self.wait(lambda: not image.exists(), "the end of the empty file")
        self.assertEqual(self.jobs("save-stick"), [])

    def test_a_place_that_cannot_be_written_is_told(self):
        self.launch()
        self.save("/proc/workstation.img")
        self.wait(lambda: any(name.startswith("The image cannot be saved there")
                              for name in self.desk.eyes.texts(self.app.pid)), "the reason")
        self.assertEqual(self.jobs("save-stick"), [])
