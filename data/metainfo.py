"""The metainfo as it is installed: with the addresses at which the project is
published, and without what would need one that there is none of.

usage: metainfo.py INPUT HOMEPAGE PICTURES

PICTURES is where docs/pictures can be loaded from.
"""

import re
import sys
from pathlib import Path


def main():
    source, homepage, pictures = sys.argv[1:]
    text = Path(source).read_text()
    if not homepage:
        text = re.sub(r'\n *<url type="homepage">.*</url>', "", text)
    if not pictures:
        text = re.sub(r"\n *<screenshots>.*</screenshots>", "", text, flags=re.DOTALL)
    print(text.replace("@homepage@", homepage).replace("@pictures@", pictures), end="")


if __name__ == "__main__":
    main()
