"""The icon in the panel: what it shows, what it offers, and that it comes and goes with the host."""

from desk import MANAGER, ROOT, Case
from shell import Panel

LENDER_END = ["-", "[Open]", "[Quit]"]


class Tray(Case):
    def setUp(self):
        super().setUp()
        self.panel = Panel(self.session)
        self.addCleanup(self.panel.go)

    def item(self):
        """The icon, as soon as there is one."""
        self.wait(lambda: self.panel.items, "the icon")
        return self.panel.items[-1]

    def told(self):
        return [member for member, _ in self.panel.signals]

    def told_since(self, member):
        told = self.told()
        return told[told.index(member) :] if member in told else []

    def wait_for_menu(self, *start):
        wanted = [*start, *LENDER_END]
        item = self.item()
        self.wait(lambda: item.menu() == wanted, lambda: f"the menu {wanted}, it is {item.menu()},")

    def wait_for_icon(self, icon):
        item = self.item()
        self.wait(lambda: item.icon() == icon, lambda: f"the icon {icon}, it is {item.icon()},")

    def test_the_way_from_ready_to_leaving_and_back(self):
        self.launch("--background")
        self.wait_for_icon("idle")
        self.wait_for_menu("The disk is not lent", "-", "[Lend My Disk]")
        self.item().click("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)
        self.wait_for_icon("armed")
        self.wait_for_menu("Waiting for a paired computer", "-", "[Hand Over Without Waiting]", "[Stop Waiting]")

        self.script("seek Workstation always", "wake Workstation")
        self.wait_for_icon("announced!")
        self.wait_for_menu("Workstation wants to boot from here", "-", "[Lend Now]", "[Not Now]")
        self.item().click("Not Now")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "cancelled")
        self.wait_for_icon("armed")

        self.script("close before claim-link")
        self.begin(self.pairing("Workstation"))
        self.wait_for_icon("announced!")
        self.item().click("Lend Now")
        self.wait_for("State", "preparing")
        self.wait_for_icon("handing-over")
        self.wait_for_menu("Handing over to Workstation", "-", "[Cancel]")
        self.item().click("Cancel")
        self.wait_for("State", "reverting")
        self.script("open before claim-link")
        self.wait_for("State", "idle")
        self.wait_for_menu("Waiting for a paired computer", "-", "[Lend to Workstation]", "[Stop Waiting]")
        self.item().click("Stop Waiting")
        self.wait_for("Armed", False, MANAGER)
        self.wait_for_icon("idle")

    def test_the_icon_comes_and_goes_with_the_host(self):
        self.panel.go()
        self.launch("--background")
        self.panel = Panel(self.session)
        first = self.item()
        self.assertTrue(self.owner(first.name))
        self.panel.go()
        self.wait(lambda: not self.owner(first.name), "the end of the icon")
        self.panel = Panel(self.session)
        self.wait_for_icon("idle")

    def test_nothing_is_told_of_what_has_not_changed(self):
        self.launch("--background")
        self.wait_for_icon("idle")
        self.wait_for_menu("The disk is not lent", "-", "[Lend My Disk]")
        self.arm()
        # The menu is the last that is told of a change.
        self.wait(lambda: "LayoutUpdated" in self.told_since("NewIcon"), "the new menu")
        self.panel.signals.clear()
        # A percent of the own battery is nothing that the tray shows.
        self.script("power 86 mains", "power 85 mains")
        self.call(ROOT, MANAGER, "Disarm")
        self.wait(lambda: "LayoutUpdated" in self.told_since("NewIcon"), "the new menu")
        told = self.told()
        self.assertEqual(told.count("NewIcon"), 1, told)
        self.assertEqual(told.count("LayoutUpdated"), 1, told)

    def test_open_and_quit(self):
        self.launch("--background")
        self.item().click("Open")
        self.wait(lambda: self.desk.screen.window(self.app.pid), "the window")
        self.item().click("Quit")
        self.assertEqual(self.app.wait(60), 0)


class Borrower(Tray):
    MACHINE = "borrower-held"

    # What the others show is theirs.
    test_the_way_from_ready_to_leaving_and_back = None
    test_the_icon_comes_and_goes_with_the_host = None
    test_nothing_is_told_of_what_has_not_changed = None
    test_open_and_quit = None

    def test_the_lenders_battery_and_the_cable(self):
        self.launch("--background")
        self.wait_for_icon("lent")
        battery = "Battery of Laptop: {} %, {}plugged in"
        self.wait_for_menu("Running from Laptop", battery.format(87, ""), "-", "[Give Back…]")
        self.script("loan power 12 battery low 1200")
        self.wait_for_icon("lent!")
        self.wait_for_menu("Running from Laptop", battery.format(12, "not "), "-", "[Give Back…]")
        self.script("loan freeze unplugged")
        self.wait_for_icon("frozen!")
        self.script("loan power 60 mains", "loan resume")
        self.wait_for_icon("lent")
