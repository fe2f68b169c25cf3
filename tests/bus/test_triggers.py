"""What starts a hand-off without anybody at the lender, and what forbids one."""

from handoff import HandOff
from harness import HANDOFF, LINK, MANAGER, PAIRING, ROOT, STEPS, Case

QUICK = "[hand-off]\ncountdown-secs = 1\nconfirm-secs = 1\n"


class Search(HandOff):
    def configure(self):
        super().configure()
        self.id = self.pairing.rsplit("/")[-1]

    def quick(self):
        """From now on, what is announced ends by itself, and soon."""
        self.write("etc/stiefelsystem/20-quick.toml", QUICK)
        self.call(ROOT, MANAGER, "Refresh")

    def policy(self, policy):
        self.assertEqual(self.ctl("policy", "Desk", policy).returncode, 0)

    def test_wakes_and_waits_for_a_yes(self):
        self.arm()
        self.assertEqual(self.script("audience"), "Asleep")
        self.script(f"seek {self.id}")
        self.wait_for("Presence", "searching", PAIRING, self.pairing)
        self.assertGreater(self.property("LastSeenUsec", PAIRING, self.pairing), 0)
        self.script(f"wake {self.id}")
        self.wait_for("State", "announced")
        self.assertEqual(self.property("AtDeadline"), "call-off")
        self.assertEqual(self.property("Borrower"), self.pairing)
        self.assertRegex(self.script("audience"), rf'Lent.*"Desk".* {self.id}=Announced')
        self.confirm()
        self.wait_for("State", "leaving")
        self.assertRegex(self.script("audience"), f"{self.id}=Leaving")
        self.assertEqual(self.ticket()["promised_to"], self.id)

    def test_without_a_yes_nothing_happens(self):
        self.arm()
        self.quick()
        self.script(f"wake {self.id}")
        self.wait_for_states("announced", "idle")
        self.come_back("expired")
        self.assertEqual(self.states(), ["announced", "idle"])
        self.assertIn("Desk", self.property("Detail"))
        # The borrower goes on searching; that is not asked again at once.
        self.script(f"wake {self.id}")
        self.assertIn(f"{self.id}=Declined", self.script("audience"))
        self.call(ROOT, MANAGER, "Refresh")
        self.assertEqual(self.property("State"), "idle")

    def test_a_no_is_remembered_until_somebody_lends(self):
        self.arm()
        self.policy("automatic")
        self.script(f"wake {self.id}")
        self.wait_for("State", "announced")
        self.cancel()
        self.come_back("cancelled")
        self.script(f"wake {self.id}")
        self.assertIn(f"{self.id}=Declined", self.script("audience"))
        self.begin(self.pairing)
        self.assertNotIn("Declined", self.script("audience"))

    def test_automatic_goes_ahead(self):
        self.arm()
        self.quick()
        self.policy("automatic")
        self.script(f"wake {self.id}")
        self.wait_for("State", "leaving")
        self.assertEqual(self.states(), ["announced", "preparing", "leaving"])

    def nothing_comes_of(self, *commands):
        self.script(*commands)
        # Refresh is answered after everything before it was seen.
        self.call(ROOT, MANAGER, "Refresh")
        self.assertEqual(self.states(), [])
        self.assertEqual(self.call(ROOT, "org.freedesktop.DBus.Properties", "Get", "(ss)",
                                   HANDOFF, "State"), "idle")

    def test_is_not_heard_while_disarmed(self):
        self.assertEqual(self.script("audience"), "nobody")
        self.nothing_comes_of(f"wake {self.id}")

    def test_never_means_never(self):
        self.arm()
        self.policy("never")
        self.nothing_comes_of(f"wake {self.id}")

    def test_of_a_stranger_or_of_a_forgotten_pairing(self):
        self.arm()
        self.call(self.pairing, PAIRING, "Forget")
        self.assertEqual(self.script("audience"), "nobody")
        self.nothing_comes_of(f"wake {self.id}", "wake 0011223344556677")

    def test_in_a_blocked_machine_is_told_so(self):
        self.arm()
        self.script("power 12 battery")
        self.script(f"wake {self.id}")
        self.wait_for("Reason", "blocked")
        self.assertIn("Desk asked for the disk", self.property("Detail"))
        self.assertEqual(self.script("audience"), "Declined")
        self.assertEqual(self.states(), [])
        self.script("power 12 mains")
        self.wait_for("Blockers", [])
        self.assertEqual(self.script("audience"), "Asleep")

    def test_disarming_calls_it_off(self):
        self.arm()
        self.script(f"wake {self.id}")
        self.wait_for("State", "announced")
        self.call(ROOT, MANAGER, "Disarm")
        self.come_back("cancelled")
        self.assertEqual(self.script("audience"), "nobody")

    def test_disarming_does_not_concern_a_person(self):
        self.arm()
        self.begin(self.pairing)
        self.call(ROOT, MANAGER, "Disarm")
        self.assertEqual(self.property("State"), "announced")

    def test_armed_is_kept_over_a_restart(self):
        self.arm()
        self.kill()
        self.start()
        self.assertTrue(self.property("Armed", MANAGER))
        self.assertEqual(self.script("audience"), "Asleep")


