"""A loan, seen from the borrower."""

from gi.repository import GLib

from harness import HANDOFF, LOAN, MANAGER, PROPERTIES, ROOT, SETTINGS, Case, DBusError


class Borrower(Case):
    def configure(self):
        super().configure()
        self.script("loan begin Laptop")
        self.wait_for("Role", "borrower", MANAGER)

    def give_back(self, **options):
        self.call(ROOT, LOAN, "GiveBack", "(a{sv})", options)

    def forbid_shutdown(self):
        self.mock("Inhibitors", "(a(ssss))", [("shutdown", "apt", "a long upgrade", "block")])
        self.wait_for_blocker("inhibitor")

    def power_offs(self):
        return [call for call in self.mock("Calls") if call.startswith("PowerOff")]


class Presence(Borrower):
    def test_is_there_as_long_as_the_role(self):
        added = [args for _, member, args in self.signals if member == "InterfacesAdded"]
        [(path, interfaces)] = [args for args in added if LOAN in args[1]]
        self.assertEqual(path, ROOT)
        self.assertEqual(interfaces[LOAN]["Lender"], "Laptop")
        # The loan is there before the role says so.
        members = [(member, args) for _, member, args in self.signals]
        came = members.index(("InterfacesAdded", (path, interfaces)))
        role = [at for at, (member, args) in enumerate(members)
                if member == "PropertiesChanged" and "Role" in args[1]]
        self.assertLess(came, role[0])
        self.script("loan end")
        self.wait_for("Role", "lender", MANAGER)
        self.wait(lambda: (ROOT, LOAN) not in self.seen, "the end of the loan")
        with self.assertRaises(DBusError):
            self.give_back()

    def test_lends_nothing_on(self):
        drive = "drive in sdb 16 Stick"
        self.script(drive)
        for call in [
            (ROOT, MANAGER, "Pair", "(s)", "Desk"), (ROOT, MANAGER, "Arm", "(a{sv})", {}),
            (ROOT, HANDOFF, "Cancel"), (ROOT, MANAGER, "UpdateImage"),
        ]:
            self.assert_refused("Borrowed", *call)
        self.call(ROOT, MANAGER, "Refresh")


class State(Borrower):
    def test_freezes_and_goes_on(self):
        self.assertEqual(self.property("State", LOAN), "held")
        self.assertEqual(self.property("Warnings", LOAN), [])
        self.script("loan freeze unplugged 60")
        self.wait_for("State", "frozen", LOAN)
        self.assertEqual(self.property("Cable", LOAN), "unplugged")
        self.assertGreater(self.property("FrozenSinceUsec", LOAN), 10**15)
        self.assertGreater(self.property("FrozenUntilUsec", LOAN), 0)
        [warning] = self.property("Warnings", LOAN)
        self.assertEqual(warning[:2], ("link", "critical"))
        self.script("loan freeze no-card")
        self.wait_for("Cable", "no-card", LOAN)
        self.script("loan resume")
        self.wait_for("State", "held", LOAN)
        self.assertEqual(self.property("FrozenUntilUsec", LOAN), 0)
        self.script("loan freeze connected", "loan lost")
        self.wait_for("State", "lost", LOAN)
        text = self.assert_refused("Failed", ROOT, LOAN, "GiveBack", "(a{sv})", {})
        self.assertIn("switch this machine off", text)

    def test_tells_how_the_lender_is(self):
        self.script("loan power 40 battery low 1200")
        self.wait_for("BatteryWarning", "low", LOAN)
        self.assertEqual(self.property("Battery", LOAN), 40)
        self.assertFalse(self.property("OnAc", LOAN))
        self.assertEqual(self.property("TimeToEmptyUsec", LOAN), 1_200_000_000)
        self.script("loan temperature 101", "loan disk failing 12 bad blocks", "loan speed 100")
        self.wait_for("LinkSpeedMbps", 100, LOAN)
        self.assertEqual(self.property("Temperature", LOAN), 101)
        self.assertEqual(self.property("DiskHealth", LOAN), "failing")
        self.assertEqual(self.property("DiskDetail", LOAN), "12 bad blocks")
        warnings = [warning[:2] for warning in self.property("Warnings", LOAN)]
        self.assertEqual(
            warnings,
            [("link", "warn"), ("power", "warn"), ("disk", "critical"), ("temperature", "critical")],
        )
        self.script("loan power none mains", "loan temperature 40", "loan disk good", "loan speed 2500")
        self.wait_for("Warnings", [], LOAN)
        self.assertEqual(self.property("Battery", LOAN), -1)


