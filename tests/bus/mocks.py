#!/usr/bin/python3
"""polkit, logind, NetworkManager and systemd-networkd, as far as the daemon asks them.

A test looks at them and changes them by the interface org.stiefelsystem.Mock1 of the object /mock.
"""

import os
import select
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

CONTROL = "org.stiefelsystem.Mock1"
LOGIN = "org.freedesktop.login1.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"


class Calls:
    """What was called, and what shall go wrong."""

    def __init__(self):
        self.seen = []
        self.failing = set()
        self.hanging = set()
        self.held = []

    def note(self, name, *args):
        self.seen.append(" ".join([name, *map(str, args)]))
        if name in self.failing:
            raise dbus.exceptions.DBusException(
                f"{name} was told to fail", name="org.stiefelsystem.Mock1.Error"
            )

    def settle(self, name, done, failed, *args):
        """Notes a call, and has it answered: now, or when it hangs no more."""
        try:
            self.note(name, *args)
        except dbus.exceptions.DBusException as error:
            failed(error)
            return
        if name in self.hanging:
            self.held.append(done)
        else:
            done()


class Polkit(dbus.service.Object):
    def __init__(self, bus, calls):
        super().__init__(bus, "/org/freedesktop/PolicyKit1/Authority")
        self.calls = calls
        self.answer = "yes"

    @dbus.service.method(
        "org.freedesktop.PolicyKit1.Authority",
        in_signature="(sa{sv})sa{ss}us",
        out_signature="(bba{ss})",
        async_callbacks=("done", "failed"),
    )
    def CheckAuthorization(self, subject, action, details, flags, cancellation, done, failed):
        kind, facts = subject

        def answer():
            done((
                self.answer == "yes",
                self.answer == "challenge",
                dbus.Dictionary({}, signature="ss"),
            ))

        self.calls.settle("CheckAuthorization", answer, failed, kind, facts.get("name"), action, int(flags))


class Logind(dbus.service.Object):
    def __init__(self, bus, calls):
        super().__init__(bus, "/org/freedesktop/login1")
        self.calls = calls
        self.locks = []
        self.inhibitors = []
        self.sessions = []
        self.going_down = False
        self.announces = True

    @dbus.service.method(LOGIN, in_signature="ssss", out_signature="h")
    def Inhibit(self, what, who, why, mode):
        self.calls.note("Inhibit", what, mode)
        ours, theirs = os.pipe()
        self.locks.append(ours)
        handed_over = dbus.types.UnixFd(theirs)
        os.close(theirs)
        return handed_over

    def held(self):
        """How many locks somebody still has open."""
        poll = select.poll()
        for lock in self.locks:
            poll.register(lock, select.POLLIN)
        released = {fd for fd, event in poll.poll(0) if event & select.POLLHUP}
        return len(self.locks) - len(released)

    @dbus.service.method(LOGIN, out_signature="a(ssssuu)")
    def ListInhibitors(self):
        self.calls.note("ListInhibitors")
        return dbus.Array(
            [(what, who, why, mode, 0, 1) for what, who, why, mode in self.inhibitors],
            signature="(ssssuu)",
        )

    @dbus.service.method(LOGIN, out_signature="a(susso)")
    def ListSessions(self):
        self.calls.note("ListSessions")
        return dbus.Array(
            [
                (str(at), uid, name, "seat0", f"/org/freedesktop/login1/session/_{at}")
                for at, (uid, name) in enumerate(self.sessions)
            ],
            signature="(susso)",
        )

    @dbus.service.signal(LOGIN, signature="so")
    def SessionNew(self, session, path):
        pass

    @dbus.service.method(LOGIN, in_signature="t")
    def RebootWithFlags(self, flags):
        self.calls.note("RebootWithFlags", int(flags))
        if self.announces:
            self.going_down = True
            self.PrepareForShutdown(True)

    @dbus.service.method(LOGIN, in_signature="t")
    def PowerOffWithFlags(self, flags):
        self.calls.note("PowerOffWithFlags", int(flags))

    @dbus.service.signal(LOGIN, signature="b")
    def PrepareForShutdown(self, start):
        pass

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    @dbus.service.method(PROPERTIES, in_signature="s", out_signature="a{sv}")
    def GetAll(self, interface):
        blocked = ":".join(what for what, _, _, mode in self.inhibitors if mode == "block")
        return {
            "BlockInhibited": dbus.String(blocked, variant_level=1),
            "PreparingForShutdown": dbus.Boolean(self.going_down, variant_level=1),
        }

    @dbus.service.signal(PROPERTIES, signature="sa{sv}as")
    def PropertiesChanged(self, interface, changed, invalidated):
        pass


class NetworkManager(dbus.service.Object):
    def __init__(self, bus, calls):
        super().__init__(bus, "/org/freedesktop/NetworkManager")
        self.calls = calls

    @dbus.service.method(
        "org.freedesktop.NetworkManager", in_signature="u", async_callbacks=("done", "failed")
    )
    def Reload(self, flags, done, failed):
        self.calls.settle("NetworkManager.Reload", done, failed, int(flags))


class Networkd(dbus.service.Object):
    def __init__(self, bus, calls):
        super().__init__(bus, "/org/freedesktop/network1")
        self.calls = calls

    @dbus.service.method("org.freedesktop.network1.Manager")
    def Reload(self):
        self.calls.note("networkd.Reload")


class Control(dbus.service.Object):
    def __init__(self, bus):
        super().__init__(bus, "/mock")
        self.calls = Calls()
        self.polkit = Polkit(bus, self.calls)
        self.logind = Logind(bus, self.calls)
        self.network_manager = NetworkManager(bus, self.calls)
        self.networkd = Networkd(bus, self.calls)

    @dbus.service.method(CONTROL, out_signature="as")
    def Calls(self):
        """What was called since the last time."""
        seen, self.calls.seen = self.calls.seen, []
        return dbus.Array(seen, signature="s")

    @dbus.service.method(CONTROL, in_signature="as")
    def Fail(self, names):
        self.calls.failing = set(map(str, names))

    @dbus.service.method(CONTROL, in_signature="as")
    def Hang(self, names):
        """These answer nobody until they are named no more."""
        self.calls.hanging = set(map(str, names))
        if not self.calls.hanging:
            held, self.calls.held = self.calls.held, []
            for done in held:
                done()

    @dbus.service.method(CONTROL, in_signature="s")
    def Polkit(self, answer):
        """yes, no, or challenge."""
        self.polkit.answer = str(answer)

    @dbus.service.method(CONTROL, out_signature="u")
    def Locks(self):
        return self.logind.held()

    @dbus.service.method(CONTROL, in_signature="a(ssss)")
    def Inhibitors(self, inhibitors):
        self.logind.inhibitors = [tuple(map(str, one)) for one in inhibitors]
        changed = self.logind.GetAll(LOGIN)
        del changed["PreparingForShutdown"]
        self.logind.PropertiesChanged(LOGIN, changed, [])

    @dbus.service.method(CONTROL, in_signature="a(us)")
    def Sessions(self, sessions):
        self.logind.sessions = [(int(uid), str(name)) for uid, name in sessions]
        self.logind.SessionNew("9", "/org/freedesktop/login1/session/_9")

    @dbus.service.method(CONTROL)
    def GiveUpShutdown(self):
        self.logind.going_down = False
        self.logind.PrepareForShutdown(False)


def main():
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(sys.argv[1])
    keep = [Control(bus)]
    for name in sys.argv[2:]:
        keep.append(dbus.service.BusName(name, bus))
    # Whoever started us reads this line, and goes on.
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
