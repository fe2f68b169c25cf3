"""docs/stiefelctl.md tells what stiefelctl writes."""

import json
import re

from harness import MANAGER, TREE
from test_ctl import CtlCase

PAGE = (TREE / "docs" / "stiefelctl.md").read_text()


def told(what):
    """The fields that a line of the tables tells."""
    line = re.search(rf"^\| {re.escape(what)} \| (.*) \|$", PAGE, re.MULTILINE)
    return re.sub(r" \(or null\)", "", line[1]).split(", ")


class Docs(CtlCase):
    def holds(self, what, written):
        self.assertEqual(list(written), told(what), what)

    def test_each_field_is_told(self):
        self.script("link add lan0 52:54:00:00:00:01", "drive in sdb 16 Stick")
        self.holds("`pair`", self.json("pair", "Desk"))
        self.ok("make-image")
        status = self.json("status")
        self.holds("`status`", status)
        for part in ("disk", "power", "last_loan", "hand_off"):
            self.holds(f"its `{part}`", status[part])
        for part in ("checks", "pairings", "links", "drives", "jobs"):
            self.holds(f"each of `{part}`", status[part][0])
            self.assertEqual(json.loads(self.ctl(part, "--json").stdout)[0].keys(), status[part][0].keys())
        self.holds("`settings`", self.json("settings"))
        report = self.json("report", "--root", self.machine, "--out", self.folder / "report.tar.gz")
        self.assertEqual(set(report), set(told("`report`")))
        monitor = self.begin_ctl("monitor", "--json")
        event = json.loads(monitor.stdout.readline())
        self.assertEqual(set(event), {"time_usec", "event"} | set(told("added")))
        self.script("loan begin Laptop")
        self.wait_for("Role", "borrower", MANAGER)
        self.holds("`loan`", self.json("loan"))

    def test_each_exit_status_is_told(self):
        manual = self.folder / "man"
        self.ok("generate", "man", manual)
        page = (manual / "stiefelctl.1").read_text()
        known = re.findall(r"^\\fB(\d+)\\fR$", page, re.MULTILINE)
        self.assertEqual(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE), known)
        self.assertEqual(len(known), 8)
