"""A stick as stiefelctl makes it, in the hands of other programs."""

import subprocess

# Where the volume begins, in mtools' way of saying it.
_VOLUME = "@@2M"
MENU = "stiefel/grub.cfg"
ERRORS = "stiefel/errors.txt"
# The entry of the menu that shows them.
SHOW_ERRORS = 2


class Stick:
    """The image of a stick."""

    def __init__(self, path):
        self.path = path

    def must_be_sound(self):
        """Its table and its volume are as other programs want them."""
        said = _output("sgdisk", "--verify", self.path)
        if "No problems found" not in said:
            raise AssertionError(f"sgdisk: {said}")
        volume = self.path.with_suffix(".volume")
        with open(self.path, "rb") as stick, open(volume, "wb") as copy:
            stick.seek(2 << 20)
            copy.write(stick.read(128 << 20))
        _output("fsck.vfat", "-n", volume)
        volume.unlink()

    def speak_on_serial(self, *more):
        """A desktop that is started from it tells all that it does on its serial line; `more` are words for it."""
        menu = self.read(MENU).decode()
        words = " ".join(["loglevel=8 console=ttyS0", *more])
        self.write(MENU, menu.replace("quiet loglevel=4", words).encode())

    def choose(self, entry):
        """Its menu starts this entry by itself, counted from 0."""
        menu = self.read(MENU).decode()
        self.write(MENU, menu.replace("set default=0", f"set default={entry}").encode())

    def spoil(self, path, at):
        """A copy of it in which a file has another byte."""
        copy = Stick(self.path.with_suffix(".spoilt"))
        subprocess.run(["cp", "--sparse=always", self.path, copy.path], check=True)
        content = bytearray(self.read(path))
        content[at] ^= 0xff
        copy.write(path, bytes(content))
        return copy

    def read(self, path):
        """The content of a file on it."""
        return subprocess.run(["mtype", "-i", f"{self.path}{_VOLUME}", f"::{path}"],
                              stdout=subprocess.PIPE, check=True).stdout

    def write(self, path, content):
        """Replaces a file on it."""
        subprocess.run(["mcopy", "-o", "-i", f"{self.path}{_VOLUME}", "-", f"::{path}"], input=content, check=True)


def _output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{command[0]}: {done.stdout}")
    return done.stdout
