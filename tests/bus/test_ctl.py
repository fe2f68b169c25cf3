"""stiefelctl: what it says, and how it ends."""

import json
import subprocess

from harness import BIN, LINK, ROOT, Case


class Ctl(Case):
    def ok(self, *arguments):
        done = self.ctl(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def refused(self, *arguments):
        done = self.ctl(*arguments)
        self.assertEqual(done.returncode, 1, done)
        self.assertTrue(done.stderr.startswith("stiefelctl: "), done)
        return done.stderr

    def test_the_whole_way(self):
        self.assertIn("Not armed", self.ok("status"))
        self.ok("pair", "Desk")
        self.assertIn("Armed", self.ok("arm") and self.ok("status"))
        self.assertIn("Desk", self.ok("pairings"))
        self.ok("lend", "Desk")
        self.assertIn("about to be lent to Desk", self.ok("status"))
        self.assertIn("Called off", self.ok("cancel"))
        self.assertIn("nothing to call off", self.ok("cancel"))
        self.assertIn("called off", self.ok("status"))
        self.ok("lend", "--now", "--wait", "Desk")
        self.wait_for("State", "leaving")

    def test_refusals_end_with_a_failure_and_a_way_out(self):
        self.assertIn("stiefelctl pair", self.refused("lend"))
        self.assertIn("stiefelctl pair", self.refused("lend", "Desk"))
        self.assertIn("no hand-off waits", self.refused("confirm"))
        self.ok("pair", "Desk")
        self.assertIn("another name", self.refused("pair", "Desk"))
        self.assertIn("there are: Desk", self.refused("forget", "Desc"))
        self.assertIn("1 to 48 bytes", self.refused("pair", ""))
        self.script("power 7 battery")
        self.assertIn("charger", self.refused("lend", "Desk"))
        self.mock("Polkit", "(s)", "no")
        self.assertIn("sudo", self.refused("arm"))

    def test_a_hand_off_that_comes_back_is_a_failure(self):
        self.ok("pair", "Desk")
        self.mock("Fail", "(as)", ["Inhibit"])
        self.assertIn("suspending", self.refused("lend", "--now", "--wait", "Desk"))

    def test_names_and_ids_find_a_pairing(self):
        made = json.loads(self.ok("pair", "--json", "Desk"))
        self.assertEqual(made["path"], f"{ROOT}/pairings/{made['id']}")
        self.ok("rename", "Desk", "Bench")
        self.ok("policy", made["id"], "automatic")
        [pairing] = json.loads(self.ok("pairings", "--json"))
        self.assertEqual(
            (pairing["id"], pairing["name"], pairing["policy"], pairing["presence"]),
            (made["id"], "Bench", "automatic", "away"),
        )
        self.ok("forget", "Bench")
        self.assertEqual(json.loads(self.ok("pairings", "--json")), [])

    def test_status_as_json(self):
        self.script("link add lan0 52:54:00:00:00:01")
        status = json.loads(self.ok("status", "--json"))
        self.assertEqual(status["role"], "lender")
        self.assertEqual(status["disk"]["id"], "SIM0")
        self.assertEqual(status["hand_off"]["state"], "idle")
        self.assertEqual(status["links"][0]["interface"], "lan0")
        self.assertIn("image", [check["subject"] for check in status["checks"]])

    def test_links_and_what_they_are_used_for(self):
        self.assertIn("no wired interface", self.ok("links"))
        self.script("link add lan0 52:54:00:00:00:01")
        self.assertIn("lan0  shared, up, 1000 Mbit/s, 52:54:00:00:00:01", self.ok("links"))
        self.ok("link", "52:54:00:00:00:01", "dedicated")
        self.ok("arm")
        self.wait_for("Managed", False, LINK, f"{ROOT}/links/lan0")
        self.assertIn("kept for lending", self.ok("links"))
        [link] = json.loads(self.ok("links", "--json"))
        self.assertEqual((link["policy"], link["device_id"]), ("dedicated", "0bda:8156"))
        self.assertIn("there are: lan0", self.refused("link", "lan7", "ignore"))
        self.assertEqual(self.ctl("link", "lan0", "sometimes").returncode, 2)

    def test_the_ramdisk_is_made(self):
        self.assertIn("ready", self.ok("make-image"))
        self.script("fail update-image")
        self.assertIn("fail", self.refused("make-image"))
        self.ok("make-image", "--no-wait")

    def test_monitor_tells_every_change(self):
        monitor = subprocess.Popen(
            [BIN / "stiefelctl", "--bus", self.address, "monitor", "--json"],
            stdout=subprocess.PIPE, text=True,
        )
        self.addCleanup(monitor.stdout.close)
        self.addCleanup(self._end, monitor)

        def until(**expected):
            for line in monitor.stdout:
                event = json.loads(line)
                if expected.items() <= event.items():
                    return
            self.fail(f"the monitor ended before {expected}")

        until(property="State", value="idle")
        until(property="Armed", value=False)
        pairing = self.pair()
        until(path=pairing, event="added")
        self.begin(pairing)
        until(property="State", value="announced")
        self.cancel()
        until(property="State", value="idle")
        self.call(pairing, "org.stiefelsystem.Stiefel1.Pairing", "Forget")
        until(path=pairing, event="removed")

    def test_without_a_daemon(self):
        self.kill()
        self.assertIn("systemctl status stiefeld", self.refused("status"))

    def test_without_a_bus(self):
        command = [BIN / "stiefelctl", "--bus", f"unix:path={self.folder}/nothing", "status"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("dbus", done.stderr)

    def test_help_and_usage(self):
        self.assertIn("The first time", self.ok("--help"))
        self.assertEqual(self.ctl("lent").returncode, 2)
