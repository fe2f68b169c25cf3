"""The life of the Debian package on one system: it comes, is used, is upgraded, and leaves no trace.

The system may be booted in namespaces (test_debs.py) or in a virtual machine
(tests/vm/scenarios/_package_life.py); here is what is done to it, and what has to be so then.
"""

import json
import pathlib
import shutil

STATE = "/var/lib/stiefelsystem"
UNIT = "stiefeld.service"
PAIRING = "Workstation"
UPGRADE = "upgrade while armed"
# What the two packages are called in /srv of the system.
FIRST, NEXT = "/srv/first.deb", "/srv/next.deb"
# What changes in any system, and what dpkg keeps of packages that are gone.
CHANGING = ("/var/lib/dpkg", "/var/log", "/var/cache", "/var/lib/systemd", "/srv", "/var/lib/NetworkManager", "/var/tmp")
# All that may tell of it. The lists stay in the system: a machine's line is slow.
LIST = f"""
    find / -xdev {' '.join(f"-path {path} -prune -o" for path in CHANGING)} ! -type d -print | sort
    cat /etc/passwd /etc/group
"""


def supply(root, packages, earlier=None):
    """Puts the package of the folder `packages` into the tree `root`, and of an earlier build the one that it upgrades."""
    place = pathlib.Path(root) / "srv"
    place.mkdir(exist_ok=True)
    for name, folder in ((FIRST, earlier or packages), (NEXT, packages)):
        (package,) = folder.glob("stiefelsystem_*.deb")
        shutil.copy(package, place / pathlib.Path(name).name)


class Life:
    """`ask` runs a script in the system as root; returns its status and all that it printed."""

    def __init__(self, ask):
        self._ask = ask

    def steps(self):
        """What happens, each with its name; each needs those before."""
        return [
            ("nothing of it is there", self._look_around),
            ("install", self._install),
            ("the bus starts it", self._is_started_by_the_bus),
            (UPGRADE, self._upgrade),
            ("without a network service or polkit", self._do_without),
            ("remove keeps what a person made", self._remove),
            ("purge", self._purge),
        ]

    def _look_around(self):
        # Where a laboratory's system expects it.
        self._shell(f"rm -f /etc/systemd/system/multi-user.target.wants/{UNIT} && systemctl daemon-reload")
        self._shell(f"! command -v stiefelctl && ({LIST}) >/srv/before")

    def _install(self):
        self._shell(f"dpkg --install {FIRST}")
        _same(self._shell(f"systemctl is-enabled {UNIT}"), "enabled")
        _same(self._running(), "active")
        _same(self._shell(f"stat -c %a {STATE}"), "700")
        _same(self._shell(f"systemd-analyze verify --man=no /usr/lib/systemd/system/{UNIT} 2>&1"), "")
        self._has_ramdisk()

    def _is_started_by_the_bus(self):
        self._shell(f"systemctl stop {UNIT} && stiefelctl status")
        _same(self._running(), "active")

    def _upgrade(self):
        self._shell(f"stiefelctl pair {PAIRING} && stiefelctl arm")
        pid = self.process()
        self._shell(f"""
            rm {STATE}/images/*
            if cmp {FIRST} {NEXT}; then
                dpkg-deb --raw-extract {NEXT} /srv/next
                sed -i 's/^Version: .*/&+next/' /srv/next/DEBIAN/control
                dpkg-deb --build /srv/next {NEXT}
            fi
            dpkg --install {NEXT}
        """)
        _must(self.process() != pid, "the old daemon still runs")
        self.is_armed()
        _must(PAIRING in self._shell("stiefelctl pairings"), "the pairing is gone")
        self._has_ramdisk()

    def _do_without(self):
        services = "NetworkManager.service systemd-networkd.socket systemd-networkd.service polkit.service"
        was = self._shell(f"for unit in {services}; do ! systemctl is-enabled -q $unit || echo $unit; done")
        self._shell(f"systemctl mask --runtime --now {services} && systemctl restart {UNIT}")
        self._shell("stiefelctl disarm && stiefelctl arm")
        self.is_armed()
        status, said = self._ask("runuser -u nobody -- stiefelctl disarm")
        _must(status != 0 and "polkit" in said, f"nobody may disarm: {said}")
        self.is_armed()
        self._shell(f"systemctl unmask --runtime {services} && systemctl start {' '.join(was.split())}")

    def _remove(self):
        self._shell("dpkg --remove stiefelsystem")
        _must(self._running() != "active", "the daemon still runs")
        _same(self._shell(f"ls {STATE}/pairings | wc -l"), "1")

    def _purge(self):
        self._shell("dpkg --purge stiefelsystem")
        self.left_nothing()

    def left_nothing(self):
        """It is as if it had never been there."""
        _same(self._shell(f"({LIST}) | diff /srv/before - || true"), "")
        for folder in (STATE, "/etc/stiefelsystem", "/run/stiefelsystem"):
            _must(self._ask(f"test -e {folder}")[0] != 0, f"{folder} is left")
        processes = self._shell("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        _must("systemd" in processes and "stiefel" not in processes, f"a process is left: {processes}")
        _same(self._shell("systemctl list-units --all --plain --no-legend 'stiefel*'"), "")
        _same(self._shell("systemctl --failed --plain --no-legend"), "")

    def is_armed(self):
        """The daemon runs, and answers searches."""
        _must(json.loads(self._shell("stiefelctl status --json"))["armed"], "it is not armed")

    def process(self):
        """The daemon's process."""
        return self._shell(f"systemctl show --value --property=MainPID {UNIT}")

    def _has_ramdisk(self):
        images = self._shell(f"for kernel in /lib/modules/*; do ls {STATE}/images/${{kernel##*/}}.img; done")
        _must(images, "no ramdisk was made")

    def _running(self):
        return self._ask(f"systemctl is-active {UNIT}")[1]

    def _shell(self, script):
        status, output = self._ask(f"set -eu\n{script}")
        _must(status == 0, f"`{script.strip()}` ended with {status}: {output}")
        return output


def _must(condition, otherwise):
    if not condition:
        raise AssertionError(otherwise)


def _same(found, wanted):
    _must(found == wanted, f"found {found!r}, not {wanted!r}")