class Plug(HandOff):
    def configure(self):
        self.write("etc/stiefelsystem/10-test.toml", '[link]\nmac = "52:54:00:00:00:01"\n')
        self.start()
        self.pairing = self.pair()
        self.arm()

    def test_announces_a_hand_off_for_whoever_asks(self):
        self.script("link add lan1 52:54:00:00:00:02", "link add lan0 52:54:00:00:00:01")
        self.wait_for("State", "announced")
        self.assertEqual(self.property("Borrower"), f"{ROOT}/pairings")
        self.assertEqual(self.property("AtDeadline"), "call-off")
        self.assertEqual(self.property("Policy", LINK, f"{ROOT}/links/lan0"), "dedicated")
        self.assertEqual(self.property("Policy", LINK, f"{ROOT}/links/lan1"), "shared")
        self.confirm()
        self.wait_for("State", "leaving")
        ticket = self.ticket()
        self.assertEqual(ticket["promised_to"], None)
        self.assertEqual(ticket["links"], ["52:54:00:00:00:01"])

    def test_and_unplugging_calls_it_off(self):
        self.script("link add lan0 52:54:00:00:00:01")
        self.wait_for("State", "announced")
        self.script("link remove lan0")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "blocked")
        self.assertIn("not there", self.property("Detail"))
        self.wait(lambda: (f"{ROOT}/links/lan0", LINK) not in self.seen, "the end of the link")

    def test_is_no_trigger_while_disarmed(self):
        self.call(ROOT, MANAGER, "Disarm")
        self.script("link add lan0 52:54:00:00:00:01")
        self.wait(lambda: (f"{ROOT}/links/lan0", LINK) in self.seen, "the link")
        self.assertEqual(self.states(), [])


class Block(HandOff):
    LOCK = ("shutdown:sleep", "apt", "upgrade", "block")

    def test_a_lock_of_another_program(self):
        self.mock("Inhibitors", "(a(ssss))", [self.LOCK])
        self.wait_for_blocker("inhibitor")
        [(subject, text, hint)] = self.property("Blockers")
        self.assertEqual((subject, text), ("inhibitor", "apt forbids to shut down: upgrade"))
        self.assertTrue(hint)
        self.assertIn(("inhibitor", "block", text, hint, ""), self.property("Checks", MANAGER))
        said = self.assert_refused(
            "Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {}
        )
        self.assertIn("apt", said)
        self.mock("Inhibitors", "(a(ssss))", [])
        self.wait_for("Blockers", [])
        self.begin(self.pairing)

    def test_locks_that_forbid_something_else_do_not_count(self):
        others = [("sleep", "player", "plays", "block"), ("shutdown", "editor", "saves", "delay")]
        self.mock("Inhibitors", "(a(ssss))", others + [self.LOCK])
        self.wait_for_blocker("inhibitor")
        self.assertEqual(len(self.property("Blockers")), 1)

    def test_that_comes_while_announced(self):
        self.begin(self.pairing)
        self.mock("Inhibitors", "(a(ssss))", [self.LOCK])
        self.come_back("blocked")
        self.assertIn("apt", self.property("Detail"))

    def test_that_comes_at_every_step(self):
        for step in STEPS:
            with self.subTest(step=step):
                self.stop_at("after", step)
                self.script("power 5 battery")
                self.wait_for("State", "reverting")
                self.script(f"open after {step}")
                self.come_back("blocked")
                self.script("power none mains")
                self.wait_for("Blockers", [])

    def test_no_ramdisk(self):
        (self.machine / "var/lib/stiefelsystem/images/simulated.json").unlink()
        self.call(ROOT, MANAGER, "Refresh")
        self.wait_for("ImageState", "missing", MANAGER)
        self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {})

    def test_no_initramfs(self):
        (self.machine / "boot/initrd.img-simulated").unlink()
        self.call(ROOT, MANAGER, "Refresh")
        self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {})
        self.wait_for_blocker("kernel")
        self.assertEqual(self.property("Blockers")[0][0], "kernel")


class Borrowed(Case):
    def configure(self):
        self.write("proc/net/unix", "Num RefCount Protocol Flags Type St Inode Path\n"
                   "0: 00000002 00000000 00010000 0001 01 1 @stiefelsystem\n")
        self.write("var/lib/stiefelsystem/armed", "")
        self.write("boot/vmlinuz-simulated", "")
        self.start()

    def test_a_lent_system_never_arms_and_never_answers(self):
        self.assertEqual(self.property("Role", MANAGER), "borrower")
        self.assertFalse(self.property("Armed", MANAGER))
        self.assertEqual(self.script("audience"), "nobody")
        for call in [
            (ROOT, MANAGER, "Arm", "(a{sv})", {}),
            (ROOT, MANAGER, "Disarm"),
            (ROOT, MANAGER, "Pair", "(s)", "Desk"),
            (ROOT, HANDOFF, "Begin", "(oa{sv})", f"{ROOT}/pairings", {}),
            (ROOT, HANDOFF, "Confirm"),
            (ROOT, HANDOFF, "Cancel"),
        ]:
            self.assert_refused("Borrowed", *call)
        # The laptop is armed again when it is back in its own system.
        self.assertTrue((self.machine / "var/lib/stiefelsystem/armed").exists())
