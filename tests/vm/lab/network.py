"""A network namespace with a bridge for each cable between the machines; most need one."""

import itertools
import subprocess

from .errors import LabError

BRIDGE = "cable"


class Network:
    """Ends with close(), and by the kernel when this process ends."""

    def __init__(self):
        # The namespace lives as long as this program, which ends when our end
        # of its input is closed, be it because we were killed.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "echo up; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._numbers = itertools.count()
        self._cables = {}  # by tap; a cable is a bridge
        self._enter = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]
        if self._holder.stdout.readline() != b"up\n":
            raise LabError("cannot make a network namespace: this needs root")

    def command(self, *words):
        """The words of a command that runs inside, and dies with us."""
        return ["setpriv", "--pdeathsig", "KILL", *self._enter, *words]

    def run(self, *lines):
        """Runs shell lines inside."""
        done = subprocess.run([*self._enter, "sh", "-euc", "\n".join(lines)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise LabError(f"{lines}: {done.stdout.strip()}")

    def socket(self, cable=BRIDGE):
        """A new socket at a cable's end of a machine: the name of a tap on the bridge."""
        if cable not in self._cables.values():
            # Snooping is off so that multicast goes everywhere as on a bare cable,
            # and the host has no address, so that only the machines speak.
            self.run(f"ip link add {cable} type bridge mcast_snooping 0 forward_delay 0",
                     f"ip link set {cable} addrgenmode none", f"ip link set {cable} up")
        name = f"tap{next(self._numbers)}"
        self._cables[name] = cable
        self.run(f"ip tuntap add dev {name} mode tap", f"ip link set {name} addrgenmode none",
                 f"ip link set {name} master {cable} up")
        return name

    def silence(self, tap, silent):
        """Loses every packet of a tap, while both ends keep their carrier."""
        self.run(f"ip link set {tap} nomaster" if silent else f"ip link set {tap} master {self._cables[tap]}")

    def set_packet_size(self, tap, size):
        """Loses packets to a machine that are larger, without a word."""
        self.run(f"ip link set {tap} mtu {size}")

    def close(self):
        """The namespace goes with its last program."""
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stdout.close()
