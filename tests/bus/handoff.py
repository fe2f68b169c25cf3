"""A machine with a stiefellink and a pairing, ready for a hand-off."""

from harness import CLAIMED, LINK, MANAGER, ROOT, Case

STIEFELLINK = '[link]\ninterface = "lan0"\n'


class HandOff(Case):
    def configure(self):
        self.write("etc/stiefelsystem/10-test.toml", STIEFELLINK)
        self.start()
        self.script("link add lan0 52:54:00:00:00:01")
        self.pairing = self.pair()

    def stop_at(self, when, place):
        """Goes ahead with a hand-off until the hands stand at this place."""
        self.script(f"close {when} {place}")
        self.begin(self.pairing)
        self.confirm()
        self.script(f"await {when} {place}")

    def come_back(self, reason):
        self.wait_for("State", "idle")
        self.assertEqual(self.property("Reason"), reason)
        self.assertEqual(self.property("Step"), "")
        self.assertEqual(self.property("Borrower"), "/")
        armed = self.property("Armed", MANAGER)
        # While armed, the stiefellink is kept from everybody else.
        self.wait_for("Managed", not armed, LINK, f"{ROOT}/links/lan0")
        self.assertEqual(self.left_behind(), CLAIMED if armed else [])
