"""The lines of docs/dbus.md do what the page says."""

import re
import subprocess

from harness import LINK, ROOT, TREE, Case


class Docs(Case):
    def test_every_line_can_be_run(self):
        self.script("link add enp0s31f6 52:54:00:00:00:01")
        self.wait(lambda: (f"{ROOT}/links/enp0s31f6", LINK) in self.seen, "the link")
        page = (TREE / "docs" / "dbus.md").read_text()
        lines = "".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
        self.assertGreater(lines.count("busctl"), 25)
        setup = f'busctl() {{ command busctl --address="{self.address}" "$@"; }}\nset -eux\n'
        done = subprocess.run(["bash", "-c", setup + lines], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        for told in ("Workstation", "announced", "cancelled", "0bda:8156"):
            self.assertIn(f'"{told}"', done.stdout + done.stderr)
