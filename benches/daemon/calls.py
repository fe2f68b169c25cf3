"""Many calls at once, and how long each took."""

import time

from gi.repository import GLib

LIMIT_MS = 60_000
PROPERTIES = "org.freedesktop.DBus.Properties"
HANDOFF = "org.stiefelsystem.Stiefel1.HandOff"
ACTION = "org.stiefelsystem.stiefel1.arm"


def arguments(client, interface, member):
    """Where a member is, and what it wants."""
    me = ("system-bus-name", {"name": GLib.Variant("s", client.get_unique_name())})
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
    took, sent, open_calls = [], 0, 0
    context = GLib.MainContext.default()

    def answered(client, result, call):
        nonlocal open_calls
        member, start = call
        took.append((member, time.perf_counter() - start))
        open_calls -= 1
        try:
            client.call_finish(result)
        except GLib.Error:
            pass

    while len(took) < count:
        while sent < count and open_calls < at_once:
            name, path, interface = targets[sent % len(targets)]
            client = clients[sent % len(clients)]
            member = members[sent // len(clients) % len(members)]
            where, body = arguments(client, interface, member)
            client.call(name, path, where, member, body, None, 0, LIMIT_MS, None, answered,
                        (member, time.perf_counter()))
            sent += 1
            open_calls += 1
        context.iteration(True)
    return took
