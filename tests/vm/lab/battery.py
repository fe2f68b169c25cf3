"""A battery and a charger for a machine, which tests empty and unplug as they like.

The firmware's tables get one more, with a control method battery and an AC
adapter (ACPI specification, chapter 10) whose values are two bytes of the
machine's memory. That memory is a file here.
"""

import pathlib

# Below the first 64 KiB, which Linux leaves to the firmware, and no firmware uses after the start.
ADDRESS = 0x6000
PAGE = 4096


class Battery:
    """Made before its machine is switched on; `folder` is one for this machine alone."""

    def __init__(self, folder, memory_mib, percent=100, on_mains=True):
        self._memory = pathlib.Path(folder) / "memory"
        self._table = pathlib.Path(folder) / "battery.aml"
        self._bytes = memory_mib << 20
        with open(self._memory, "wb") as memory:
            memory.truncate(self._bytes)
        self._table.write_bytes(_table())
        self.set(percent, on_mains)

    def words(self):
        """What QEMU needs to hear."""
        return ("-object", f"memory-backend-file,id=memory,size={self._bytes},mem-path={self._memory},share=on",
                "-machine", "memory-backend=memory", "-acpitable", f"file={self._table}")

    def set(self, percent, on_mains):
        """What the battery and the charger say from now on."""
        with open(self._memory, "r+b") as memory:
            memory.seek(ADDRESS)
            memory.write(bytes([percent, on_mains]))


# The table in ACPI's machine language (chapter 20), which is:
#
#   OperationRegion (LAB0, SystemMemory, ADDRESS, 2)
#   Field (LAB0, ByteAcc, NoLock, Preserve) { LEFT, 8, MAIN, 8 }
#   Device (BAT0) {
#       Name (_HID, EisaId ("PNP0C0A"))
#       Name (_PCL, Package () { \_SB })
#       Method (_STA) { Return (0x1F) }
#       Name (_BIF, Package () { 0, 100, 100, 1, 12000, 10, 5, 1, 1, "lab", "1", "LION", "lab" })
#       Name (STAT, Package () { 0, 500, 0, 12000 })
#       Method (_BST, Serialized) { STAT [0] = MAIN ^ 1; STAT [2] = LEFT; Return (STAT) }
#   }
#   Device (AC00) {
#       Name (_HID, "ACPI0003")
#       Name (_PCL, Package () { \_SB })
#       Method (_PSR) { Return (MAIN) }
#   }

def _table():
    region = b"\x5b\x80LAB0\x00" + _number(ADDRESS) + _number(2)
    field = b"\x5b\x81" + _sized(b"LAB0" + b"\x01" + b"LEFT\x08" + b"MAIN\x08")
    own = _name(b"_PCL", _package([b"\\_SB_"]))
    state = _name(b"STAT", _package([_number(0), _number(500), _number(0), _number(12000)]))
    at = lambda index: b"\x88STAT" + _number(index) + b"\x00"  # noqa: E731 (it is one word of that language)
    battery = _device(b"BAT0", _name(b"_HID", b"\x0c\x41\xd0\x0c\x0a"), own, state,
                      _method(b"_STA", b"\xa4" + _number(0x1f)),
                      _name(b"_BIF", _package([*map(_number, (0, 100, 100, 1, 12000, 10, 5, 1, 1)),
                                               *map(_text, ("lab", "1", "LION", "lab"))])),
                      _method(b"_BST", b"\x70\x7fMAIN\x01\x00" + at(0) + b"\x70LEFT" + at(2) + b"\xa4STAT", 8))
    charger = _device(b"AC00", _name(b"_HID", _text("ACPI0003")), own, _method(b"_PSR", b"\xa4MAIN"))
    content = b"\x10" + _sized(b"\\_SB_" + region + field + battery + charger)
    head = (b"SSDT" + (36 + len(content)).to_bytes(4, "little") + b"\x02\x00" + b"STIEFL" + b"BATTERY\x00"
            + (1).to_bytes(4, "little") + b"LAB " + (1).to_bytes(4, "little"))
    whole = bytearray(head + content)
    whole[9] = -sum(whole) % 256
    return bytes(whole)


def _number(value):
    if value < 2:
        return bytes([value])
    return b"\x0a" + bytes([value]) if value < 256 else b"\x0b" + value.to_bytes(2, "little")


def _text(value):
    return b"\x0d" + value.encode() + b"\x00"


def _name(name, value):
    return b"\x08" + name + value


def _package(values):
    return b"\x12" + _sized(bytes([len(values)]) + b"".join(values))


def _method(name, body, flags=0):
    return b"\x14" + _sized(name + bytes([flags]) + body)


def _device(name, *parts):
    return b"\x5b\x82" + _sized(name + b"".join(parts))


def _sized(content):
    """The content behind its length, which counts itself."""
    if len(content) + 1 < 0x40:
        return bytes([len(content) + 1]) + content
    length = len(content) + 2
    return bytes([0x40 | length & 15, length >> 4]) + content
