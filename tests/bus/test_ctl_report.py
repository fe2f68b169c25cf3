"""stiefelctl report: everything that helps to find a fault, and no secret."""

import base64
import json
import os
import stat
import subprocess
import tarfile

from harness import BIN
from test_ctl import CtlCase

WIREGUARD = base64.b64encode(bytes(range(100, 132))).decode()
LUKS = bytes(range(200, 232)).hex()
PASSWORD = "correct horse"
# What a log could have that somebody else wrote.
JOURNAL = f"""#!/bin/sh
echo "$*" >> "$JOURNAL_CALLS"
# Word by word: a folder's name may have anything in it.
for word; do case "$word" in
-F) echo 5f3a; echo 10aa1; echo 5f3b;;
STIEFEL_HAND_OFF=*) echo "2026-01-01T00:00:00.000000+0000 laptop stiefeld[1]: took step one";;
-u) echo "2026-01-01T00:00:00.000000+0000 laptop stiefeld[1]: peer {WIREGUARD} secret={LUKS}";;
-k) echo "2026-01-01T00:00:00.000000+0000 laptop kernel: r8152 eth0: carrier on";;
esac; done
"""


class Report(CtlCase):
    def configure(self):
        super().configure()
        self.pair()
        [pairing] = (self.machine / "var/lib/stiefelsystem/pairings").glob("*.json")
        self.secret = json.loads(pairing.read_text())["secret"]
        self.write("etc/stiefelsystem/50.toml", f'[link]\ninterface = "lan0"\npsk = "{PASSWORD}"\n')
        self.write("etc/stiefelsystem/keep.key", f"{LUKS}\n")
        self.write("proc/cmdline", f"root=UUID=0 ro rd.luks.key={PASSWORD.split()[0]} x={LUKS}\n")
        self.write("proc/version", "Linux version 6.12-simulated\n")
        programs = self.folder / "programs"
        programs.mkdir()
        journalctl = programs / "journalctl"
        journalctl.write_text(JOURNAL)
        journalctl.chmod(0o755)
        self.calls = self.folder / "journal-calls"
        self.env = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}", "JOURNAL_CALLS": str(self.calls),
        }

    def report(self, *arguments):
        command = [BIN / "stiefelctl", "--bus", self.address, "report", "--root", self.machine, *arguments]
        return subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, cwd=self.folder, env=self.env
        )

    def unpack(self, path):
        """Names and texts of the archive at `path`."""
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            self.assertTrue(all(member.mode == 0o600 for member in members))
            return {
                member.name.removeprefix("stiefel-report/"): archive.extractfile(member).read().decode()
                for member in members
            }

    def test_packs_what_helps_and_no_secret(self):
        done = self.report()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        path = self.folder / "stiefel-report.tar.gz"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        found = self.unpack(path)
        self.assertEqual(json.loads(found["status.json"])["pairings"][0]["name"], "Desk")
        self.assertIn("6.12-simulated", found["versions.txt"])
        self.assertIn("root=UUID=0 ro", found["kernel.txt"])
        self.assertIn('interface = "lan0"', found["stiefelsystem/50.toml"])
        self.assertEqual(json.loads(found["images/simulated.json"])["release"], "simulated")
        self.assertIn("peer (left out)", found["journal-daemon.txt"])
        self.assertIn("carrier on", found["journal-kernel.txt"])
        self.assertIn("took step one", found["journal-hand-off.txt"])
        self.assertIn("STIEFEL_HAND_OFF=10aa1", self.calls.read_text(), "not the last hand-off")
        for name in found:
            self.assertIn(name, done.stdout)
        self.assertIn("look through it", done.stdout)
        self.assertNotIn("stiefelsystem/keep.key", found)
        everything = "\n".join(found.values())
        raw = bytes.fromhex(self.secret)
        for secret in (
            self.secret, self.secret.upper(), base64.b64encode(raw).decode(), LUKS, WIREGUARD, PASSWORD,
            PASSWORD.split()[0],
        ):
            self.assertNotIn(secret, everything)
        self.assertNotIn(raw, everything.encode())

    def test_says_what_it_packed_as_json(self):
        done = self.report("--json", "--out", "here.tgz")
        told = json.loads(done.stdout)
        self.assertEqual(told["file"], "here.tgz")
        self.assertEqual(told["bytes"], (self.folder / "here.tgz").stat().st_size)
        self.assertEqual(sorted(told["packed"]), sorted(self.unpack(self.folder / "here.tgz")))
        # A key of 32 bytes in the log, one in base64, a password, and one on the command line.
        self.assertGreaterEqual(told["left_out"], 4)
        self.assertEqual([part["name"] for part in told["missing"]], ["loan.json"])

    def test_overwrites_nothing(self):
        self.report()
        self.report()
        self.assertTrue((self.folder / "stiefel-report-2.tar.gz").exists())
        (self.folder / "mine").write_text("mine")
        done = self.report("--out", "mine")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot make mine", done.stderr)
        self.assertEqual((self.folder / "mine").read_text(), "mine")

    def test_is_made_without_daemon_and_without_journal(self):
        self.kill()
        (self.folder / "programs" / "journalctl").write_text("#!/bin/sh\necho no journal >&2\nexit 1\n")
        done = self.report("--json")
        self.assertEqual(done.returncode, 0, done)
        told = json.loads(done.stdout)
        missing = {part["name"]: part["why"] for part in told["missing"]}
        self.assertIn("does not run", missing["status.json"])
        self.assertIn("no journal", missing["journal-daemon.txt"])
        found = self.unpack(self.folder / "stiefel-report.tar.gz")
        self.assertIn("status.json: not there: the daemon does not run", found["README.txt"])
        self.assertIn("stiefelsystem/50.toml", found)
