"""Finds and presses what is on the screen, through the accessibility that people use who cannot see it."""

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

# What is used or looked at has to say what it is.
NAMED = {
    "button", "push button", "toggle button", "check box", "switch", "radio button", "spin button", "entry", "text",
    "combo box", "list item", "menu item", "check menu item", "image", "icon", "progress bar", "slider", "link",
    "page tab", "heading", "timer", "dialog", "frame", "window",
}
# Their names are nobody else's.
WINDOWS = {"frame", "window", "dialog", "application"}
# Deeper than any window of ours.
DEPTH = 40


class Eyes:
    def __init__(self):
        Atspi.init()
        # Its cache is filled by signals, which come when somebody listens.
        self.listener = Atspi.EventListener.new(self.note)
        self.noted = []
        for event in ("object:children-changed", "object:state-changed", "object:property-change",
                      "window:activate", "object:announcement"):
            self.listener.register(event)

    def note(self, event):
        if event.type.startswith("object:announcement"):
            self.noted.append(event.any_data)

    def application(self, pid):
        desktop = Atspi.get_desktop(0)
        for at in range(desktop.get_child_count()):
            try:
                one = desktop.get_child_at_index(at)
                if one is not None and one.get_process_id() == pid:
                    return one
            except GLib.Error:
                # It has ended.
                continue
        return None

    def walk(self, pid):
        """Everything of the application, from the top, with its depth; also what is not to be seen."""
        application = self.application(pid)
        if application is None:
            return
        todo = [(application, 0)]
        while todo:
            node, depth = todo.pop()
            yield node, depth
            if depth == DEPTH:
                continue
            try:
                children = [node.get_child_at_index(at) for at in range(node.get_child_count())]
            except GLib.Error:
                # It was taken away while we looked.
                continue
            todo += [(child, depth + 1) for child in reversed(children) if child is not None]

    def shown(self, pid):
        for node, depth in self.walk(pid):
            try:
                states = node.get_state_set()
                if states.contains(Atspi.StateType.SHOWING) and states.contains(Atspi.StateType.VISIBLE):
                    yield node, depth
            except GLib.Error:
                continue

    def find(self, pid, name, role=None):
        """What is on the screen under this name, from the top."""
        found = []
        for node, _ in self.shown(pid):
            try:
                if node.get_name() == name and role in (None, node.get_role_name()):
                    found.append(node)
            except GLib.Error:
                continue
        return found

    def is_sensitive(self, node):
        try:
            return node.get_state_set().contains(Atspi.StateType.SENSITIVE)
        except GLib.Error:
            return False

    def field(self, node):
        """Where text can be put: the node itself, or the part of it that takes it."""
        todo = [node]
        while todo:
            one = todo.pop(0)
            if one.is_editable_text():
                return one.get_editable_text_iface()
            todo += [one.get_child_at_index(at) for at in range(one.get_child_count())]
        return None

    def focused(self, pid):
        """What has the keyboard."""
        for node, _ in self.shown(pid):
            if node.get_state_set().contains(Atspi.StateType.FOCUSED):
                return node
        return None

    def rows_beside(self, node):
        """Names of the rows of its list, if it is one of them."""
        parent = node.get_parent()
        if node.get_role_name() != "list item" or parent is None:
            return []
        children = [parent.get_child_at_index(at) for at in range(parent.get_child_count())]
        return [child.get_name() for child in children if child is not None]

    def can_be_pressed(self, node):
        """Labels have actions too, such as copying, and rows have none."""
        actions = node.get_action_iface()
        return (node.get_role_name() != "label" and self.is_sensitive(node)
                and actions is not None and actions.get_n_actions() > 0)

    def press(self, node):
        """Does what a click on it does."""
        return node.get_action_iface().do_action(0)

    def buttons(self, pid):
        """Names of all that can be pressed now."""
        roles = ("button", "push button", "toggle button", "switch", "menu item", "check menu item")
        return [node.get_name() for node, _ in self.shown(pid)
                if node.get_role_name() in roles and self.is_sensitive(node)]

    def texts(self, pid):
        """All names that are on the screen."""
        return [node.get_name() for node, _ in self.shown(pid)]

    def nameless(self, pid):
        """What can be used or looked at and has no name: its role and the names above it."""
        found = []
        for node, _ in self.shown(pid):
            try:
                if node.get_role_name() not in NAMED or node.get_name() or self.in_a_named_one(node):
                    continue
                above, parent = [], node.get_parent()
                while parent is not None:
                    above.append(parent.get_name() or parent.get_role_name())
                    parent = parent.get_parent()
                found.append(f"{node.get_role_name()} in {' in '.join(above)}")
            except GLib.Error:
                continue
        return found

    def in_a_named_one(self, node):
        """Parts of what has a name, such as the arrow of a button, need none."""
        parent = node.get_parent()
        while parent is not None and parent.get_role_name() not in WINDOWS:
            if parent.get_role_name() in NAMED and parent.get_name():
                return True
            parent = parent.get_parent()
        return False

    def listing(self, pid):
        lines = []
        for node, depth in self.shown(pid):
            try:
                text = f"{'  ' * depth}{node.get_role_name()} {node.get_name()!r}"
            except GLib.Error:
                continue
            lines.append(text + ("" if self.is_sensitive(node) else " (insensitive)"))
        return "\n".join(lines)
