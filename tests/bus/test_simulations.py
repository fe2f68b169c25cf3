"""The simulations that clients are worked on and tested with are in the states that they are named after."""

import pathlib
import re

from harness import DRIVE, HANDOFF, JOB, LOAN, MANAGER, PAIRING, PROPERTIES, ROOT, TREE, Case

FOLDER = TREE / "tests" / "simulations"


class Simulation(Case):
    SERVICES = []

    def configure(self):
        pass

    def play(self, name):
        """Starts the simulation; all of it has happened when this returns."""
        self.machine_script = FOLDER / f"{name}.sim"
        self.start()
        self.assertNotIn("line ", (self.folder / "log").read_text(), name)

    def simulate(self):
        return ["--simulate", self.machine_script, "--state", self.machine]

    def get(self, name, interface=HANDOFF, path=ROOT):
        return self.call(path, PROPERTIES, "Get", "(ss)", interface, name)

    def check(self, interface=HANDOFF, path=ROOT, **expected):
        found = {name: self.get(name, interface, path) for name in expected}
        self.assertEqual(found, expected)

    def paths(self, part):
        return [path for path in self.objects() if f"/{part}/" in path]

    def blocks(self):
        return [check[0] for check in self.get("Checks", MANAGER) if check[1] == "block"]


class States(Simulation):
    def test_setup_needed(self):
        self.play("setup-needed")
        self.assertEqual(self.blocks(), ["image", "names", "unlocking", "pairing"])
        remedies = {check[0]: check[4] for check in self.get("Checks", MANAGER) if check[4]}
        self.assertEqual(remedies, {"image": "update-image", "pairing": "pair"})

    def test_no_pairings(self):
        self.play("no-pairings")
        self.assertEqual(self.blocks(), ["pairing"])

    def test_ready(self):
        self.play("ready")
        self.check(Armed=False, interface=MANAGER)
        self.check(State="idle", Blockers=[])
        self.assertEqual((len(self.paths("pairings")), len(self.paths("links"))), (2, 2))

    def test_waiting(self):
        self.play("waiting")
        self.check(Armed=True, interface=MANAGER)
        self.check(State="idle", Blockers=[])
        self.wait(
            lambda: {self.get("Presence", PAIRING, path) for path in self.paths("pairings")}
            == {"away"},
            "the end of the search",
        )

    def test_announced(self):
        self.play("announced")
        self.check(State="announced", AtDeadline="go-ahead", Trigger="search", CountdownUsec=60_000_000)

    def test_announced_asking(self):
        self.play("announced-asking")
        self.check(State="announced", AtDeadline="call-off", CountdownUsec=120_000_000)
        self.check(Name="Workstation", interface=PAIRING, path=self.get("Borrower"))

    def test_announced_on_battery(self):
        self.play("announced-on-battery")
        self.check(State="announced", AtDeadline="call-off", CountdownUsec=120_000_000)
        self.assertIn("charger", self.get("Detail"))

    def test_announced_blocked(self):
        self.play("announced-blocked")
        self.check(State="idle", Reason="blocked")
        self.assertIn("Workstation asked for the disk, but: apt", self.get("Detail"))

    def test_handing_over(self):
        self.play("handing-over")
        self.check(State="preparing", Step="claim-link")
        self.script("open before claim-link")
        self.wait_for("State", "leaving")

    def test_handing_over_failed(self):
        self.play("handing-over-failed")
        self.wait_for("State", "idle")
        self.check(Reason="step-failed")

    def test_lent(self):
        self.play("lent")
        self.check(State="leaving")

    def test_given_back(self):
        self.play("given-back")
        borrower, left, back = self.get("LastLoan", MANAGER)
        self.assertIn(borrower, self.paths("pairings"))
        self.assertEqual((back - left) // 1_000_000, 7180)

    def test_low_battery(self):
        self.play("low-battery")
        self.assertEqual(self.blocks(), ["power"])

    def test_borrower_held(self):
        self.play("borrower-held")
        self.check(Role="borrower", interface=MANAGER)
        self.check(State="held", Lender="Laptop", Warnings=[], interface=LOAN)

    def test_borrower_low_power(self):
        self.play("borrower-low-power")
        self.check(Ending="low-power", BatteryWarning="critical", interface=LOAN)

    def test_borrower_asked(self):
        self.play("borrower-asked")
        self.check(Ending="asked", State="held", interface=LOAN)
        self.assertGreater(self.get("EndsUsec", LOAN), 0)

    def test_borrower_frozen(self):
        self.play("borrower-frozen")
        self.check(State="frozen", Cable="unplugged", interface=LOAN)

    def test_borrower_lost(self):
        self.play("borrower-lost")
        self.check(State="lost", interface=LOAN)

    def test_coming_back(self):
        self.play("coming-back")
        self.check(State="closing", interface=LOAN)

    def test_drives(self):
        self.play("drives")
        states = {self.get("State", DRIVE, path) for path in self.paths("drives")}
        self.assertEqual(states, {"free", "mounted", "too-small"})

    def test_writing_stick(self):
        self.play("writing-stick")
        [job] = self.paths("jobs")
        self.check(State="running", Phase="writing", Progress=0.5, interface=JOB, path=job)

    def test_updating_image(self):
        self.play("updating-image")
        self.check(ImageState="building", interface=MANAGER)

    def test_journey(self):
        self.play("journey")
        self.check(State="idle", Trigger="")

    def test_each_has_a_test_and_a_word_in_the_readme(self):
        named = {path.stem for path in FOLDER.glob("*.sim")}
        tested = {name[5:].replace("_", "-") for name in dir(self) if name.startswith("test_")}
        self.assertLessEqual(named, tested)
        readme = (FOLDER / "README.md").read_text()
        self.assertEqual(set(re.findall(r"^\| `([a-z-]+)` \|", readme, re.M)), named)


class Script(Simulation):
    """The file, the folder and the socket of a simulation."""

    def simulate(self):
        return ["--simulate", self.machine_script]

    def test_a_folder_of_its_own_goes_with_it(self):
        self.play("ready")
        log = (self.folder / "log").read_text()
        socket = re.search(r"takes commands at (\S+)/script", log).group(1)
        self.assertEqual(self.daemon.poll(), None)
        folder = pathlib.Path(socket)
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.terminate(), 0)
        self.assertFalse(folder.exists())

    def test_a_wrong_line_is_told_and_the_others_hold(self):
        self.machine_script = self.folder / "wrong.sim"
        self.machine_script.write_text("pair One\nfly away\nlink add lan0 nonsense\npair Two\n")
        self.start()
        log = (self.folder / "log").read_text()
        self.assertIn("line 2 of the script: fly away: unknown command", log)
        self.assertIn("line 3 of the script", log)
        self.assertEqual(len(self.paths("pairings")), 2)

