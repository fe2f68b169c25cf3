"""Builds packages; tools/package says how it is called."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import root
from root import TREE, cache

# What each of them runs in the tree, where /build has the tarball and the packaging.
RECIPES = {
    "deb": """
        export SOURCE_DATE_EPOCH={epoch}
        mv {name}-{version}.tar.gz {name}_{version}.orig.tar.gz
        tar xf {name}_{version}.orig.tar.gz
        cp -r packaging/debian {name}-{version}/debian
        cd {name}-{version}
        dpkg-buildpackage --no-sign
        cd ..
        rm -rf {name}-{version}
        lintian --allow-root --info --display-info --fail-on error,warning {name}_{version}-*.changes
    """,
    "rpm": """
        export SOURCE_DATE_EPOCH={epoch}
        mkdir -p SOURCES
        mv {name}-{version}.tar.gz SOURCES
        # The tools of the build are Debian's, which rpm knows nothing of.
        rpmbuild --nodeps --define "_topdir $PWD" -ba packaging/rpm/{name}.spec
        mv RPMS/*/*.rpm SRPMS/*.rpm .
        rm -rf BUILD BUILDROOT RPMS SRPMS SOURCES SPECS
        rpmlint --config packaging/rpm/rpmlint.toml packaging/rpm/{name}.spec *.rpm
    """,
    "arch": """
        export SOURCE_DATE_EPOCH={epoch}
        cp packaging/arch/PKGBUILD packaging/arch/*.install .
        # makepkg refuses to be root, and what is installed is not pacman's.
        chown -R nobody .
        HOME=$PWD PKGEXT=.pkg.tar.zst setpriv --reuid=nobody --clear-groups makepkg --nodeps --skipinteg
        rm -rf src pkg
    """,
}


def output(*command):
    return subprocess.run(command, cwd=TREE, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def tarball(place):
    """The release's tarball of the last commit; returns its version and the time of the commit."""
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    if changed:
        print(f"package: not committed, so not in the packages:\n{changed}", file=sys.stderr)
    epoch = output("git", "log", "-1", "--format=%ct")
    build = place / "dist"
    quiet = {"check": True, "cwd": TREE, "stdout": sys.stderr}
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    subprocess.run(["meson", "setup", "-Dgui=disabled", build], **quiet)
    subprocess.run(["meson", "dist", "-C", build, "--no-tests", "--allow-dirty", "--formats", "gztar"],
                   env=environment, **quiet)
    (made,) = (build / "meson-dist").glob("*.tar.gz")
    made.rename(place / made.name)
    shutil.rmtree(build)
    return made.name.removeprefix("stiefelsystem-").removesuffix(".tar.gz"), epoch


def main():
    parser = argparse.ArgumentParser(prog="tools/package", description="Builds packages in a clean Debian 13 tree.")
    parser.add_argument("kind", choices=RECIPES)
    parser.add_argument("--out", type=pathlib.Path, default=TREE / "target/packages")
    asked = parser.parse_args()
    out = asked.out.resolve() / asked.kind
    work = cache.workplace()
    try:
        place, over = work / "build", work / "over"
        place.mkdir()
        over.mkdir()
        version, epoch = tarball(place)
        shutil.copytree(TREE / "packaging", place / "packaging")
        recipe = RECIPES[asked.kind].format(name="stiefelsystem", version=version, epoch=epoch)
        if failed := root.run(place, over, recipe):
            sys.exit(f"package: the build in the Debian 13 tree ended with {failed}")
        shutil.rmtree(place / "packaging")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(place, out)
    finally:
        shutil.rmtree(work)
    print(f"package: in {out}")


if __name__ == "__main__":
    main()
