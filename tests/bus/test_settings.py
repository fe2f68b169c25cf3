"""Settings: what people prefer, kept, and before the files."""

import json

from gi.repository import GLib

from handoff import HandOff
from harness import PROPERTIES, ROOT, SETTINGS, Case

INVALID = "org.freedesktop.DBus.Error.InvalidArgs"


class Settings(Case):
    def set(self, name, value, kind=None):
        value = GLib.Variant(kind or ("s" if isinstance(value, str) else "u"), value)
        self.call(ROOT, PROPERTIES, "Set", "(ssv)", SETTINGS, name, value)

    def test_are_those_of_the_files_until_somebody_sets_them(self):
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 600)
        self.set("CountdownSecs", 7)
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 7)
        self.write("etc/stiefelsystem/20-more.toml", "[hand-off]\ncountdown-secs = 9\nconfirm-secs = 8\n")
        self.wait_for("ConfirmSecs", 8, SETTINGS)
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 7, "the file came first")
        self.kill()
        self.start()
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 7, "it was forgotten")
        self.call(ROOT, SETTINGS, "Reset")
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 9)
        self.kill()
        self.start()
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 9)

    def test_out_of_range_are_refused(self):
        before = self.objects()
        for name, low, high in [
            ("BatteryPercent", None, 101), ("CountdownSecs", 0, 601), ("ConfirmSecs", 0, 3601),
            ("OfferSecs", 29, 86401), ("PatienceSecs", 9, 2**32 - 1),
        ]:
            for value in (low, high):
                if value is None:
                    continue
                with self.subTest(name=name, value=value):
                    call = (ROOT, PROPERTIES, "Set", "(ssv)", SETTINGS, name)
                    text = self.assert_refused(INVALID, *call, GLib.Variant("u", value))
                    self.assertIn("a whole number from", text)
        for name in ("OnBattery", "OnAcLoss", "OnPlug", "OnLowPower"):
            for value in ("", "sometimes", "a\0b".replace("\0", "\x07"), "x" * 10_000_000):
                with self.subTest(name=name, value=value[:9]):
                    call = (ROOT, PROPERTIES, "Set", "(ssv)", SETTINGS, name)
                    text = self.assert_refused(INVALID, *call, GLib.Variant("s", value))
                    self.assertLess(len(text), 200)
        # Another type than the contract's is none of ours to forgive.
        with self.assertRaises(Exception):
            self.set("CountdownSecs", "7")
        self.assertEqual(self.objects(), before)

    def test_of_a_broken_file_are_told_of_and_cost_nothing_else(self):
        self.set("CountdownSecs", 7)
        self.kill()
        file = self.machine / "var/lib/stiefelsystem/settings.json"
        self.assertEqual(json.loads(file.read_text()), {"countdown-secs": 7})
        file.write_text("{")
        self.start()
        self.assertEqual(self.property("CountdownSecs", SETTINGS), 600)
        checks = self.call(ROOT, PROPERTIES, "Get", "(ss)", f"{SETTINGS[:-8]}Manager", "Checks")
        told = [check[2] for check in checks if check[0] == "configuration"]
        self.assertIn("settings.json", told[0])

    def test_hold_on_a_lent_disk_too(self):
        self.script("loan begin Laptop")
        self.set("OnLowPower", "warn")
        self.assertEqual(self.property("OnLowPower", SETTINGS), "warn")


class AcLoss(HandOff):
    def announce(self, what):
        value = GLib.Variant("s", what)
        self.call(ROOT, PROPERTIES, "Set", "(ssv)", SETTINGS, "OnAcLoss", value)
        self.script("power 90 mains")
        self.begin(self.pairing)
        self.script("power 90 battery")

    def test_may_call_a_hand_off_off(self):
        self.announce("call-off")
        self.come_back("blocked")
        self.assertIn("charger", self.property("Detail"))

    def test_may_be_no_reason_to_ask(self):
        self.announce("go-ahead")
        self.wait(lambda: self.property("Blockers") == [], "the power")
        self.assertEqual(self.property("AtDeadline"), "go-ahead")
        self.assertEqual(self.property("State"), "announced")


class Countdown(HandOff):
    def test_says_how_long_it_is_and_who_began_it(self):
        self.assertEqual(self.property("Trigger"), "")
        self.assertEqual(self.property("CountdownUsec"), 0)
        self.assertEqual(
            self.property("Steps"), ["hold-sleep", "check-image", "claim-link", "load-kernel"]
        )
        self.begin(self.pairing)
        self.assertEqual(self.property("CountdownUsec"), 600_000_000)
        self.assertEqual(self.property("Trigger"), "person")
        self.cancel()
        self.assertEqual(self.property("CountdownUsec"), 0)
        self.arm()
        self.script(f"wake {self.pairing[-16:]}")
        self.wait_for("State", "announced")
        self.assertEqual(self.property("Trigger"), "search")
        self.assertEqual(self.property("CountdownUsec"), 3600_000_000)
        self.cancel()
        self.script("link remove lan0", "link add lan0 52:54:00:00:00:01")
        self.wait_for("State", "announced")
        self.assertEqual(self.property("Trigger"), "plug")
