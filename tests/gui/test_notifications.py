"""What a person is told of who does not look, and what they can do about it there."""

from desk import Case
from shell import Corner

ASKED = "{} wants to boot from this computer"


class Notifications(Case):
    def setUp(self):
        super().setUp()
        self.corner = Corner(self.session)
        self.addCleanup(self.corner.go)

    def wait_for_titles(self, *titles):
        self.wait(lambda: self.corner.titles() == list(titles), lambda: f"{titles}, it is {self.corner.titles()},")
        self.settle()


class Lender(Notifications):
    def test_a_question_is_answered_and_taken_back(self):
        self.launch("--background")
        self.arm()
        self.script("seek Workstation always", "wake Workstation")
        title = ASKED.format("Workstation")
        self.wait_for_titles(title)
        (asked,) = self.corner.shown.values()
        self.assertEqual(set(asked.actions) - {""}, {"Lend Now", "Not Now"})
        self.assertEqual(asked.urgency, 2)
        self.corner.press(title, "Not Now")
        self.wait_for("State", "idle")
        self.wait_for_titles()

        self.script("close before claim-link")
        self.begin(self.pairing("Workstation"))
        self.wait_for_titles(title)
        self.corner.press(title, "Lend Now")
        self.wait_for("State", "preparing")
        self.wait_for_titles()

    def test_a_failure_is_news(self):
        self.launch("--background")
        self.script("fail load-kernel")
        self.begin(self.pairing("Workstation"))
        self.wait_for_titles(ASKED.format("Workstation"))
        self.confirm()
        self.wait_for_states("reverting", "idle")
        self.wait_for_titles("The disk could not be lent")

    def test_who_looks_is_not_told(self):
        self.launch()
        self.wait(lambda: self.focused(), "the window")
        self.begin(self.pairing("Workstation"))
        self.wait_for("State", "announced")
        # Whoever looks away is told then.
        self.desk.screen.command("workspace 2")
        self.wait_for_titles(ASKED.format("Workstation"))
        self.desk.screen.command("workspace 1")
        self.wait_for_titles()
        self.assertEqual(self.corner.sent, 1)

    def focused(self):
        return [window for window in self.desk.screen.window(self.app.pid) if window["focused"]]


class GivenBack(Notifications):
    MACHINE = "given-back"

    def test_the_disk_is_back(self):
        self.launch("--background")
        self.wait_for_titles("The disk is back")


class Borrower(Notifications):
    MACHINE = "borrower-held"

    def test_power_cable_and_the_end(self):
        self.launch("--background")
        self.script("loan power 60 battery none 9000")
        self.wait_for_titles("Laptop runs on its battery")
        self.script("loan power 14 battery low 1200")
        self.wait_for_titles("The battery of Laptop is low")
        self.script("loan freeze unplugged")
        self.wait_for_titles("Laptop cannot be reached")
        self.script("loan power 60 mains", "loan resume")
        self.wait_for_titles()
        self.script("loan ask 300")
        self.wait_for_titles("Laptop asks to have its disk back")
