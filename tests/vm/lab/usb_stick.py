"""USB sticks in a machine's port: good ones, bad ones, slow ones."""

MIB = 1 << 20


class UsbStick:
    """An empty stick of this size, plugged into a machine; its serial number is its name."""

    def __init__(self, lab, machine, name, mib, read_only=False, broken_at=None, write_bps=None):
        self.name = name
        self.path = lab.private / f"{name}.usb"
        self._monitor = machine.monitor
        with open(self.path, "wb") as image:
            image.truncate(mib * MIB)
        node = {"driver": "file", "filename": str(self.path)}
        if broken_at is not None:
            # Whatever touches this byte fails, for ever.
            rule = {"event": "none", "iotype": "write", "sector": broken_at // 512, "errno": 5}
            node = {"driver": "blkdebug", "image": node, "inject-error": [rule]}
        node = {"driver": "raw", "file": node}
        if write_bps:
            self._monitor.ask("object-add", **{"qom-type": "throttle-group", "id": f"{name}-speed",
                                               "limits": {"bps-write": write_bps}})
            node = {"driver": "throttle", "throttle-group": f"{name}-speed", "file": node}
        self._monitor.ask("blockdev-add", **{**node, "node-name": name, "read-only": read_only})
        self.plug()

    def plug(self):
        """Plugs it in (again)."""
        self._monitor.ask("device_add", driver="usb-storage", id=f"{self.name}-device", drive=self.name,
                          serial=self.name, removable=True, bus="xhci.0")

    def pull(self):
        """Pulls it out, whatever goes on."""
        self._monitor.ask("device_del", id=f"{self.name}-device")
