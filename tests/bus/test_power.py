"""Battery and mains: what they forbid, and what they ask again."""

from handoff import HandOff
from harness import HANDOFF, MANAGER, ROOT

REFUSE = '[hand-off]\non-battery = "refuse"\n'
ALLOW = '[hand-off]\non-battery = "allow"\n'


class Power(HandOff):
    def settle(self, text):
        self.write("etc/stiefelsystem/20-power.toml", text)
        self.call(ROOT, MANAGER, "Refresh")

    def power(self, text):
        self.script(f"power {text}")
        # Answered after everything before it was seen.
        self.call(ROOT, MANAGER, "Refresh")

    def verdict(self):
        [check] = [c for c in self.property("Checks", MANAGER) if c[0] == "power"]
        return check[1]

    def test_is_shown(self):
        self.assertEqual(self.property("Battery", MANAGER), -1)
        self.assertTrue(self.property("OnAc", MANAGER))
        self.power("41.5 battery low 1800")
        self.assertEqual(self.property("Battery", MANAGER), 41.5)
        self.assertFalse(self.property("OnAc", MANAGER))
        self.assertEqual(self.property("BatteryWarning", MANAGER), "low")
        self.assertEqual(self.property("TimeToEmptyUsec", MANAGER), 1_800_000_000)

    def test_policies(self):
        for text, good, low, critical in [
            ("", "warn", "block", "block"),
            (REFUSE, "block", "block", "block"),
            (ALLOW, "ok", "warn", "warn"),
        ]:
            with self.subTest(policy=text):
                self.settle(text)
                for power, verdict in [
                    ("90 battery", good), ("10 battery", low), ("90 battery critical", critical),
                    ("10 mains", "ok"), ("none mains", "ok"),
                ]:
                    self.power(power)
                    self.assertEqual(self.verdict(), verdict, power)

    def test_the_threshold_is_configured(self):
        self.settle("[hand-off]\nbattery-percent = 80\n")
        self.power("79 battery")
        self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", self.pairing, {})


class Unplug(Power):
    def test_reopens_the_question(self):
        self.power("90 mains")
        self.begin(self.pairing)
        self.assertEqual(self.property("AtDeadline"), "go-ahead")
        first = self.property("DeadlineUsec")
        self.power("90 battery")
        self.assertEqual(self.property("State"), "announced")
        self.assertEqual(self.property("AtDeadline"), "call-off")
        self.assertGreater(self.property("DeadlineUsec"), first)
        self.assertIn("charger", self.property("Detail"))
        # Once doubted, it needs its yes also after the charger is back.
        self.power("90 mains")
        self.assertEqual(self.property("AtDeadline"), "call-off")
        self.confirm()
        self.wait_for("State", "leaving")

    def test_and_silence_is_a_no_then(self):
        self.power("90 mains")
        self.settle("[hand-off]\ncountdown-secs = 600\nconfirm-secs = 1\n")
        self.begin(self.pairing)
        self.script("power 90 battery")
        self.wait_for_states("announced", "idle")
        self.come_back("expired")

    def test_is_no_question_where_batteries_are_allowed(self):
        self.settle(ALLOW)
        self.power("90 mains")
        self.begin(self.pairing)
        self.power("90 battery")
        self.assertEqual(self.property("AtDeadline"), "go-ahead")

    def test_ends_it_where_batteries_are_refused(self):
        self.settle(REFUSE)
        self.power("90 mains")
        self.begin(self.pairing)
        self.script("power 90 battery")
        self.come_back("blocked")