class Watching(Borrower):
    def test_moves_only_for_those_who_watch(self):
        self.call(ROOT, LOAN, "Subscribe")
        self.call(ROOT, LOAN, "Subscribe")
        first = self.property("RxBytes", LOAN)
        self.wait(lambda: self.property("RxBytes", LOAN) > first, "a measurement")
        self.call(ROOT, LOAN, "Unsubscribe")
        self.call(ROOT, LOAN, "Unsubscribe")
        self.wait(lambda: self.script("watched") == "no", "the end of measuring")

    def test_ends_with_whoever_watched(self):
        other = self.connect()
        other.call_sync(
            "org.stiefelsystem.Stiefel1", ROOT, LOAN, "Subscribe", None, None, 0, -1, None
        )
        self.assertEqual(self.script("watched"), "yes")
        other.close_sync(None)
        self.wait(lambda: self.script("watched") == "no", "the end of measuring")

    def test_is_not_for_everybody_at_once(self):
        clients = [self.connect() for _ in range(65)]
        call = ("org.stiefelsystem.Stiefel1", ROOT, LOAN, "Subscribe", None, None, 0, -1, None)
        for client in clients[:64]:
            client.call_sync(*call)
        with self.assertRaises(GLib.Error) as caught:
            clients[64].call_sync(*call)
        self.assertIn("Error.TooMany", str(caught.exception))


class GiveBack(Borrower):
    def test_shuts_down_in_good_order(self):
        self.give_back()
        self.assertEqual(self.property("State", LOAN), "closing")
        self.assertEqual(self.power_offs(), ["PowerOffWithFlags 1"])
        self.give_back()
        self.assertEqual(self.power_offs(), [])

    def test_waits_for_who_forbids_it(self):
        self.forbid_shutdown()
        text = self.assert_refused("Blocked", ROOT, LOAN, "GiveBack", "(a{sv})", {})
        self.assertIn("a long upgrade", text)
        self.assertEqual(self.property("State", LOAN), "held")
        self.give_back(force=GLib.Variant("b", True))
        self.assertEqual(self.power_offs(), ["PowerOffWithFlags 0"])

    def test_that_fails_is_told_of_and_can_be_tried_again(self):
        self.mock("Fail", "(as)", ["PowerOffWithFlags"])
        text = self.assert_refused("Failed", ROOT, LOAN, "GiveBack", "(a{sv})", {})
        self.assertIn("cannot shut this system down", text)
        self.assertEqual(self.property("State", LOAN), "held")
        self.assertIn("cannot shut this system down", self.property("Detail", LOAN))
        self.mock("Fail", "(as)", [])
        self.give_back()
        self.assertEqual(self.property("State", LOAN), "closing")

    def test_takes_no_other_options(self):
        invalid = "org.freedesktop.DBus.Error.InvalidArgs"
        for options in [
            {"now": GLib.Variant("b", True)}, {"force": GLib.Variant("s", "yes")},
            {"x" * 10_000_000: GLib.Variant("b", True)},
        ]:
            text = self.assert_refused(invalid, ROOT, LOAN, "GiveBack", "(a{sv})", options)
            self.assertLess(len(text), 200)
        self.assertEqual(self.property("State", LOAN), "held")


class Ending(Borrower):
    def set(self, value):
        value = GLib.Variant("s", value)
        self.call(ROOT, PROPERTIES, "Set", "(ssv)", SETTINGS, "OnLowPower", value)

    def test_by_a_nearly_empty_battery_is_announced_and_taken_back(self):
        self.script("loan power 4 battery critical 300")
        self.wait_for("Ending", "low-power", LOAN)
        self.assertGreater(self.property("EndsUsec", LOAN), 0)
        first = self.property("EndsUsec", LOAN)
        self.script("loan power 3 battery critical 200")
        self.wait_for("Battery", 3, LOAN)
        self.assertEqual(self.property("EndsUsec", LOAN), first, "it was put off")
        # A charger may not keep up: the lender knows.
        self.script("loan power 3 mains critical")
        self.wait_for("OnAc", True, LOAN)
        self.assertEqual(self.property("Ending", LOAN), "low-power")
        self.script("loan power 3 mains none")
        self.wait_for("Ending", "", LOAN)
        self.assertEqual(self.property("EndsUsec", LOAN), 0)
        self.set("warn")
        self.script("loan power 3 battery critical")
        self.wait_for("OnAc", False, LOAN)
        self.assertEqual(self.property("Ending", LOAN), "")

    def test_of_a_lender_that_is_about_to_switch_itself_off_comes_at_once(self):
        self.script("loan power 2 battery action 100")
        self.wait_for("State", "closing", LOAN)
        self.wait(lambda: self.power_offs() == ["PowerOffWithFlags 0"], "the shutdown")

    def test_that_was_asked_for_comes_by_itself(self):
        self.script("loan ask")
        self.wait_for("Ending", "asked", LOAN)
        self.assertEqual(self.property("EndsUsec", LOAN), 0)
        # Whoever forbids it cannot: the lender will not wait.
        self.forbid_shutdown()
        self.script("loan ask 1")
        self.wait_for("State", "closing", LOAN)
        self.assertEqual(self.property("Ending", LOAN), "")
        self.wait(lambda: self.power_offs() == ["PowerOffWithFlags 0"], "the shutdown")
