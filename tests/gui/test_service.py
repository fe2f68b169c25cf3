"""A daemon that is absent, restarts, ends by itself, or answers late: the window says so, and finds back by itself."""

import os
import signal

from desk import MANAGER, Case, harness

LATE = "The service does not answer. What is shown may be out of date."
GONE = "The Service Cannot Be Reached"


class Service(Case):
    MACHINE = "ready"

    def arm(self):
        self.script("arm")
        self.wait_for("Armed", True, MANAGER)

    def test_one_that_crashes_is_missed_and_found_again(self):
        self.arm()
        self.launch()
        self.see("Stop Waiting", "button")
        self.kill()
        self.see(GONE)
        self.assertNotIn("Stop Waiting", self.desk.eyes.buttons(self.app.pid))
        self.start()
        self.see_no_more(GONE)
        self.script("disarm")
        self.press("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)

    def test_one_that_is_late_is_told_and_caught_up_with(self):
        self.arm()
        self.launch()
        self.see("Stop Waiting", "button")
        os.kill(self.daemon.pid, signal.SIGSTOP)
        self.addCleanup(lambda: self.daemon.poll() is None and self.daemon.send_signal(signal.SIGCONT))
        # What is asked now is answered later.
        self.press("Stop Waiting")
        self.see(LATE)
        self.assertNotIn("Stop Waiting", self.desk.eyes.buttons(self.app.pid))
        os.kill(self.daemon.pid, signal.SIGCONT)
        self.see("Lend My Disk", "button")
        self.see_no_more(LATE)

    def test_it_can_be_asked_to_try_again(self):
        self.kill()
        self.launch()
        self.see(GONE)
        self.press("Try Again")
        self.see(GONE)
        self.start()
        self.see("Lend My Disk", "button")

    def test_one_that_ends_because_it_has_nothing_to_do_is_not_missed(self):
        self.launch()
        self.see("Lend My Disk", "button")
        self.terminate()
        self.wait(lambda: not self._owner(harness.SERVICE), "the daemon's end")
        self.settle()
        self.assertIn("Lend My Disk", self.desk.eyes.buttons(self.app.pid))
        self.start()
        self.press("Lend My Disk")
        self.wait_for("Armed", True, MANAGER)

    def test_what_is_not_permitted_is_told_in_words(self):
        self.script("deny arm")
        self.launch()
        self.press("Lend My Disk")
        self.see("Not done, because it was not permitted")
        self.assertFalse(self.property("Armed", MANAGER))

    def test_what_is_not_permitted_to_set_is_told_where_it_was_set(self):
        self.script("deny manage")
        self.launch()
        self.see("Lend My Disk", "button")
        self.act("preferences")
        self.press("Reset to Defaults")
        self.see("Not done, because it was not permitted")
