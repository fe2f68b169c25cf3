"""Each button of each state is found as people find it who cannot see it, pressed, and has its effect on the bus."""

from desk import LOAN, MANAGER, PAIRING, ROOT, SETTINGS, Case
from harness import JOB

PAIRINGS = f"{ROOT}/pairings"


class Lender(Case):
    def of_pairing(self, name, field):
        return self.property(field, PAIRING, self.pairing(name))

    def jobs(self, kind):
        """States of the jobs of this kind."""
        return [one["State"] for (_, interface), one in self.seen.items()
                if interface == JOB and one["Kind"] == kind]

    def wait_for_job(self, kind, state):
        self.wait(lambda: state in self.jobs(kind), lambda: f"job {kind} {state}, there is {self.jobs(kind)}")


class AtHome(Lender):
    def test_lend_and_stop_waiting(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        self.press("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)
        self.see("Waiting for a Paired Computer", "heading")
        self.press("Stop Waiting")
        self.wait_for("Armed", False, MANAGER)
        self.see("Ready to Lend", "heading")

    def test_hand_over_without_waiting(self):
        self.arm()
        self.launch()
        self.press("Hand Over Without Waiting")
        self.wait_for("State", "announced")
        self.assertEqual(self.property("Borrower"), PAIRINGS)

    def test_hand_over_to_who_searches(self):
        self.arm()
        self.script("seek Workstation always")
        self.launch()
        self.see("Workstation Is Searching", "heading")
        self.press("Hand Over to Workstation")
        self.wait_for("State", "announced")
        self.assertEqual(self.property("Borrower"), self.pairing("Workstation"))

    def test_a_change_is_read_out(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        self.press("Lend My Disk")
        self.hear("Waiting for a Paired Computer")
        self.script("seek Workstation always", "wake Workstation")
        self.hear("“Workstation” Wants Your Disk")

    def test_a_failure_is_told_and_dismissed(self):
        self.script("fail load-kernel")
        self.launch()
        self.see("Ready to Lend", "heading")
        self.begin(self.pairing("Workstation"))
        self.press("Lend Now")
        self.wait_for_states("reverting", "idle")
        self.press("Dismiss")
        self.wait(lambda: "Dismiss" not in self.desk.eyes.buttons(self.app.pid), "the end of the banner")

    def test_every_button_is_reached_by_the_keyboard(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        # Windows are closed by keys, in every application of this toolkit.
        wanted = set(self.desk.eyes.buttons(self.app.pid)) - {"Close"}
        reached = []

        def reach():
            focused = self.desk.eyes.focused(self.app.pid)
            if focused:
                reached.append(focused.get_name())
            self.desk.screen.keys("Tab")
            return wanted <= set(reached)

        self.wait(reach, lambda: f"{wanted - set(reached)} by the keyboard")


class Announced(Lender):
    MACHINE = "announced-asking"

    def test_not_now(self):
        self.launch()
        self.see("“Workstation” Wants Your Disk", "heading")
        self.press("Not Now")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "cancelled")

    def test_lend_now_and_stop(self):
        self.script("close before claim-link")
        self.launch()
        self.press("Lend Now")
        self.see("Handing Over to Workstation", "heading")
        self.assertEqual(self.property("State"), "preparing")
        self.press("Stop")
        self.wait_for("State", "reverting")
        self.see("Coming Back…", "heading")
        self.script("open before claim-link")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "cancelled")

    def test_always_allow(self):
        self.launch()
        self.press("Always Allow Workstation", None)
        self.wait(lambda: self.of_pairing("Workstation", "Policy") == "automatic", "the policy")


class Setup(Lender):
    MACHINE = "setup-needed"

    def test_what_can_be_mended_is_mended(self):
        self.launch()
        self.see("Almost Ready to Lend", "heading")
        self.press("Make It Now")
        self.wait_for_job("update-image", "done")
        # A simulated ramdisk is made of words.
        self.script("image ready")
        self.see_no_more("Make It Now")

    def test_check_again(self):
        self.launch()
        self.see("Almost Ready to Lend", "heading")
        # It is not noticed by itself.
        (self.machine / "boot/initrd.img-simulated").unlink()
        self.press("Check Again")
        self.wait(lambda: ("kernel", "block") in [check[:2] for check in self.property("Checks", MANAGER)],
                  "the new check")

    def test_pair(self):
        self.launch()
        self.press("Pair…")
        self.type("Name", "Workshop")
        self.press("Continue")
        self.see("Choose a Stick")


class Sticks(Lender):
    MACHINE = "drives"

    def test_a_stick_is_made(self):
        self.script("jobs by-hand")
        self.launch()
        self.press("Pair a Computer")
        self.type("Name", "Workshop")
        self.press("Continue")
        # Drives come and go while one looks.
        self.script('drive in sde 31.0 "Intenso Slim" 77')
        self.choose("Intenso Slim")
        self.see_no_more("Choose a Stick", "heading")
        self.press("Erase and Write")
        self.wait_for_job("write-stick", "running")
        self.assertTrue(self.pairing("Workshop"))
        self.script("job 0.5 writing 25")
        self.see("25 seconds left")
        self.script("job done")
        self.wait_for_job("write-stick", "done")
        self.see("The Stick Is Ready")
        self.press("Done")
        self.see("Ready to Lend", "heading")

    def test_a_stick_is_called_off(self):
        self.script("jobs by-hand")
        self.launch()
        self.see("Ready to Lend", "heading")
        self.act("write-stick", self.pairing("Workstation"))
        self.choose("SanDisk Ultra Fit")
        self.press("Erase and Write")
        self.wait_for_job("write-stick", "running")
        self.press("Stop")
        self.wait_for_job("write-stick", "cancelled")


class Borrower(Case):
    MACHINE = "borrower-held"

    def test_give_back(self):
        self.launch()
        self.see("Running From Laptop", "heading")
        self.press("Give Back…")
        self.press("Cancel")
        self.see_no_more("Cancel")
        self.assertEqual(self.property("State", LOAN), "held")
        self.press("Give Back…")
        self.press("Give Back")
        self.wait_for("State", "closing", LOAN)
        self.see("Giving the Disk Back…", "heading")

    def test_the_cable_and_the_power(self):
        self.launch()
        self.see("Running From Laptop", "heading")
        self.script("loan power 4 battery critical 420")
        self.see("The Battery of Laptop Is Nearly Empty")
        self.script("loan power 60 mains")
        self.see_no_more("The Battery of Laptop Is Nearly Empty")
        self.script("loan freeze unplugged 1800")
        self.see("Paused", "heading")
        self.see("Plug the cable in again")
        self.script("loan resume")
        self.see("Running From Laptop", "heading")
        self.script("loan freeze unplugged 1", "loan lost")
        self.see("The Loan Is Over", "heading")

    def test_what_moves_is_measured_while_it_is_seen(self):
        self.launch()
        self.see("Running From Laptop", "heading")
        self.wait(lambda: self.property("RxBytesPerSec", LOAN), "the traffic")
        self.see("Reading")


class Preferences(Lender):
    def open(self, page=None):
        self.launch()
        self.see("Ready to Lend", "heading")
        self.act("preferences")
        if page:
            self.press(page, None)

    def test_a_number_and_the_defaults(self):
        before = self.property("BatteryPercent", SETTINGS)
        self.open()
        charge = self.see("Least Charge In percent", "spin button")
        self.assertEqual(charge.get_value_iface().get_current_value(), before)
        charge.get_value_iface().set_current_value(45)
        self.wait_for("BatteryPercent", 45, SETTINGS)
        self.press("Reset to Defaults")
        self.wait_for("BatteryPercent", before, SETTINGS)

    def test_a_choice(self):
        self.open()
        self.choose("Lend on Battery")
        self.see("Always", "label")
        self.wait(self.in_a_list, "the keyboard in the list")
        self.desk.screen.keys("End", "Return")
        self.wait_for("OnBattery", "allow", SETTINGS)

    def in_a_list(self):
        focused = self.desk.eyes.focused(self.app.pid)
        return focused and focused.get_role_name() == "list item"

    def test_a_pairing_is_forgotten(self):
        self.open("Computers")
        workstation = self.pairing("Workstation")
        self.choose("Workstation")
        self.press("Forget…")
        self.press("Forget")
        self.wait(lambda: (workstation, PAIRING) not in self.seen, "the end of the pairing")


class Journey(Case):
    def test_from_ready_to_given_back(self):
        self.launch()
        self.press("Lend My Disk")
        self.see("Waiting for a Paired Computer", "heading")
        self.script("close before claim-link", "close before leave")
        self.script("seek Workstation always", "wake Workstation")
        self.see("“Workstation” Wants Your Disk", "heading")
        self.press("Lend Now")
        self.see("Handing Over to Workstation", "heading")
        self.see("The screen goes dark, then shows how the loan stands")
        self.script("open before claim-link", "open before leave")
        self.wait_for("State", "leaving")

        # The same system, on the other machine.
        self.become("borrower-held")
        self.see("Running From Laptop", "heading")
        self.press("Give Back…")
        self.press("Give Back")
        self.wait_for("State", "closing", LOAN)
        self.see("Giving the Disk Back…", "heading")

        # And at home again.
        self.become("given-back")
        self.see("Your Disk Is Back", "heading")
        self.see("Last Lent")


