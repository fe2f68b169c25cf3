"""What GNOME Shell's search finds."""

from desk import APP, MANAGER, Case

PATH = "/org/stiefelsystem/Stiefelsystem/SearchProvider"
INTERFACE = "org.gnome.Shell.SearchProvider2"


class Search(Case):
    def search(self, *terms):
        return self.ask(APP, PATH, INTERFACE, "GetInitialResultSet", "(as)", terms) or []

    def test_what_is_found_is_what_can_be_asked(self):
        # As the shell does it: the application is started by the question.
        self.ask("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                 "UpdateActivationEnvironment", "(a{ss})", {"DBUS_SYSTEM_BUS_ADDRESS": self.address})
        self.addCleanup(self.quit)
        self.assertEqual(self.search("lend", "disk"), ["lend"])
        (meta,) = self.ask(APP, PATH, INTERFACE, "GetResultMetas", "(as)", ["lend", "disarm"])
        self.assertEqual((meta["id"], meta["name"]), ("lend", "Lend My Disk"))
        self.ask(APP, PATH, INTERFACE, "ActivateResult", "(sasu)", "lend", ["lend"], 0)
        self.wait_for("Armed", True, MANAGER)
        self.wait(lambda: "disarm" in self.search("disk"), "the other answer")
        more = self.ask(APP, PATH, INTERFACE, "GetSubsearchResultSet", "(asas)", ["disarm"], ["elephant"])
        self.assertEqual(more or [], [])

    def quit(self):
        owner = self.owner(APP)
        if owner:
            self.act("quit")
            self.wait(lambda: self.owner(APP) != owner, "the end of the application")
