"""A disk is served without a loan, in a tunnel: the machine of the pairing gets it, and nobody else."""

from lab.errors import LabError
from lab.loan import PAIRING, STEP_SECONDS, Loan

SERVER, PORT = "fd73:7469:6566:656c::1", 10809
IMAGE, CONFIG = "/srv/image", "/srv/other.conf"


def play(lab, journey, installed):
    """The other machines are network namespaces of the laptop, on cables of their own."""
    loan = Loan(lab, journey, installed)
    loan.make_disk(with_image=True)
    loan.boot_laptop()
    loan.pair()
    laptop = loan.laptop
    with journey.leg("laptop: serves an image in a tunnel"):
        laptop.run(f"truncate -s 64M {IMAGE}")
        status, output = laptop.run(f"stiefelctl serve {IMAGE} --listen [::]:{PORT}", check=False)
        if status == 0 or "--tunnel" not in output:
            raise LabError(f"a network without a tunnel: {status}, {output}")
        laptop.run(f"""
            stiefelctl serve {IMAGE} --tunnel {PAIRING} --tunnel-config {CONFIG} --json > /run/served 2>&1 &
            echo $! > /run/server
            until grep -q uri /run/served; do kill -0 $! || {{ cat /run/served; exit 1; }}; sleep 0.2; done
            [ $(stat -c %a {CONFIG}) = 600 ]
        """, STEP_SECONDS)
    with journey.leg("the other machine has the disk"):
        _machine(laptop, "other", 1, CONFIG)
        greeting = _greeting(laptop, "other", SERVER)
        if greeting != "NBDMAGICIHAVEOPT":
            raise LabError(f"the disk service says {greeting!r}")
    with journey.leg("nobody else has"):
        # Another pre-shared key; and a neighbour who sends to the tunnel's address without a tunnel.
        laptop.run(f"awk '/^PrivateKey/ {{ key = $3 }} /^PresharedKey/ {{ $3 = key }} {{ print }}'"
                   f" {CONFIG} > /srv/forged.conf")
        _machine(laptop, "forger", 2, "/srv/forged.conf")
        _machine(laptop, "neighbour", 3)
        laptop.run(f"""
            set -e
            way=$(ip -6 -o address show dev cable3 scope link | sed 's/.*inet6 \\([^/]*\\).*/\\1/')
            ip netns exec neighbour ip -6 address add fd73:7469:6566:656c::3/128 dev cable nodad
            ip netns exec neighbour ip -6 route add {SERVER} via $way dev cable
            ip -6 route add fd73:7469:6566:656c::3 dev cable3
        """)
        for name, address in (("forger", SERVER), ("neighbour", SERVER), ("neighbour", "192.0.3.1")):
            if greeting := _greeting(laptop, name, address):
                raise LabError(f"{name} reaches the disk service at {address}: {greeting!r}")
        status, _ = laptop.run(f"timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/{PORT}'", check=False)
        if status == 0:
            raise LabError("the disk service listens outside its tunnel")
        if _greeting(laptop, "other", SERVER) != "NBDMAGICIHAVEOPT":
            raise LabError("the other machine has lost the disk")
    with journey.leg("laptop: ends it"):
        laptop.run("""
            set -e
            kill -INT $(cat /run/server)
            while kill -0 $(cat /run/server) 2> /dev/null; do sleep 0.2; done
            grep -q sessions /run/served
            ! ip link show stiefel-wg 2> /dev/null
        """, STEP_SECONDS)


def _machine(laptop, name, number, config=None):
    """A namespace with a cable to the laptop, and a tunnel if there is a configuration for one."""
    laptop.run(f"""
        set -e
        ip netns add {name}
        ip link add cable{number} type veth peer name cable netns {name}
        ip address add 192.0.{number}.1/24 dev cable{number}
        ip link set cable{number} up
        inside="ip netns exec {name}"
        $inside ip address add 192.0.{number}.2/24 dev cable
        $inside ip link set lo up
        $inside ip link set cable up
        until ip -6 -o address show dev cable{number} scope link | grep -v tentative | grep -q inet6; do sleep 0.1; done
    """)
    if config:
        laptop.run(f"""
            set -e
            ip netns exec {name} ip link add tunnel type wireguard
            ip netns exec {name} /usr/lib/lab/tunnel tunnel {config} 192.0.{number}.1
        """)


def _greeting(laptop, name, address):
    """What a service says first, as far as it is letters; nothing if nobody answers."""
    _, output = laptop.run(f"""
        ip netns exec {name} timeout 10 bash -c 'exec 3<>/dev/tcp/{address}/{PORT}; head -c 16 <&3' 2> /dev/null
    """, STEP_SECONDS, check=False)
    return output
