"""A hand-off leaves when all is ready, and otherwise nothing behind: whoever stops it, and where."""

from harness import (
    HANDOFF, LINK, MANAGER, MOCKED, PAIRING, ROOT, STEPS, Case,
)

STIEFELLINK = '[link]\ninterface = "lan0"\n'
QUICK = "[hand-off]\ncountdown-secs = 1\nconfirm-secs = 1\n"


class HandOff(Case):
    def configure(self):
        self.write("etc/stiefelsystem/10-test.toml", STIEFELLINK)
        self.start()
        self.script("link add lan0 52:54:00:00:00:01")
        self.pairing = self.pair()

    def stop_at(self, when, place):
        """Goes ahead with a hand-off until the hands stand at this place."""
        self.script(f"close {when} {place}")
        self.begin(self.pairing)
        self.confirm()
        self.script(f"await {when} {place}")

    def come_back(self, reason):
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), reason)
        self.assertEqual(self.property("Step"), "")
        self.assertEqual(self.property("Borrower"), "/")
        self.assertEqual(self.left_behind(), [])
        link = f"{ROOT}/links/lan0"
        self.wait_for("Managed", True, LINK, link)


class Leave(HandOff):
    def test_all_steps_and_the_reboot(self):
        self.begin(self.pairing)
        self.assertEqual(self.property("State"), "announced")
        self.assertEqual(self.property("Borrower"), self.pairing)
        self.assertEqual(self.property("AtDeadline"), "go-ahead")
        self.assertGreater(self.property("DeadlineUsec"), 0)
        self.assertEqual(self.left_behind(), [], "touched before anybody agreed")
        self.confirm()
        self.wait_for("State", "leaving")
        self.wait(lambda: "RebootWithFlags 3" in self.mock("Calls"), "the reboot by kexec")
        self.assertEqual(self.states(), ["announced", "preparing", "leaving"])
        self.assertEqual(
            self.left_behind(),
            [
                "loaded",
                "run/NetworkManager/conf.d/90-stiefelsystem.conf",
                "run/systemd/network/00-stiefelsystem.network",
                "run/stiefelsystem/hand-off",
                "1 locks",
            ],
        )
        self.wait_for("Managed", False, LINK, f"{ROOT}/links/lan0")
        self.assertGreater(self.property("LastLoanUsec", PAIRING, self.pairing), 0)
        self.assert_refused("TooLate", ROOT, HANDOFF, "Cancel")
        self.assert_refused("TooLate", self.pairing, PAIRING, "Forget")
        self.assert_refused("InProgress", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {})
        self.confirm()

    def test_the_ticket_names_the_borrower_and_the_disk(self):
        other = self.pair("Other")
        never = self.pair("Never")
        self.ctl("policy", "Never", "never")
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        ticket = self.ticket()
        ids = [path.rsplit("/")[-1] for path in (self.pairing, other, never)]
        self.assertEqual(ticket["role"], "serve")
        self.assertEqual(ticket["promised_to"], ids[0])
        self.assertEqual({one["id"] for one in ticket["pairings"]}, set(ids[:2]))
        self.assertEqual(ticket["disk"]["serial"], "SIM0")
        self.assertEqual(ticket["links"], [])
        self.assertIn("root=UUID=0", ticket["cmdline"])
        line = (self.machine / "loaded" / "cmdline").read_text()
        self.assertIn("rdinit=/stiefel/init", line)
        self.assertNotIn("root=", line)
        for secret in [one["secret"] for one in ticket["pairings"]]:
            self.assertNotIn(secret, line + str(self.objects()) + str(self.signals))
            self.assertNotIn(secret, (self.folder / "log").read_text())

    def test_to_a_pairing_that_is_never_answered(self):
        self.ctl("policy", "Desk", "never")
        self.assert_refused(
            "NotPaired", ROOT, HANDOFF, "Begin", "(oa{sv})", f"{ROOT}/pairings", {}
        )
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        [pairing] = self.ticket()["pairings"]
        self.assertEqual((pairing["name"], pairing["policy"]), ("Desk", "ask"))

    def test_services_that_do_not_run_are_no_obstacle(self):
        self.kill()
        self._end(self.mocks)
        self.SERVICES = MOCKED[:2]
        self.setUp()
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "leaving")

    def test_the_end_of_the_daemon_during_the_shutdown_undoes_nothing(self):
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        self.wait(lambda: "RebootWithFlags 3" in self.mock("Calls"), "the reboot")
        self.assertEqual(self.terminate(), 0)
        self.assertIn("loaded", self.left_behind())
        # Something on the bus starts it once more while everything goes down.
        self.start()
        self.assertIn("loaded", self.left_behind())


