"""stiefelctl monitor: every change, in its order, also over a restart of the daemon."""

import json
import os

from harness import HANDOFF, LIMIT, LINK, MANAGER, PAIRING, ROOT
from test_ctl import CtlCase


class Monitor(CtlCase):
    def watch(self, *arguments):
        self.monitor = self.begin_ctl("monitor", *arguments)

    def until(self, **expected):
        """The next event that is as expected; those before it are left out."""
        for line in self.monitor.stdout:
            event = json.loads(line)
            self.assertGreater(event["time_usec"], 0)
            if expected.items() <= event.items():
                return event
        self.fail(f"the monitor ended before {expected}: {self.monitor.stderr.read()}")

    def until_line(self, expected):
        for line in self.monitor.stdout:
            if line == expected + "\n":
                return
        self.fail(f"the monitor ended before {expected}: {self.monitor.stderr.read()}")

    def test_tells_where_things_stand_and_every_change(self):
        self.watch("--json")
        machine = self.until(event="added", path=ROOT, interface=MANAGER)
        self.assertEqual(machine["properties"]["Armed"], False)
        pairing = self.pair()
        added = self.until(event="added", path=pairing, interface=PAIRING)
        self.assertEqual(added["properties"]["Name"], "Desk")
        self.begin(pairing)
        self.until(event="set", path=ROOT, interface=HANDOFF, property="State", value="announced")
        self.cancel()
        self.until(property="State", value="idle")
        self.call(pairing, PAIRING, "Forget")
        self.until(path=pairing, event="removed")

    def test_for_people(self):
        self.watch()
        self.until_line("machine: armed no")
        self.until_line("hand-off: state idle")
        self.script("link add lan0 52:54:00:00:00:01")
        self.until_line("lan0: plugged in")
        self.script("link cable lan0 off")
        self.until_line("lan0: state no-carrier")
        pairing = self.pair()
        self.until_line("Desk: paired")
        self.script("power 7 battery")
        self.until_line("check: On battery at 7 %, less than the 30 % that a loan needs")
        self.call(pairing, PAIRING, "Forget")
        self.until_line("Desk: forgotten")

    def test_a_daemon_that_is_back_tells_what_is_different(self):
        pairing = self.pair()
        self.watch("--json")
        self.until(event="added", path=pairing)
        self.kill()
        self.until(event="daemon", running=False)
        # Nobody hears of this but the next daemon.
        self.write("var/lib/stiefelsystem/armed", "")
        self.start()
        self.until(event="daemon", running=True)
        event = json.loads(self.monitor.stdout.readline())
        self.assertEqual(
            [event.get(key) for key in ("event", "interface", "property", "value")],
            ["set", MANAGER, "Armed", True],
        )
        self.call(pairing, PAIRING, "Forget")
        self.until(event="removed", path=pairing)

    def test_hears_all_of_a_flood_in_order(self):
        self.watch("--json")
        self.until(event="added", interface=HANDOFF)
        count = 300
        self.script("link add lan0 52:54:00:00:00:01")
        self.script(*(f"link cable lan0 {speed}" for speed in range(1, count)))
        path = f"{ROOT}/links/lan0"
        speed = self.until(event="added", path=path, interface=LINK)["properties"]["SpeedMbps"]
        speeds = [speed]
        while speeds[-1] != count - 1:
            speeds.append(self.until(property="SpeedMbps")["value"])
        # The first is what a link has that is plugged in.
        self.assertEqual(speeds[1:], sorted(speeds[1:]))

    def test_ends_when_nobody_reads_on_though_nothing_happens(self):
        reader, writer = os.pipe()
        monitor = self.begin_ctl("monitor", stdout=writer)
        os.close(writer)
        with open(reader) as lines:
            lines.readline()
        self.assertEqual((monitor.wait(LIMIT), monitor.stderr.read()), (0, ""))
