"""A Debian 13 tree with a kernel: what the laptop's disk is filled with."""

import pathlib
import shlex
import subprocess

from . import crypt
from .errors import LabError

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# What a laptop's system has that a loan touches: an init system with logind,
# udev, a bus with polkit, both of the usual network services, tools to look at
# the result with, and the boot loaders that go onto sticks.
PACKAGES = """
    systemd systemd-sysv libpam-systemd udev dbus polkitd
    linux-image-amd64 kmod zstd e2fsprogs
    iproute2 iputils-ping network-manager
    shim-signed grub-efi-amd64-signed grub-pc-bin
""".split()

# What makes the initramfs; the key is the name that tests use.
GENERATORS = {
    "initramfs-tools": ["initramfs-tools"],
    "dracut": ["dracut"],
    "initramfs-tools-luks": ["initramfs-tools", "cryptsetup-initramfs"],
}

# What an initramfs is made from and the packages do not bring; it has to be there before they make one.
FILES = {
    "initramfs-tools-luks": {"etc/crypttab": crypt.CRYPTTAB},
}

# Nobody reads these in a test machine, and they are half of a small system.
EXCLUDED = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"]


def definition(generator):
    """Text that changes when the tree would come out differently."""
    parts = (SUITE, PACKAGES, GENERATORS[generator], EXCLUDED)
    return repr(parts + (FILES[generator],) if generator in FILES else parts)


def make_tree(path, generator, log):
    """Unpacks and configures the system below `path`, which must not exist; `log` is an open file."""
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    for name, text in FILES.get(generator, {}).items():
        options.append(f"--essential-hook=printf %s {shlex.quote(text)} > \"$1/{name}\"")
    bootstrap(path, PACKAGES + GENERATORS[generator], options, log)


def bootstrap(path, packages, options, log, suite=SUITE):
    """Any tree of Debian 13, or of another suite, from the archive that this machine's apt uses.

    `options` are mmdebstrap's own.
    """
    command = ["mmdebstrap", "--mode=root", "--variant=apt", f"--keyring={KEYRING}",
               "--include=" + ",".join(packages), *options]
    command += [f"--aptopt={line}" for line in _transport_options()]
    command += [suite, str(path), f"deb {archive()} {suite} main"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise LabError(f"mmdebstrap ended with {done.returncode}, see {log.name}")


def archive():
    """The address of the Debian archive that apt is configured for."""
    host = dict(line.split("=", 1) for line in
                pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line)
    codename = host.get("VERSION_CODENAME", "").strip('"')
    targets = _output("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)",
                      "Created-By: Packages")
    for line in targets.splitlines():
        release, component, address = line.split(maxsplit=2)
        if release in (codename, SUITE) and component == "main":
            return address
    raise LabError(f"apt knows no archive with '{codename} main': "
                   "add Debian's main archive to /etc/apt/sources.list.d")


def _transport_options():
    """Proxies and the like, which the tree's own apt would not know."""
    dump = _output("apt-config", "dump", "Acquire::http", "Acquire::https")
    return [line for line in dump.splitlines() if "Proxy" in line and '""' not in line]


def _output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
