"""Jobs: long work, with progress, an end, and a way to call it off."""

from harness import HANDOFF, JOB, MANAGER, ROOT, Case


class Jobs(Case):
    def update(self):
        return self.call(ROOT, MANAGER, "UpdateImage")

    def hold(self):
        """Begins a job that goes on until the script opens."""
        self.script("close before update-image")
        job = self.update()
        self.script("await before update-image")
        return job

    def test_goes_on_and_ends(self):
        job = self.hold()
        self.wait_for("Progress", 0.25, JOB, job)
        self.assertEqual(self.property("State", JOB, job), "running")
        self.assertEqual(self.property("Kind", JOB, job), "update-image")
        self.assertEqual(self.property("ImageState", MANAGER), "building")
        self.assertIn(("image", "block"), [c[:2] for c in self.property("Checks", MANAGER)])
        self.assertEqual(self.update(), job, "two at a time")
        self.script("open before update-image")
        self.wait_for("State", "done", JOB, job)
        self.assertEqual(self.property("Progress", JOB, job), 1)
        self.wait_for("ImageState", "ready", MANAGER)
        self.assertNotEqual(self.update(), job)

    def test_is_called_off(self):
        job = self.hold()
        self.call(job, JOB, "Cancel")
        self.wait_for("State", "cancelled", JOB, job)
        self.assertEqual(self.property("Detail", JOB, job), "")
        self.wait_for("ImageState", "ready", MANAGER)
        self.call(job, JOB, "Cancel")
        self.assertEqual(self.property("State", JOB, job), "cancelled")

    def test_fails_and_says_why(self):
        self.script("fail update-image")
        job = self.update()
        self.wait_for("State", "failed", JOB, job)
        self.assertIn("fail", self.property("Detail", JOB, job))
        self.script("succeed update-image")
        again = self.update()
        self.wait_for("State", "done", JOB, again)

    def test_outlives_whoever_began_it(self):
        client = self.connect()
        self.script("close before update-image")
        client.call_sync(
            "org.stiefelsystem.Stiefel1", ROOT, MANAGER, "UpdateImage", None, None, 0, -1, None
        )
        client.close_sync(None)
        job = f"{ROOT}/jobs/1"
        self.wait_for("Progress", 0.25, JOB, job)
        self.script("open before update-image")
        self.wait_for("State", "done", JOB, job)

    def test_only_the_last_are_remembered(self):
        for number in range(1, 8):
            job = self.update()
            self.assertEqual(job, f"{ROOT}/jobs/{number}")
            self.wait_for("State", "done", JOB, job)
        there = sorted(path for path in self.objects() if "/jobs/" in path)
        self.assertEqual(there, [f"{ROOT}/jobs/{number}" for number in range(4, 8)])
        with self.assertRaises(Exception):
            self.call(f"{ROOT}/jobs/1", JOB, "Cancel")

    def test_and_a_hand_off_keep_out_of_each_others_way(self):
        pairing = self.pair()
        job = self.hold()
        self.assert_refused("Blocked", ROOT, HANDOFF, "Begin", "(oa{sv})", pairing, {})
        self.script("open before update-image")
        self.wait_for("State", "done", JOB, job)
        self.wait_for("Blockers", [])
        self.begin(pairing)
        self.assert_refused("InProgress", ROOT, MANAGER, "UpdateImage")

    def test_ends_with_the_daemon(self):
        self.hold()
        self.assertEqual(self.terminate(), 0)
