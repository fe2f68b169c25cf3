"""stiefelctl and what takes its time: progress, Ctrl-C, and an end that is told."""

import json
import signal

from harness import HANDOFF, JOB, LIMIT, ROOT
from test_ctl import CALLED_OFF, FAILED, INTERRUPTED, CtlCase


class Jobs(CtlCase):
    def hold(self, *arguments, output=()):
        """A make-image whose job goes on until the script opens."""
        self.script("close before update-image")
        process = self.begin_ctl("make-image", *arguments)
        self.script("await before update-image")
        # It says so once it listens to Ctrl-C.
        self.assertIn("job", process.stdout.readline())
        return process

    def interrupt(self, process):
        """Ctrl-C, and what it says to that."""
        process.send_signal(signal.SIGINT)
        return process.stderr.readline()

    def end(self, process):
        return process.wait(LIMIT), process.stderr.read()

    def test_the_ramdisk_is_made(self):
        self.assertIn("Done.", self.ok("make-image"))
        self.script("fail update-image")
        self.assertIn("fail", self.refused("make-image"))
        self.ok("make-image", "--no-wait")

    def test_progress_as_json(self):
        self.script("close before update-image")
        process = self.begin_ctl("make-image", "--json")
        self.script("await before update-image", "open before update-image")
        steps = [json.loads(line) for line in process.stdout]
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertEqual((steps[-1]["state"], steps[-1]["progress"]), ("done", 1))
        self.assertTrue(all(step["kind"] == "update-image" for step in steps))

    def test_ctrl_c_calls_it_off(self):
        process = self.hold()
        self.assertIn("Ctrl-C once more", self.interrupt(process))
        self.assertEqual(self.end(process), (INTERRUPTED, "stiefelctl: called off\n"))
        self.wait_for("State", "cancelled", JOB, f"{ROOT}/jobs/1")

    def test_ctrl_c_twice_leaves_it(self):
        process = self.hold()
        # A daemon that does not answer holds the first one up.
        self.daemon.send_signal(signal.SIGSTOP)
        try:
            self.assertIn("Ctrl-C once more", self.interrupt(process))
            self.assertIn("left alone", self.interrupt(process))
            self.assertEqual(process.wait(LIMIT), INTERRUPTED)
        finally:
            self.daemon.send_signal(signal.SIGCONT)

    def test_somebody_else_calls_it_off(self):
        process = self.hold()
        jobs = self.json("jobs")
        self.assertEqual([(job["number"], job["state"]) for job in jobs], [(1, "running")])
        self.assertIn("Called off", self.ok("cancel-job", "1"))
        self.assertEqual(self.end(process)[0], CALLED_OFF)
        self.assertIn("cancelled", self.ok("jobs"))
        self.assertIn("ended already", self.ok("cancel-job", "1"))
        self.assertIn("no job 7", self.refused("cancel-job", "7"))

    def test_a_daemon_that_ends_is_told(self):
        process = self.hold()
        self.kill()
        status, told = self.end(process)
        self.assertEqual(status, FAILED, told)
        self.assertIn("the daemon has ended", told)

    def test_ctrl_c_calls_a_hand_off_off(self):
        self.pair()
        process = self.begin_ctl("lend", "--wait", "Desk")
        self.assertIn("Desk", process.stdout.readline())
        self.assertIn("Ctrl-C once more", self.interrupt(process))
        self.assertEqual(self.end(process), (INTERRUPTED, "stiefelctl: called off\n"))
        self.assertEqual(self.property("Reason", HANDOFF), "cancelled")

    def test_a_hand_off_that_somebody_calls_off_is_told_apart_from_a_failure(self):
        self.pair()
        process = self.begin_ctl("lend", "--wait", "Desk")
        self.assertIn("Desk", process.stdout.readline())
        self.cancel()
        status, told = self.end(process)
        self.assertEqual(status, CALLED_OFF, told)
        self.assertIn("it was called off", told)
