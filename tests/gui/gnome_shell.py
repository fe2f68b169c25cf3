"""The same in GNOME Shell: its panel, its notifications, its search, and the quick setting.

Run by themselves, since the desktop is another one: tests/gui/inside gnome
"""

from desk import MANAGER, Case
from gnome import INDICATORS, TOGGLE

# The icon of the application in the panel: the newest, since that of an application that has
# ended stays for a while.
ICON = "Main.panel.statusArea[Object.keys(Main.panel.statusArea).findLast(k => k.includes('appindicator'))]"
# How often a menu is opened until it has what it should have, and how long that may take.
OPENED_AT_MOST = 12
FILLED_SECS = 5
SOURCES = "Main.messageTray.getSources().flatMap(s => s.notifications)"
LEND = ("Main.panel.statusArea.quickSettings._indicators.get_children()"
        ".flatMap(i => i.quickSettingsItems ?? []).find(i => i.title === 'Lend My Disk')")


class Shell(Case):
    def setUp(self):
        super().setUp()
        self.shell = self.desk.screen

    def click(self, label):
        """An entry of the icon's menu, which is brought up to date when it opens, and which the
        shell closes, or leaves as it was, when it is itself not done with something."""
        entry = f"{ICON}.menu._getMenuItems().find(i => i.label?.text === '{label}')"
        self.addCleanup(self.shell.eval, f"{ICON}?.menu.close(); true")
        for left in reversed(range(OPENED_AT_MOST)):
            try:
                self.shell.until(f"({ICON}.menu.isOpen || ({ICON}.menu.open(), false))"
                                 f" && {entry}.get_transformed_position().every(Number.isFinite)",
                                 f"the entry {label}", FILLED_SECS)
                break
            except TimeoutError:
                if not left:
                    raise
                self.shell.eval(f"{ICON}?.menu.close(); true")
        self.shell.click(entry)
        self.shell.until(f"!{ICON}?.menu.isOpen", "the end of the menu")

    def test_the_extensions_are_loaded(self):
        for uuid in (INDICATORS, TOGGLE):
            self.assertEqual(self.shell.eval(f"Main.extensionManager.lookup('{uuid}').error"), "")
            self.assertEqual(self.shell.eval(f"Main.extensionManager.lookup('{uuid}').state"), 1)

    def test_the_icon_and_its_menu(self):
        self.launch("--background")
        self.click("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)
        self.begin(self.pairing("Workstation"))
        self.click("Not Now")
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), "cancelled")

    def test_a_notification_with_buttons(self):
        self.launch("--background")
        self.begin(self.pairing("Workstation"))
        title = "Workstation wants to boot from this computer"
        self.shell.until(f"{SOURCES}.some(n => n.title === '{title}')", "the notification")
        labels = self.shell.eval(f"{SOURCES}.find(n => n.title === '{title}').actions.map(a => a.label)")
        self.assertEqual(labels, ["Lend Now", "Not Now"])
        self.shell.eval(f"{SOURCES}.find(n => n.title === '{title}').actions[1].activate(); true")
        self.wait_for("State", "idle")
        self.shell.until(f"!{SOURCES}.some(n => n.title === '{title}')", "the end of the notification")

    def test_a_button_in_the_window(self):
        self.launch()
        self.press("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)

    def test_the_quick_setting(self):
        self.shell.until(f"{LEND}.checked === false", "the quick setting")
        settings = "Main.panel.statusArea.quickSettings"
        self.shell.eval(f"{settings}.menu.open(); true")
        self.addCleanup(self.shell.eval, f"{settings}.menu.close(); true")
        self.shell.click(LEND)
        self.wait_for("Armed", True, MANAGER)
        self.shell.until(f"{LEND}.checked", "the quick setting to be on")
        self.shell.click(LEND)
        self.wait_for("Armed", False, MANAGER)
        self.arm()
        self.shell.until(f"{LEND}.checked", "the quick setting to be on")
        self.kill()
        self.shell.until(f"!{LEND}.checked", "the quick setting to be off without a daemon")


