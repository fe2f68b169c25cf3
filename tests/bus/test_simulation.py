"""The daemon without any service beside it, as people try it and the GUI is worked on."""

from harness import HANDOFF, MANAGER, ROOT, Case


class Simulation(Case):
    SERVICES = []

    def test_a_hand_off_that_is_given_up(self):
        pairing = self.pair()
        self.begin(pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        self.script("reboot give-up")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "reboot-refused")
        self.script("reboot refuse")
        self.begin(pairing)
        self.confirm()
        self.wait_for_states("leaving", "reverting", "idle")
        self.assertIn("the script refuses", self.property("Detail"))
        self.assertFalse((self.machine / "loaded").exists())

    def test_the_script_denies_and_inhibits(self):
        self.script("deny arm")
        self.assert_refused(
            "org.freedesktop.DBus.Error.AccessDenied", ROOT, MANAGER, "Arm", "(a{sv})", {}
        )
        self.script("admit arm")
        self.arm()
        pairing = self.pair()
        self.script("inhibit apt a long upgrade")
        self.wait_for_blocker("inhibitor")
        text = self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", pairing, {})
        self.assertIn("a long upgrade", text)
        self.script("uninhibit")
        self.wait_for("Blockers", [])

    def test_the_script_explains_itself(self):
        self.assertIn("link add NAME MAC", self.script("help"))

    def test_the_files_are_nobody_elses(self):
        self.begin(self.pair())
        self.confirm()
        self.wait_for("State", "leaving")
        for place in ("loaded", "var/lib/stiefelsystem/pairings"):
            self.assertEqual((self.machine / place).stat().st_mode & 0o777, 0o700)
