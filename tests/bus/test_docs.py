"""The lines of docs/dbus.md do what the page says."""

import re
import subprocess

from harness import DRIVE, LINK, LOAN, ROOT, TREE, Case


class Docs(Case):
    def test_every_line_can_be_run(self):
        self.script("link add enp0s31f6 52:54:00:00:00:01")
        self.wait(lambda: (f"{ROOT}/links/enp0s31f6", LINK) in self.seen, "the link")
        self.script('drive in sdb 15.5 "SanDisk Ultra Fit"')
        self.wait(lambda: (f"{ROOT}/drives/sdb", DRIVE) in self.seen, "the drive")
        page = (TREE / "docs" / "dbus.md").read_text()
        lines = "".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
        self.assertGreater(lines.count("busctl"), 25)
        self.lines = lines
        self.run_lines("Workstation", "announced", "cancelled", "0bda:8156", "write-stick", "free")
        # Once more, where the rest of them is for.
        self.script("loan begin Laptop")
        lines = "".join(block for block in re.split(r"(?m)^(?=if )", lines)[1:])
        self.lines = 'S=org.stiefelsystem.Stiefel1\nR=/org/stiefelsystem/Stiefel1\n' + lines
        self.run_lines("held", "Laptop", "connected", "good")
        self.assertEqual(self.property("State", LOAN), "closing")

    def run_lines(self, *words):
        setup = f'busctl() {{ command busctl --address="{self.address}" "$@"; }}\nset -eux\n'
        done = subprocess.run(["bash", "-c", setup + self.lines], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        for told in words:
            self.assertIn(f'"{told}"', done.stdout + done.stderr)
