"""Every text that is shown can be translated, and every translation is complete.

usage: translations.py
"""

import gettext
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PO = ROOT / "po"
SHOWN = re.compile(r'\bn?p?gettext\s*\(|translatable="yes"')
# What xgettext is told, as meson's preset "glib" tells it.
WORDS = [
    "--from-code=UTF-8", "--add-comments=Translators", "--keyword=gettext", "--keyword=ngettext:1,2",
    "--keyword=pgettext:1c,2", "--keyword=npgettext:1c,2,3", "--keyword=_", "--keyword=N_",
]


def files():
    lines = (PO / "POTFILES.in").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def unlisted():
    """Files with texts to translate that translators never see."""
    listed = set(files())
    for path in sorted([*ROOT.glob("gui/src/**/*.rs"), *ROOT.glob("gui/**/*.ui")]):
        name = str(path.relative_to(ROOT))
        if name not in listed and SHOWN.search(path.read_text()):
            yield f"{name} is not in po/POTFILES.in"
    for name in listed:
        if not (ROOT / name).exists():
            yield f"{name} is in po/POTFILES.in and does not exist"


def literals():
    """Texts of the Rust code as they are written, since xgettext reads it as if it were C."""
    call = re.compile(r'gettext\s*\(\s*(?:"[^"]*",\s*)?"((?:[^"\\]|\\.)*)"')
    for name in files():
        if name.endswith(".rs"):
            for text in call.findall((ROOT / name).read_text()):
                yield name, re.sub(r"\\\n\s*", "", text)


def template(folder):
    made = Path(folder) / "made.pot"
    subprocess.run(
        ["xgettext", *WORDS, f"--output={made}", f"--directory={ROOT}", *files()],
        check=True, stderr=subprocess.PIPE,
    )
    return made


def texts(path):
    """All texts of a template, with their contexts and plurals."""
    plain = subprocess.run(
        ["msgcat", "--no-location", "--no-wrap", "--sort-output", path], check=True, capture_output=True, text=True,
    ).stdout
    return set(re.findall(r'^(?:msgctxt|msgid|msgid_plural) "(.+)"$', plain, re.MULTILINE))


def incomplete(made):
    for language in (PO / "LINGUAS").read_text().split():
        po = PO / f"{language}.po"
        checked = subprocess.run(["msgcmp", po, made], capture_output=True, text=True)
        if checked.returncode:
            yield f"po/{po.name} is not complete:\n{checked.stderr}"
        fuzzy = subprocess.run(
            ["msgattrib", "--only-fuzzy", "--no-obsolete", po], check=True, capture_output=True, text=True).stdout
        if fuzzy:
            yield f"po/{po.name} has translations that nobody has looked at:\n{fuzzy}"


def misplaced(folder):
    """Translations without the {words} of the original, or with words of their own."""
    words = re.compile(r"\{\w*\}")
    for language in (PO / "LINGUAS").read_text().split():
        binary = Path(folder) / f"{language}.mo"
        subprocess.run(["msgfmt", f"--output-file={binary}", PO / f"{language}.po"], check=True)
        with binary.open("rb") as file:
            catalogue = gettext.GNUTranslations(file)._catalog
        for key, text in catalogue.items():
            plural = isinstance(key, tuple)
            wanted, found = set(words.findall(key[0] if plural else key)), set(words.findall(text))
            # "One file", "{n} files": of plurals the singular may do without its number.
            if key and (wanted ^ found) - ({"{n}"} if plural else set()):
                yield f"po/{language}.po has other words in braces than the original: {text!r}"


def main():
    failures = list(unlisted())
    with tempfile.TemporaryDirectory() as folder:
        made = template(folder)
        found = texts(made)
        failures += [f"blanks of the source are in the text {text!r}" for text in sorted(found) if "   " in text]
        failures += [f"{name}: xgettext does not find {text!r}" for name, text in literals() if text not in found]
        known = texts(PO / "stiefelsystem.pot")
        failures += [f"not in po/stiefelsystem.pot: {text!r}" for text in sorted(found - known)]
        failures += [f"no longer there, but in po/stiefelsystem.pot: {text!r}" for text in sorted(known - found)]
        failures += incomplete(made)
        failures += misplaced(folder)
    print("\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
