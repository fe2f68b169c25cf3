"""Who may do what, by the real polkit and the real logind; and who else is at the machine."""

from booted import MANAGER, NOT_ALLOWED, UNIT, Booted

# What an administrator may add: whoever is in this group lends without a password.
RULE = """polkit.addRule(function(action, subject) {
    if (action.id == "org.stiefelsystem.stiefel1.hand-off" && subject.isInGroup("lenders"))
        return polkit.Result.YES;
    if (action.id == "org.stiefelsystem.stiefel1.arm" && subject.user == "carla")
        return polkit.Result.NO;
});
"""
FROM_AFAR = ["--setenv=XDG_SESSION_TYPE=tty"]
AT_THE_MACHINE = ["--setenv=XDG_SEAT=seat0", *FROM_AFAR]


class People(Booted):
    FILES = {"etc/polkit-1/rules.d/50-lenders.rules": RULE}

    @classmethod
    def prepare(cls):
        cls.system.run("groupadd", "lenders")
        cls.system.run("useradd", "anna")
        cls.system.run("useradd", "--groups", "lenders", "bert")
        cls.system.run("useradd", "--groups", "lenders", "carla")
        cls.system.run("stiefelctl", "update")

    def session(self, user, name, *command, where=AT_THE_MACHINE):
        """Starts something in a session of somebody's."""
        return self.run_in("systemd-run", "--quiet", f"--uid={user}", "--property=PAMName=login",
                           f"--unit={name}", *where, *command)

    def as_user(self, user, *words, where=AT_THE_MACHINE):
        """What comes of stiefelctl in a session of somebody's."""
        return self.run_in("systemd-run", "--quiet", "--pipe", "--wait", f"--uid={user}",
                           "--property=PAMName=login", *where, "stiefelctl", *words, check=False)

    def refused(self, user, *words, **options):
        done = self.as_user(user, *words, **options)
        self.assertEqual(done.returncode, NOT_ALLOWED, (user, words, done))
        self.assertIn("polkit", done.stderr + done.stdout)

    def allowed(self, user, *words, **options):
        done = self.as_user(user, *words, **options)
        self.assertEqual(done.returncode, 0, (user, words, done))

    def test_who_sits_at_the_machine_may_see_and_call_off(self):
        self.begin(self.pair())
        self.allowed("anna", "status")
        self.refused("anna", "confirm")
        # Somebody who has come over the network may not.
        self.refused("anna", "cancel", where=FROM_AFAR)
        self.assertEqual(self.property("State"), "announced")
        self.allowed("anna", "cancel")
        self.wait_for("State", "idle")

    def test_who_is_no_administrator_changes_nothing(self):
        self.pair()
        self.plug()
        self.dedicate()
        self.refused("anna", "arm")
        self.assertFalse(self.property("Armed", MANAGER))
        self.run_in("stiefelctl", "arm")
        for words in (["disarm"], ["pair", "Mine"], ["forget", "--yes", "Desk"], ["rename", "Desk", "Mine"],
                      ["policy", "Desk", "never"], ["link", "lan0", "ignore"], ["make-image"],
                      ["lend", "Desk"]):
            self.refused("anna", *words)
        self.assertTrue(self.property("Armed", MANAGER))
        self.assertEqual(self.property("State"), "idle")

    def test_a_rule_of_the_administrator_allows_and_denies(self):
        self.pair()
        self.allowed("bert", "lend", "Desk")
        self.wait_for("State", "announced")
        self.allowed("bert", "cancel")
        self.wait_for("State", "idle")
        # The rule is about lending, not about pairing.
        self.refused("bert", "pair", "Mine")
        self.refused("carla", "arm")

    def test_others_who_are_logged_in_are_told_of(self):
        self.assertEqual(self.check("session")[0], "ok")
        self.session("anna", "anna", "sleep", "infinity")
        self.addCleanup(self.run_in, "systemctl", "stop", "anna.service", check=False)
        self.session("bert", "bert", "sleep", "infinity", where=FROM_AFAR)
        self.addCleanup(self.run_in, "systemctl", "stop", "bert.service", check=False)
        self.wait(lambda: self.check("session")[0] == "warn", "the warning")
        self.assertIn("anna, bert", self.check("session")[1])
        self.run_in("systemctl", "stop", "bert.service")
        self.wait(lambda: self.check("session")[0] == "ok", "its end")

    def test_who_only_left_something_running_is_nobody(self):
        self.session("anna", "anna", "sleep", "infinity")
        self.addCleanup(self.run_in, "systemctl", "stop", "anna.service", check=False)
        self.run_in("loginctl", "enable-linger", "bert")
        self.addCleanup(self.run_in, "loginctl", "disable-linger", "bert")
        self.wait(lambda: "bert" in self.run_in("loginctl", "list-sessions"), "bert's services")
        self.run_in("systemctl", "restart", UNIT)
        self.prime()
        # What comes later is heard later.
        self.session("carla", "carla", "sleep", "infinity")
        self.addCleanup(self.run_in, "systemctl", "stop", "carla.service", check=False)
        self.wait(lambda: self.check("session")[0] == "warn", "the warning")
        self.assertIn("anna, carla", self.check("session")[1])

    def test_whoever_forbids_to_shut_down_is_named(self):
        def lock(who, mode="block", what="shutdown"):
            process = self.system.start("systemd-inhibit", f"--what={what}", f"--who={who}", "--why=It runs",
                                        f"--mode={mode}", "sh", "-c", "read line")
            self.addCleanup(process.wait)
            self.addCleanup(process.stdin.close)
            return process
        lock("Music", what="sleep")
        lock("Editor", mode="delay")
        upgrade = lock("Upgrade")
        backup = lock("Backup", what="sleep:shutdown")
        self.wait(lambda: self.names() == {"Upgrade", "Backup"}, "both")
        # One of two goes, and the bus says the same of all together as before.
        upgrade.stdin.close()
        self.wait(lambda: self.names() == {"Backup"}, "the end of one")
        backup.stdin.close()
        self.wait(lambda: self.names() == set(), "the end of both")

    def names(self):
        """Who of them is named as something that forbids a hand-off."""
        found = str(self.property("Blockers"))
        return {who for who in ("Music", "Editor", "Upgrade", "Backup") if who in found}
