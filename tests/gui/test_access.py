"""Everything that is shown says what it is, and what there is to do can be done by keys alone."""

from desk import Case
from test_window import Lender

# Each with something by which one knows that it is there.
STATES = {
    "setup-needed": "Almost Ready to Lend",
    "ready": "Ready to Lend",
    "low-battery": "Before You Lend",
    "waiting": "Waiting for a Paired Computer",
    "announced-asking": "“Workstation” Wants Your Disk",
    "announced-on-battery": "“Living room” Wants Your Disk",
    "announced-blocked": "Workstation Is Searching",
    "handing-over": "Handing Over to Workstation",
    "lent": "Handing Over to Workstation",
    "borrower-held": "Running From Laptop",
    "borrower-low-power": "The Battery of Laptop Is Nearly Empty",
    "borrower-asked": "Laptop Wants Its Disk Back",
    "borrower-frozen": "Paused",
    "borrower-lost": "The Loan Is Over",
    "coming-back": "Giving the Disk Back…",
    "writing-stick": "Its stick is being made",
}
DIALOGS = {
    "new-pairing": "Continue",
    "preferences": "Run in the Background",
    "help": "What It Does",
    "about": "The Stiefelsystem contributors",
    "shortcuts": "Check this computer again",
}
PAGES = {
    "computers": "Who may borrow the disk while this computer waits.",
    "connections": "USB Network Adapter · enx00e04c680001",
}


class Names(Lender):
    def assert_all_are_named(self, what):
        self.settle()
        self.assertEqual(self.desk.eyes.nameless(self.app.pid), [], what)

    def test_each_state(self):
        self.launch()
        for machine, known_by in STATES.items():
            with self.subTest(machine):
                self.become(machine)
                self.see(known_by)
                self.assert_all_are_named(machine)

    def test_each_dialog(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        for action, known_by in DIALOGS.items():
            with self.subTest(action):
                self.act(action)
                self.see(known_by)
                self.assert_all_are_named(action)
                self.desk.screen.keys("Escape")
                self.see_no_more(known_by)
        for page, known_by in PAGES.items():
            with self.subTest(page):
                self.act("preferences-at", page)
                self.see(known_by)
                self.assert_all_are_named(page)
                self.desk.screen.keys("Escape")
                self.see_no_more(known_by)


class Keys(Lender):
    """No pointer is needed for anything."""

    MACHINE = "drives"

    def push(self, name):
        self.reach(name)
        self.desk.screen.keys("Return")

    def test_a_stick_is_made(self):
        self.script("jobs by-hand")
        self.launch()
        self.see("Ready to Lend", "heading")
        self.desk.screen.keys("ctrl+n")
        self.see("Continue", "button")
        self.desk.screen.write("Workshop")
        self.desk.screen.keys("Return")
        self.push("SanDisk Ultra Fit")
        self.see("Erase SanDisk Ultra Fit?")
        # Whoever presses Enter once too often erases nothing.
        self.desk.screen.keys("Return")
        self.see("Choose a Stick")
        self.push("SanDisk Ultra Fit")
        self.push("Erase and Write")
        self.wait_for_job("write-stick", "running")
        self.script("job done")
        self.see("The Stick Is Ready")
        self.push("Done")
        self.see("Ready to Lend", "heading")
        self.assertTrue(self.pairing("Workshop"))

    def test_a_hand_off_is_confirmed_and_stopped(self):
        self.become("announced-asking")
        self.script("close before claim-link")
        self.launch()
        self.push("Lend Now")
        self.wait_for("State", "preparing")
        self.push("Stop")
        self.wait_for("State", "reverting")
        self.script("open before claim-link")
        self.wait_for("State", "idle")

    def test_the_menu_and_what_it_opens(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        for keys, seen in [("F1", "What It Does"), ("ctrl+comma", "Run in the Background"),
                           ("ctrl+question", "Check this computer again")]:
            with self.subTest(keys):
                self.desk.screen.keys(keys)
                self.see(seen)
                self.desk.screen.keys("Escape")
                self.see_no_more(seen)
        self.desk.screen.keys("F10")
        self.see("Help", "menu item")


class Borrower(Case):
    MACHINE = "borrower-held"

    def test_the_plot_is_told_in_words(self):
        self.launch()
        self.see("Running From Laptop", "heading")
        self.script("loan still", "loan rate 42000000 0")
        plot = self.see("Reading (filled) and writing (dashed)", "image")
        self.wait(lambda: plot.get_description().startswith("Reading 42\u00a0MB/s"),
                  lambda: f"the plot in words, not {plot.get_description()!r}")

    def test_who_wants_it_back_is_read_out(self):
        self.launch()
        self.see("Running From Laptop", "heading")
        self.script("loan ask 300")
        self.hear("Laptop Wants Its Disk Back")
        self.script("loan ask no-more", "loan power 4 battery critical 420")
        self.hear("The Battery of Laptop Is Nearly Empty")

    def test_giving_back_by_keys(self):
        self.launch()
        self.reach("Give Back…")
        self.desk.screen.keys("Return")
        self.reach("Give Back")
        self.desk.screen.keys("Return")
        self.see("Giving the Disk Back…", "heading")
