"""Many calls at once, and how long each took.

The clients speak to the bus by themselves: all messages are made before the first is sent, and
read after the last has come, so that what is timed is the daemon and the bus.
"""

import os
import select
import socket
import struct
import time

from gi.repository import Gio, GLib

LIMIT_SECS = 60
PROPERTIES = "org.freedesktop.DBus.Properties"
HANDOFF = "org.stiefelsystem.Stiefel1.HandOff"
ACTION = "org.stiefelsystem.stiefel1.arm"
# Kinds of messages, and where an answer's header has its lengths (D-Bus specification,
# "Message Format").
ANSWERS = {2, 3}
FIXED = 16


class Client:
    """A connection of this user to the bus at this address."""

    def __init__(self, address, user=0):
        path = dict(part.split("=") for part in address.partition(":")[2].split(","))["path"]
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_SECS)
        # The kernel tells the bus who that is at this moment.
        os.seteuid(user)
        try:
            self.socket.connect(path)
        finally:
            os.seteuid(0)
        self.socket.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
        # DATA, OK, and nothing more until we greet.
        said = b""
        while said.count(b"\r\n") < 2:
            said += self.socket.recv(4096)
        self.serial, self.received = 0, b""
        bus = "org.freedesktop.DBus"
        self.socket.sendall(self.message(bus, "/org/freedesktop/DBus", bus, "Hello", None)[1])
        self.name = None
        while not self.name:
            answers = [Gio.DBusMessage.new_from_blob(frame, 0) for frame in self.receive()]
            self.name = next((answer.get_body().unpack()[0] for answer in answers), None)

    def message(self, name, path, interface, member, body):
        """A call, ready to be sent, and its number."""
        call = Gio.DBusMessage.new_method_call(name, path, interface, member)
        if body:
            call.set_body(body)
        self.serial += 1
        call.set_serial(self.serial)
        return self.serial, bytes(call.to_blob(Gio.DBusCapabilityFlags.NONE))

    def receive(self):
        """The answers that are complete with what has come now."""
        chunk = self.socket.recv(1 << 20)
        if not chunk:
            raise SystemExit("bench: the bus hung up")
        self.received += chunk
        answers = []
        while len(self.received) >= FIXED:
            order = "<" if self.received[:1] == b"l" else ">"
            body, _, fields = struct.unpack_from(f"{order}III", self.received, 4)
            length = FIXED + (fields + 7) // 8 * 8 + body
            if len(self.received) < length:
                break
            if self.received[1] in ANSWERS:
                answers.append(self.received[:length])
            self.received = self.received[length:]
        return answers


def arguments(client, interface, member):
    """Where a member is, and what it wants."""
    me = ("system-bus-name", {"name": GLib.Variant("s", client.name)})
    return {
        "GetAll": (PROPERTIES, GLib.Variant("(s)", (interface,))),
        "Introspect": ("org.freedesktop.DBus.Introspectable", None),
        "GetManagedObjects": ("org.freedesktop.DBus.ObjectManager", None),
        "Disarm": (interface, None),
        "Pair": (interface, GLib.Variant("(s)", ("Desk",))),
        "Confirm": (HANDOFF, None),
        "Cancel": (HANDOFF, None),
        "CheckAuthorization": (interface, GLib.Variant("((sa{sv})sa{ss}us)", (me, ACTION, {}, 0, ""))),
    }[member]


def flood(clients, targets, members, count, at_once=1000):
    """The member and the seconds until its answer, of each of so many calls, spread over clients,
    targets and members. Refusals are answers, too."""
    calls = []
    for at in range(count):
        name, path, interface = targets[at % len(targets)]
        client = clients[at % len(clients)]
        member = members[at // len(clients) % len(members)]
        where, body = arguments(client, interface, member)
        serial, message = client.message(name, path, where, member, body)
        calls.append((client, serial, member, message))
    sent, came = {}, []
    poll = select.epoll()
    by_socket = {client.socket.fileno(): client for client in clients}
    for fileno in by_socket:
        poll.register(fileno, select.EPOLLIN)
    waiting = iter(calls)
    while len(came) < count:
        while len(sent) - len(came) < at_once and (call := next(waiting, None)):
            client, serial, _, message = call
            sent[client, serial] = time.perf_counter()
            client.socket.sendall(message)
        ready = poll.poll(LIMIT_SECS)
        if not ready:
            raise SystemExit("bench: no answer for a minute")
        for fileno, _ in ready:
            client = by_socket[fileno]
            answers = client.receive()
            now = time.perf_counter()
            came += [(client, answer, now) for answer in answers]
    poll.close()
    asked = {(client, serial): member for client, serial, member, _ in calls}
    took = []
    for client, answer, now in came:
        call = client, Gio.DBusMessage.new_from_blob(answer, 0).get_reply_serial()
        took.append((asked[call], now - sent[call]))
    return took