class Cancel(HandOff):
    def test_while_announced(self):
        self.begin(self.pairing)
        self.cancel()
        self.come_back("cancelled")
        self.assertEqual(self.states(), ["announced", "idle"])
        self.assertFalse([call for call in self.mock("Calls") if call.startswith("Inhibit ")])

    def test_at_every_step(self):
        for step in STEPS:
            for when in ("before", "after"):
                with self.subTest(step=step, when=when):
                    self.stop_at(when, step)
                    self.wait_for("Step", step)
                    self.cancel()
                    self.wait_for("State", "reverting")
                    self.assert_refused("NotAnnounced", ROOT, HANDOFF, "Confirm")
                    self.cancel()
                    self.script(f"open {when} {step}")
                    self.come_back("cancelled")

    def test_takes_the_claim_back_before_the_service_is_told(self):
        self.stop_at("after", "claim-link")
        self.assertIn("NetworkManager.Reload 1", self.mock("Calls"))
        file = self.machine / "run/NetworkManager/conf.d/90-stiefelsystem.conf"
        self.assertIn("unmanaged-devices+=interface-name:lan0", file.read_text())
        self.assertEqual(file.stat().st_mode & 0o777, 0o644)
        self.cancel()
        self.script("open after claim-link")
        self.come_back("cancelled")
        reloads = [call for call in self.mock("Calls") if "Reload" in call]
        self.assertEqual(reloads, ["NetworkManager.Reload 1", "networkd.Reload"])

    def test_with_nothing_to_cancel(self):
        self.cancel()
        self.assert_refused("NotAnnounced", ROOT, HANDOFF, "Confirm")
        self.assertEqual(self.states(), [])

    def test_by_the_end_of_the_daemon(self):
        for step in [None, *STEPS]:
            with self.subTest(step=step):
                if step:
                    self.stop_at("after", step)
                    self.daemon.terminate()
                    self.wait_for("State", "reverting")
                    self.script(f"open after {step}")
                else:
                    self.begin(self.pairing)
                    self.daemon.terminate()
                self.assertEqual(self.daemon.wait(60), 0)
                self.assertEqual(self.left_behind(), [])
                self.start()
                self.script("link add lan0 52:54:00:00:00:01")

    def test_by_forgetting_the_borrower(self):
        self.stop_at("after", "load-kernel")
        self.call(self.pairing, PAIRING, "Forget")
        self.script("open after load-kernel")
        self.come_back("cancelled")


class Fail(HandOff):
    def fails(self, reason, *words):
        self.begin(self.pairing)
        self.confirm()
        self.wait(lambda: len(self.states()) > 2 and self.states()[-1] == "idle", "the way back")
        self.come_back(reason)
        for word in words:
            self.assertIn(word, self.property("Detail"))

    def test_logind_gives_no_lock(self):
        self.mock("Fail", "(as)", ["Inhibit"])
        self.fails("step-failed", "suspending", "told to fail")

    def test_the_ramdisk_vanishes(self):
        self.begin(self.pairing)
        (self.machine / "var/lib/stiefelsystem/images/simulated.img").unlink()
        self.confirm()
        self.wait_for("State", "reverting")
        self.wait_for("State", "idle")
        self.assertIn(self.property("Reason"), ("blocked", "step-failed"))
        self.assertIn("stiefelctl update", self.property("Detail"))
        self.assertEqual(self.left_behind(), [])
        self.wait_for("ImageState", "missing", MANAGER)

    def test_a_damaged_ramdisk_is_not_loaded(self):
        image = self.machine / "var/lib/stiefelsystem/images/simulated.img"
        image.write_bytes(image.read_bytes()[::-1])
        self.fails("step-failed", "checksum")

    def test_network_manager_does_not_reload(self):
        self.mock("Fail", "(as)", ["NetworkManager.Reload"])
        self.fails("step-failed", "NetworkManager")

    def test_networkd_does_not_reload(self):
        self.mock("Fail", "(as)", ["networkd.Reload"])
        self.fails("step-failed", "systemd-networkd")

    def test_the_kernel_cannot_be_loaded(self):
        (self.machine / "loaded").write_text("in the way")
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "reverting")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "step-failed")
        # Undoing went on after this error, and told of it.
        self.assertIn("unload", self.property("Detail"))
        self.assertEqual(self.left_behind(), ["loaded"])

    def test_logind_refuses_to_reboot(self):
        self.mock("Fail", "(as)", ["RebootWithFlags"])
        self.fails("reboot-refused", "told to fail")

    def test_the_shutdown_is_given_up(self):
        self.begin(self.pairing)
        self.confirm()
        self.wait_for("State", "leaving")
        self.wait(lambda: "RebootWithFlags 3" in self.mock("Calls"), "the reboot")
        self.mock("GiveUpShutdown")
        self.come_back("reboot-refused")


