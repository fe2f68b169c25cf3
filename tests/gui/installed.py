"""The application's files as they lie below share/ when it is installed."""

import json
import pathlib
import re
import shutil
import subprocess

TREE = pathlib.Path(__file__).resolve().parents[2]
APP = "org.stiefelsystem.Stiefelsystem"


def make(share, binary):
    """Fills the folder `share`; returns it."""
    data = TREE / "data"
    shutil.copytree(data / "icons/hicolor", share / "icons/hicolor")
    for source, folder, name in [
        (f"{APP}.desktop.in", "applications", f"{APP}.desktop"),
        (f"{APP}.service.in", "dbus-1/services", f"{APP}.service"),
        (f"{APP}.search-provider.ini", "gnome-shell/search-providers", f"{APP}.search-provider.ini"),
        (f"{APP}.metainfo.xml.in", "metainfo", f"{APP}.metainfo.xml"),
    ]:
        text = (data / source).read_text().replace("@bindir@/stiefelsystem", str(binary))
        text = re.sub(r"(?m)^Exec=stiefelsystem", f"Exec={binary}", text)
        place = share / folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    extension = TREE / "packaging/gnome-shell-extension"
    uuid = json.loads((extension / "metadata.json").read_text())["uuid"]
    shutil.copytree(extension, share / "gnome-shell/extensions" / uuid)
    for po in (TREE / "po").glob("*.po"):
        place = share / "locale" / po.stem / "LC_MESSAGES" / "stiefelsystem.mo"
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["msgfmt", "-o", str(place), str(po)], check=True)
    return share
