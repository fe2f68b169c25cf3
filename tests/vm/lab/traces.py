"""What a hand-off that did not happen must not leave behind on the laptop."""

from .errors import LabError

_LOOK = r"""
    complain() { echo "$1"; wrong=1; }
    wrong=0
    [ "$(cat /sys/kernel/kexec_loaded)" = 0 ] || complain 'a kernel is loaded'
    for left in /run/stiefelsystem/hand-off /run/systemd/network/*stiefel* /run/NetworkManager/conf.d/*stiefel*; do
        ! [ -e "$left" ] || complain "$left is there"
    done
    ! systemd-inhibit --list --no-legend --no-pager | grep -i stiefel || complain 'an inhibitor is held'
    ! networkctl list --no-legend --no-pager 2>/dev/null | grep -w unmanaged | grep -v ' loopback ' \
        || complain 'an interface is unmanaged'
    [ "$(systemctl is-system-running)" = running ] || { complain 'a unit failed'; systemctl --failed --no-legend; }
    systemctl is-active --quiet stiefeld || complain 'stiefeld does not run'
    exit $wrong
"""


def must_be_gone(laptop):
    """Looks for a loaded kernel, an inhibitor, an unmanaged interface, files and failed units."""
    status, output = laptop.run(_LOOK, check=False)
    if status:
        raise LabError(f"the hand-off left something behind on the {laptop.name}:\n{output}")
