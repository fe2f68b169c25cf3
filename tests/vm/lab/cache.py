"""Things that are expensive to make, kept outside the tree under a key.

The key is a hash of everything that defines the thing, so a changed
definition makes a new one and the old one is removed.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import tempfile

# The file in a workplace that its maker holds a lock on.
HELD = "held"
_held = []


def directory():
    """Where everything that may be deleted at any time is kept."""
    named = os.environ.get("STIEFEL_CACHE")
    if named:
        return pathlib.Path(named)
    if os.geteuid() == 0:
        return pathlib.Path("/var/cache/stiefelsystem-dev")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "stiefelsystem-dev"


def key(*parts):
    """A short hash of strings, bytes and files (by content)."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, pathlib.Path):
            part = part.read_bytes()
        elif isinstance(part, str):
            part = part.encode()
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def get(name, wanted_key, make):
    """The file or folder `name-key`; made by make(path) where it is not there yet.

    It appears under its name only when it is complete, and one process
    makes it while others that want it wait.
    """
    folder = directory()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}-{wanted_key}"
    with _locked(folder / f"{name}.lock"):
        if path.exists():
            return path
        for old in folder.glob(f"{name}-" + "[0-9a-f]" * 16):
            _remove(old)
        half = folder / f"{name}.making"
        _remove(half)
        make(half)
        half.rename(path)
    return path


def workplace():
    """An empty folder of this process beside the cached things, on the same file system.

    Who makes it removes it; what a killed process left is removed here. The
    lock in it tells that its maker lives, also where process ids do not: two
    containers may share the folder.
    """
    folder = directory()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder / "work.lock"):
        for old in folder.glob("work-*"):
            if not _is_held(old / HELD):
                shutil.rmtree(old, ignore_errors=True)
        place = pathlib.Path(tempfile.mkdtemp(prefix="work-", dir=folder))
        lock = open(place / HELD, "w", encoding="ascii")
        fcntl.flock(lock, fcntl.LOCK_EX)
        _held.append(lock)
    return place


def _is_held(path):
    try:
        with open(path, encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path):
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
