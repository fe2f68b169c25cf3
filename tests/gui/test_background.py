"""Whether it goes on when its window is closed: as long as somebody will want to hear of something."""

from desk import MANAGER, Case
from shell import Corner, Panel


class Window(Case):
    def setUp(self):
        super().setUp()
        self.corner = Corner(self.session)
        self.addCleanup(self.corner.go)
        self.panel = Panel(self.session)
        self.addCleanup(self.panel.go)

    def close_window(self):
        self.desk.screen.command(f"[pid={self.app.pid}] kill")

    def test_without_anything_to_tell_it_ends_with_its_window(self):
        self.launch()
        self.see("Ready to Lend", "heading")
        self.assertEqual(self.panel.items, [])
        self.close_window()
        self.assertEqual(self.app.wait(60), 0)

    def test_while_it_waits_it_stays_and_asks(self):
        self.launch()
        self.press("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)
        self.wait(lambda: self.panel.items, "the icon")
        self.close_window()
        self.wait(lambda: not self.desk.screen.window(self.app.pid), "the end of the window")
        self.script("seek Workstation always", "wake Workstation")
        title = "Workstation wants to boot from this computer"
        self.wait(lambda: title in self.corner.titles(), "the question")
        self.corner.press(title, "Not Now")
        self.wait_for("State", "idle")
        self.script("seek-no-more Workstation")
        self.assertIsNone(self.app.poll())
        self.panel.items[-1].click("Stop Waiting")
        self.wait_for("Armed", False, MANAGER)
        self.assertEqual(self.app.wait(60), 0)


class Borrower(Window):
    MACHINE = "borrower-held"

    test_without_anything_to_tell_it_ends_with_its_window = None
    test_while_it_waits_it_stays_and_asks = None

    def test_a_loan_is_watched_without_a_window(self):
        self.launch()
        self.see("Running From Laptop", "heading")
        self.close_window()
        self.wait(lambda: not self.desk.screen.window(self.app.pid), "the end of the window")
        self.script("loan power 14 battery low 1200")
        self.wait(lambda: "The battery of Laptop is low" in self.corner.titles(), "the warning")
