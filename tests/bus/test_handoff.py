"""A hand-off leaves when all is ready, and otherwise nothing behind: whoever stops it, and where."""

from handoff import HandOff
from harness import HANDOFF, LINK, MANAGER, MOCKED, PAIRING, ROOT, STEPS


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
        # A hand-off whose first step fails has nothing to revert.
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
        self.wait_for_states("reverting", "idle")
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
        self.wait_for_states("reverting", "idle")
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
