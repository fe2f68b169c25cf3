"""The parts of a desktop shell that the application talks to: who shows icons in the
panel, and who shows notifications. Both are on the session bus of the tests."""

from dataclasses import dataclass, field

from gi.repository import Gio, GLib

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"
NOTIFICATIONS = "org.freedesktop.Notifications"
PROPERTIES = "org.freedesktop.DBus.Properties"

WATCHER_XML = f"""
<node><interface name="{WATCHER}">
  <method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method>
  <method name="RegisterStatusNotifierHost"><arg type="s" direction="in"/></method>
  <property name="RegisteredStatusNotifierItems" type="as" access="read"/>
  <property name="IsStatusNotifierHostRegistered" type="b" access="read"/>
  <property name="ProtocolVersion" type="i" access="read"/>
</interface></node>"""

NOTIFICATIONS_XML = f"""
<node><interface name="{NOTIFICATIONS}">
  <method name="Notify">
    <arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    <arg type="a{{sv}}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/>
  </method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="GetServerInformation">
    <arg type="s" direction="out"/><arg type="s" direction="out"/>
    <arg type="s" direction="out"/><arg type="s" direction="out"/>
  </method>
  <signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
  <signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal>
</interface></node>"""


class Service:
    """Owns a name and answers for an object, until it goes."""

    def __init__(self, connection, name, path, xml):
        self.connection, self.name, self.path = connection, name, path
        interface = Gio.DBusNodeInfo.new_for_xml(xml).interfaces[0]
        self.interface = interface.name
        self.registration = connection.register_object_with_closures2(
            path, interface, self._call, self._get, None
        )
        self._own("RequestName", "(su)", name, 4)  # DBUS_NAME_FLAG_DO_NOT_QUEUE

    def go(self):
        self.connection.unregister_object(self.registration)
        self._own("ReleaseName", "(s)", self.name)

    def _own(self, member, signature, *arguments):
        self.connection.call_sync(
            "org.freedesktop.DBus", "/", "org.freedesktop.DBus", member,
            GLib.Variant(signature, arguments), None, Gio.DBusCallFlags.NONE, -1, None,
        )

    def _call(self, _connection, sender, _path, _interface, member, arguments, invocation):
        answer = getattr(self, member)(sender, *arguments.unpack())
        invocation.return_value(answer)

    def _get(self, _connection, _sender, _path, _interface, name):
        return getattr(self, name)()

    def signal(self, member, signature, *arguments):
        self.connection.emit_signal(None, self.path, self.interface, member, GLib.Variant(signature, arguments))


class Panel(Service):
    """Shows icons. What the item signals is kept, to see what it is told of."""

    def __init__(self, connection):
        self.items = []
        self.signals = []
        super().__init__(connection, WATCHER, "/StatusNotifierWatcher", WATCHER_XML)

    def RegisterStatusNotifierItem(self, sender, service):
        name, path = (sender, service) if service.startswith("/") else (service, "/StatusNotifierItem")
        item = Item(self.connection, name, path)
        for interface in (ITEM, MENU):
            self.connection.signal_subscribe(
                sender, interface, None, None, None, Gio.DBusSignalFlags.NONE,
                lambda *arguments: self.signals.append((arguments[4], arguments[5].unpack())),
            )
        self.items.append(item)

    def RegisterStatusNotifierHost(self, _sender, _service):
        pass

    def RegisteredStatusNotifierItems(self):
        return GLib.Variant("as", [item.name + item.path for item in self.items])

    def IsStatusNotifierHostRegistered(self):
        return GLib.Variant("b", True)

    def ProtocolVersion(self):
        return GLib.Variant("i", 0)


class Item:
    """An icon in the panel."""

    def __init__(self, connection, name, path):
        self.connection, self.name, self.path = connection, name, path

    def _ask(self, path, interface, member, signature, *arguments):
        return self.connection.call_sync(
            self.name, path, interface, member, GLib.Variant(signature, arguments), None,
            Gio.DBusCallFlags.NONE, 60_000, None,
        ).unpack()

    def get(self, name):
        return self._ask(self.path, PROPERTIES, "Get", "(ss)", ITEM, name)[0]

    def icon(self):
        """The last word of the icon's name, and ! if it wants attention."""
        attention = self.get("Status") == "NeedsAttention"
        icon = self.get("AttentionIconName" if attention else "IconName")
        return icon.removesuffix("-symbolic").split("Stiefelsystem-")[-1] + "!" * attention

    def entries(self):
        """Of the menu: number, label, whether it can be clicked."""
        _, (_, _, children) = self._ask(self.get("Menu"), MENU, "GetLayout", "(iias)", 0, -1, [])
        return [
            (number, properties.get("label", "-").replace("__", "_"), properties.get("enabled", True))
            for number, properties, _ in children
        ]

    def menu(self):
        """As one reads it: what can be clicked in brackets."""
        return [
            f"[{label}]" if enabled and label != "-" else label for _, label, enabled in self.entries()
        ]

    def click(self, label):
        """An entry of the menu, once more if the menu has become another one since it was read."""
        while True:
            labels = {found: number for number, found, enabled in self.entries() if enabled}
            assert label in labels, f"no {label!r} in {self.menu()}"
            event = GLib.Variant("s", "")
            try:
                self._ask(self.get("Menu"), MENU, "Event", "(isvu)", labels[label], "clicked", event, 0)
                return
            except GLib.Error as error:
                domain = Gio.dbus_error_quark()
                if error.matches(domain, Gio.DBusError.NO_REPLY):
                    # Who is told to quit may be gone before it has answered.
                    return
                if not error.matches(domain, Gio.DBusError.INVALID_ARGS):
                    raise

    def activate(self):
        self._ask(self.path, ITEM, "Activate", "(ii)", 0, 0)


@dataclass
class Shown:
    """A notification on the screen."""

    title: str
    body: str
    actions: dict = field(default_factory=dict)
    urgency: int = 1


class Corner(Service):
    """Shows notifications: `shown` is what is on the screen, by number."""

    def __init__(self, connection):
        self.shown = {}
        self.sent = 0
        super().__init__(connection, NOTIFICATIONS, "/org/freedesktop/Notifications", NOTIFICATIONS_XML)

    def Notify(self, _sender, _app, replaces, _icon, title, body, actions, hints, _expire):
        self.sent += 1
        number = replaces or self.sent
        named = dict(zip(actions[1::2], actions[::2]))
        self.shown[number] = Shown(title, body, named, hints.get("urgency", 1))
        return GLib.Variant("(u)", (number,))

    def CloseNotification(self, _sender, number):
        self.shown.pop(number, None)
        self.signal("NotificationClosed", "(uu)", number, 3)

    def GetCapabilities(self, _sender):
        return GLib.Variant("(as)", (["actions", "body", "persistence"],))

    def GetServerInformation(self, _sender):
        return GLib.Variant("(ssss)", ("Corner", "tests", "1", "1.2"))

    def titles(self):
        return [one.title for one in self.shown.values()]

    def press(self, title, label):
        """A button of the notification."""
        for number, one in self.shown.items():
            if one.title == title:
                self.signal("ActionInvoked", "(us)", number, one.actions[label])
                del self.shown[number]
                self.signal("NotificationClosed", "(uu)", number, 2)
                return
        raise AssertionError(f"no {title!r} in {self.titles()}")