class Crash(HandOff):
    def test_at_every_step(self):
        for step in STEPS:
            for when in ("before", "after", "undo"):
                with self.subTest(step=step, when=when):
                    if when == "undo":
                        self.script(f"close undo {step}")
                        self.stop_at("before", "leave") if step == STEPS[-1] else self.stop_at(
                            "before", STEPS[STEPS.index(step) + 1]
                        )
                        if step == STEPS[-1]:
                            self.mock("Fail", "(as)", ["RebootWithFlags"])
                            self.script("open before leave")
                        else:
                            self.cancel()
                            self.script(f"open before {STEPS[STEPS.index(step) + 1]}")
                        self.script(f"await undo {step}")
                    else:
                        self.stop_at(when, step)
                    self.kill()
                    self.mock("Fail", "(as)", [])
                    # The kernel closes what a dead process held.
                    self.wait(lambda: self.mock("Locks") == 0, "the end of the lock")
                    self.start()
                    self.assertEqual(self.left_behind(), [])
                    self.assertEqual(self.property("State"), "idle")
                    self.script("link add lan0 52:54:00:00:00:01")

    def test_before_the_reboot_was_ordered(self):
        self.stop_at("before", "leave")
        self.kill()
        self.assertIn("loaded", self.left_behind())
        self.mock("Calls")
        self.start()
        self.assertEqual(self.left_behind(), [])
        self.assertIn("NetworkManager.Reload 1", self.mock("Calls"))

    def test_a_kernel_of_somebody_else_stays(self):
        self.kill()
        (self.machine / "loaded").mkdir()
        self.start()
        self.assertEqual(self.left_behind(), ["loaded"])


class Search(HandOff):
    def configure(self):
        self.write("etc/stiefelsystem/20-quick.toml", QUICK)
        super().configure()
        self.id = self.pairing.rsplit("/")[-1]

    def policy(self, policy):
        self.assertEqual(self.ctl("policy", "Desk", policy).returncode, 0)

    def test_wakes_and_waits_for_a_yes(self):
        self.write("etc/stiefelsystem/20-quick.toml", "")
        self.ctl_ok("arm")
        self.call(ROOT, MANAGER, "Refresh")
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

    def ctl_ok(self, *arguments):
        done = self.ctl(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_without_a_yes_nothing_happens(self):
        self.arm()
        self.script(f"wake {self.id}")
        self.wait_for("State", "announced")
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
        self.wait_for("State", "leaving")

    def test_automatic_goes_ahead(self):
        self.arm()
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
        self.wait_for("State", "leaving")

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
        self.assertEqual(self.left_behind(), [])
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
        self.wait(lambda: self.property("Blockers"), "the blocker")
        [(subject, text, hint)] = self.property("Blockers")
        self.assertEqual((subject, text), ("inhibitor", "apt forbids to shut down: upgrade"))
        self.assertTrue(hint)
        self.assertIn(("inhibitor", "block", text, hint), self.property("Checks", MANAGER))
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
        self.wait(lambda: self.property("Blockers"), "the blocker")
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
        self.wait(lambda: self.property("Blockers"), "the blocker")
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
