"""stiefelctl: what it says, and how it ends."""

import json
import os
import pty
import subprocess
import threading

from harness import BIN, LIMIT, LINK, MANAGER, ROOT, SETTINGS, Case

# Exit statuses; see the manual.
FAILED, USAGE, NO_DAEMON, NOT_ALLOWED, IN_THE_WAY, CALLED_OFF = 1, 2, 3, 4, 5, 6
INTERRUPTED = 130

# Commands that show something, and how to call them.
SHOWS = ["status", "checks", "pairings", "links", "drives", "jobs", "settings"]


class CtlCase(Case):
    def ok(self, *arguments):
        done = self.ctl(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def refused(self, *arguments, status=FAILED):
        done = self.ctl(*arguments)
        self.assertEqual(done.returncode, status, done)
        self.assertTrue(done.stderr.startswith("stiefelctl: "), done)
        return done.stderr

    def json(self, *arguments):
        return json.loads(self.ok(*arguments, "--json"))

    def begin_ctl(self, *arguments, **options):
        """A stiefelctl that goes on."""
        command = [str(word) for word in (BIN / "stiefelctl", "--bus", self.address, *arguments)]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        process = self._spawn(command, **options)
        # Whoever reads from one that says nothing more reads its end.
        end = threading.Timer(LIMIT, process.kill)
        end.start()
        self.addCleanup(end.cancel)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                self.addCleanup(stream.close)
        return process

    def on_a_terminal(self, *arguments, answer="", **environment):
        """Status and output of a stiefelctl whose input and outputs are one terminal."""
        ours, theirs = pty.openpty()
        command = [str(word) for word in (BIN / "stiefelctl", "--bus", self.address, *arguments)]
        env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = self._spawn(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=env | {"TERM": "xterm"} | environment
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            # A terminal whose last user has gone.
            pass
        os.close(ours)
        return process.wait(LIMIT), shown.decode()


class Ctl(CtlCase):
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
        self.assertIn("there are: Desk", self.refused("forget", "--yes", "Desc"))
        self.assertIn("1 to 48 bytes", self.refused("pair", ""))
        self.script("power 7 battery")
        self.assertIn("charger", self.refused("lend", "Desk", status=IN_THE_WAY))
        self.call_as_nobody()
        self.mock("Polkit", "(s)", "no")
        self.assertIn("sudo", self.refused("arm", status=NOT_ALLOWED))
        self.assertIn("sudo", self.refused("policy", "Desk", "never", status=NOT_ALLOWED))

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
        self.ok("forget", "--yes", "Bench")
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
        self.wait(lambda: (f"{ROOT}/links/lan0", LINK) in self.seen, "the link")
        self.assertIn(
            "\nlan0       shared  up     1 Gbit/s  52:54:00:00:00:01  usb 0bda:8156 simulated\n",
            self.ok("links"),
        )
        self.ok("link", "52:54:00:00:00:01", "dedicated")
        self.ok("arm")
        self.wait_for("Managed", False, LINK, f"{ROOT}/links/lan0")
        self.assertIn("kept for lending", self.ok("links"))
        [link] = self.json("links")
        self.assertEqual((link["policy"], link["device_id"]), ("dedicated", "0bda:8156"))
        self.assertIn("there are: lan0", self.refused("link", "lan7", "ignore"))
        self.assertEqual(self.ctl("link", "lan0", "sometimes").returncode, USAGE)

    def test_checks_say_what_to_do_and_fail_if_one_forbids(self):
        self.assertIn("stiefelctl pair", self.ctl("checks").stdout)
        self.ok("pair", "Desk")
        self.assertNotIn("NO", self.ok("checks"))
        self.script("power 7 battery")
        done = self.ctl("checks", "--json")
        self.assertEqual((done.returncode, done.stderr), (IN_THE_WAY, ""))
        [power] = [check for check in json.loads(done.stdout) if check["subject"] == "power"]
        self.assertEqual(power["verdict"], "block")
        self.assertIn("-> " + power["hint"], self.ctl("checks").stdout)
        self.assertIn("-> " + power["hint"], self.ok("status"))
        self.assertIn("cannot be lent", self.ok("status"))

    def test_settings(self):
        self.ok("set", "on-battery", "allow")
        self.ok("set", "countdown-secs", "30")
        self.assertEqual(self.property("OnBattery", SETTINGS), "allow")
        settings = self.json("settings")
        self.assertEqual((settings["on_battery"], settings["countdown_secs"]), ("allow", 30))
        self.assertIn("countdown-secs   30\n", self.ok("settings"))
        self.assertIn("number", self.refused("set", "confirm-secs", "soon"))
        self.refused("set", "countdown-secs", "1000000")
        self.refused("set", "on-battery", "sometimes")
        self.assertEqual(self.ctl("set", "warp", "9").returncode, USAGE)
        self.ok("reset-settings")
        self.assertEqual(self.json("settings")["on_battery"], "warn")

    def test_the_machine_is_looked_at_again(self):
        self.write("etc/stiefelsystem/50.toml", "[hand-off]\nwarp = 9\n")
        self.ok("refresh")
        self.assertIn("warp", self.ctl("checks").stdout)

    def test_what_cannot_be_undone_is_asked_for(self):
        self.ok("pair", "Desk")
        self.assertIn("--yes", self.refused("forget", "Desk"))
        status, shown = self.on_a_terminal("forget", "Desk", answer="n\n")
        self.assertEqual(status, CALLED_OFF, shown)
        self.assertIn("Forget Desk?", shown)
        self.assertEqual(len(self.json("pairings")), 1)
        status, shown = self.on_a_terminal("forget", "Desk", answer="y\n")
        self.assertEqual(status, 0, shown)
        self.assertEqual(self.json("pairings"), [])

    def test_colours_are_for_terminals_and_for_nobody_who_wants_none(self):
        for command in ("status", "checks"):
            self.assertNotIn("\x1b", self.ctl(command).stdout)
            self.assertIn("\x1b[32m", self.on_a_terminal(command)[1])
            self.assertNotIn("\x1b", self.on_a_terminal(command, NO_COLOR="1")[1])
            self.assertNotIn("\x1b", self.on_a_terminal(command, "--json")[1])

    def test_nobody_elses_text_moves_the_cursor(self):
        self.mock("Inhibitors", "(a(ssss))", [("shutdown", "e\x1b[2Jvil", "w\x07hy", "block")])
        self.wait(lambda: "vil" in str(self.property("Checks", MANAGER)), "the inhibitor")
        for shown in (self.ctl("checks").stdout, self.on_a_terminal("status", NO_COLOR="1")[1]):
            self.assertIn("vil", shown)
            self.assertNotIn("\x1b", shown)
            self.assertNotIn("\x07", shown)

    def test_a_reader_that_has_gone_ends_everything_quietly(self):
        self.ok("pair", "Desk")
        commands = [[name] for name in SHOWS] + [[name, "--json"] for name in SHOWS]
        for command in commands + [["monitor"], ["pair", "Bench"], ["--help"]]:
            reader, writer = os.pipe()
            os.close(reader)
            process = self.begin_ctl(*command, stdout=writer)
            os.close(writer)
            self.assertEqual((process.stderr.read(), process.wait(LIMIT)), ("", 0), command)

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "w") as full:
            process = self.begin_ctl("status", stdout=full)
        self.assertIn("cannot write the output", process.stderr.read())
        self.assertEqual(process.wait(LIMIT), FAILED)

    def test_without_a_daemon(self):
        self.kill()
        for command in SHOWS + ["monitor"]:
            self.assertIn("systemctl status stiefeld", self.refused(command, status=NO_DAEMON))

    def test_without_a_bus(self):
        command = [BIN / "stiefelctl", "--bus", f"unix:path={self.folder}/nothing", "status"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, NO_DAEMON)
        self.assertIn("dbus", done.stderr)

    def test_help_and_usage(self):
        self.assertIn("The first time", self.ok("--help"))
        self.assertNotIn("generate", self.ok("--help"))
        self.assertEqual(self.ctl("lent").returncode, USAGE)
