"""What stiefelctl generates for packages: manual pages and completions."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BIN

CTL = str(BIN / "stiefelctl")


class Generate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="stiefel-generate-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for what in ("man", "completions"):
            subprocess.run([CTL, "generate", what, str(cls.folder / what)], check=True)
        text = subprocess.run([CTL, "--help"], check=True, capture_output=True, text=True).stdout
        listed = text.partition("Commands:\n")[2].partition("\n\n")[0]
        cls.commands = set(re.findall(r"^  ([a-z-]+)", listed, re.MULTILINE)) - {"help"}

    def shown(self, page):
        """A page as people see it, and what the formatter complains of."""
        env = os.environ | {"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(self.folder / "man" / page)],
            capture_output=True, text=True, env=env,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), page)
        # Bold and underlined letters are written twice.
        return re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)

    def test_a_page_for_each_command(self):
        self.assertGreater(len(self.commands), 25)
        pages = {f"stiefelctl-{command}.1" for command in self.commands} | {"stiefelctl.1"}
        self.assertEqual(set(os.listdir(self.folder / "man")), pages)

    def test_the_formatter_has_nothing_to_complain_of(self):
        for page in os.listdir(self.folder / "man"):
            self.shown(page)

    def test_a_page_says_how_to_call_its_command(self):
        page = self.shown("stiefelctl-create-usbdrive.1")
        self.assertRegex(page, r"stiefelctl-create-usbdrive +- Make a boot medium")
        self.assertRegex(page, r"stiefelctl +create-usbdrive +\[")
        self.assertIn("--unmount", page)
        self.assertIn("stiefelctl(1)", page)

    def test_the_page_of_the_program_says_how_it_ends(self):
        page = self.shown("stiefelctl.1")
        for section in ("OUTPUT", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES", "SEE ALSO"):
            self.assertIn(f"\n{section}\n", page)
        for status in (0, 1, 2, 3, 4, 5, 6, 130):
            self.assertRegex(page, rf"\n +{status} +\S")
        self.assertNotIn("generate", page)
        self.assertIn("stiefelctl-create-usbdrive(1)", page)

    def test_bash_completes_commands_options_and_words(self):
        script = self.folder / "completions" / "stiefelctl.bash"

        def complete(*words):
            line = " ".join(words)
            code = (
                f'source "{script}"; COMP_WORDS=({" ".join(repr(word) for word in words)}); '
                f"COMP_CWORD={len(words) - 1}; COMP_LINE={line!r}; "
                f'_stiefelctl stiefelctl {words[-1]!r} {words[-2]!r}; printf "%s\\n" "${{COMPREPLY[@]}}"'
            )
            done = subprocess.run(["bash", "-c", code], capture_output=True, text=True)
            self.assertEqual(done.stderr, "")
            return set(done.stdout.split())

        self.assertLessEqual(self.commands, complete("stiefelctl", ""))
        self.assertEqual(complete("stiefelctl", "stat"), {"status"})
        self.assertIn("--wait", complete("stiefelctl", "lend", "--"))
        self.assertNotIn("generate", complete("stiefelctl", ""))

    def test_the_other_shells_understand_theirs(self):
        for shell, name in (("zsh", "_stiefelctl"), ("fish", "stiefelctl.fish")):
            script = self.folder / "completions" / name
            subprocess.run([shell, "-n", str(script)], check=True)
            self.assertIn("create-usbdrive", script.read_text())
