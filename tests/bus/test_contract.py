"""The daemon is what its XML says; polkit is asked about everything that changes something."""

import pathlib
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as XML

from gi.repository import Gio, GLib

from harness import (
    DRIVE, HANDOFF, JOB, LINK, LOAN, MANAGER, MOCKED, PAIRING, PROPERTIES, ROOT, SERVICE,
    SETTINGS, TREE,
    Case, DBusError,
)

ACTION = f"{SERVICE}.PolkitAction"
PREFIX = "org.stiefelsystem.stiefel1."
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION
FILES = sorted((TREE / "dbus").glob("*.xml"))


def contract():
    for file in FILES:
        yield XML.parse(file).getroot().find("interface")


def shape(interface):
    """Everything that a caller can rely on, in one comparable form."""
    members = {}
    for member in interface:
        if member.tag == "annotation":
            continue
        emits = [
            note.get("value")
            for note in member.findall("annotation")
            if note.get("name").endswith("EmitsChangedSignal")
        ]
        args = [
            (arg.get("name"), arg.get("type"), arg.get("direction"))
            for arg in member.findall("arg")
        ]
        key = (member.tag, member.get("name"))
        members[key] = (member.get("type"), member.get("access"), args, emits or ["true"])
    return members


def guarded():
    """Every member that changes something, with its action: (interface, kind, name, action)."""
    for interface in contract():
        for member in interface:
            for note in member.findall("annotation"):
                if note.get("name") == ACTION:
                    yield interface.get("name"), member.tag, member.get("name"), note.get("value")


class Contract(Case):
    def test_introspection_equals_the_xml(self):
        pairing = self.pair()
        self.script("link add lan0 52:54:00:00:00:01")
        link = f"{ROOT}/links/lan0"
        self.wait(lambda: (link, LINK) in self.seen, "the link")
        self.script("drive in sdb 16 Stick")
        drive = f"{ROOT}/drives/sdb"
        self.wait(lambda: (drive, DRIVE) in self.seen, "the drive")
        job = self.call(ROOT, MANAGER, "UpdateImage")
        self.script("loan begin Laptop")
        paths = {PAIRING: pairing, LINK: link, DRIVE: drive, JOB: job}
        paths |= dict.fromkeys([MANAGER, HANDOFF, SETTINGS, LOAN], ROOT)
        self.assertEqual(len(FILES), len(paths))
        for expected in contract():
            name = expected.get("name")
            live = self.call(paths[name], "org.freedesktop.DBus.Introspectable", "Introspect")
            found = XML.fromstring(live).find(f"interface[@name='{name}']")
            self.assertEqual(shape(found), shape(expected), name)

    def test_no_object_has_more_than_the_contract(self):
        self.pair()
        known = {interface.get("name") for interface in contract()}
        for path in (ROOT, self.pair("Other")):
            live = self.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")
            ours = {
                interface.get("name")
                for interface in XML.fromstring(live).findall("interface")
                if not interface.get("name").startswith("org.freedesktop.DBus")
            }
            self.assertLessEqual(ours, known)


class Guard(Case):
    def test_annotations_and_policy_file_name_the_same_actions(self):
        policy = XML.parse(TREE / "data" / f"{SERVICE}.policy").getroot()
        offered = {action.get("id") for action in policy.findall("action")}
        self.assertEqual(offered, {PREFIX + action for *_, action in guarded()})

    def calls(self, pairing):
        """A call for each guarded member: its action, and the call's arguments."""
        arguments = {
            "Arm": ("(a{sv})", {}),
            "Pair": ("(s)", "Another"),
            "Begin": ("(oa{sv})", pairing, {}),
            "GiveBack": ("(a{sv})", {}),
            (DRIVE, "WriteStick"): ("(oa{sv})", pairing, {}),
            (MANAGER, "WriteStick"): ("(oha{sv})", pairing, 0, {}),
        }
        values = {
            (PAIRING, "Name"): GLib.Variant("s", "New"),
            (PAIRING, "Policy"): GLib.Variant("s", "never"),
            (LINK, "Policy"): GLib.Variant("s", "dedicated"),
            (SETTINGS, "OnBattery"): GLib.Variant("s", "allow"),
            (SETTINGS, "BatteryPercent"): GLib.Variant("u", 7),
            (SETTINGS, "OnAcLoss"): GLib.Variant("s", "call-off"),
            (SETTINGS, "OnPlug"): GLib.Variant("s", "never"),
            (SETTINGS, "CountdownSecs"): GLib.Variant("u", 500),
            (SETTINGS, "ConfirmSecs"): GLib.Variant("u", 501),
            (SETTINGS, "OfferSecs"): GLib.Variant("u", 502),
            (SETTINGS, "PatienceSecs"): GLib.Variant("u", 503),
            (SETTINGS, "OnLowPower"): GLib.Variant("s", "warn"),
        }
        paths = {PAIRING: pairing, LINK: self.link, JOB: f"{ROOT}/jobs/1", DRIVE: self.drive}
        # What ends something comes last, so that everything before it finds it.
        order = {"UpdateImage": -3, (JOB, "Cancel"): -2, "WriteStick": -1}
        order |= {"Confirm": 1, "Cancel": 2, "Forget": 3}

        def key(member):
            return order.get((member[0], member[2]), order.get(member[2], 0))

        for interface, kind, name, action in sorted(guarded(), key=key):
            path = paths.get(interface, ROOT)
            if kind == "property":
                call = (path, PROPERTIES, "Set", "(ssv)", interface, name, values[interface, name])
            else:
                given = arguments.get((interface, name), arguments.get(name, ()))
                call = (path, interface, name, *given)
            yield PREFIX + action, call

    def configure(self):
        super().configure()
        self.script("link add lan0 52:54:00:00:00:01")
        self.link = f"{ROOT}/links/lan0"
        self.wait(lambda: (self.link, LINK) in self.seen, "the link")
        self.script("drive in sdb 16 Stick")
        self.drive = f"{ROOT}/drives/sdb"
        self.wait(lambda: (self.drive, DRIVE) in self.seen, "the drive")
        image = tempfile.TemporaryFile()
        self.addCleanup(image.close)
        self.image = image.fileno()

    def asked(self):
        return [call for call in self.mock("Calls") if call.startswith("CheckAuthorization")]

    def refused(self, action, call):
        """The call is refused because polkit, asked about the caller and nothing else, says no."""
        with self.subTest(call=call):
            self.mock("Calls")
            self.assert_refused(DENIED, *call, fds=[self.image])
            sender = self.caller.get_unique_name()
            self.assertEqual(self.asked(), [f"CheckAuthorization system-bus-name {sender} {action} 0"])

    def test_every_call_is_refused_when_polkit_says_no(self):
        pairing = self.pair()
        self.call_as_nobody()
        self.mock("Polkit", "(s)", "no")
        calls = {(call[1], call[2], call[5] if call[1] == PROPERTIES else ""): (action, call)
                 for action, call in self.calls(pairing) if call[1] != LOAN}
        # These have something to do only while there is something to end.
        disarm = calls.pop((MANAGER, "Disarm", ""))
        confirm = calls.pop((HANDOFF, "Confirm", ""))
        cancel = calls.pop((HANDOFF, "Cancel", ""))
        stop = calls.pop((JOB, "Cancel", ""))
        before = self.objects()
        for call in calls.values():
            self.refused(*call)
        self.assertEqual(self.objects(), before)
        self.by_root(self.arm)
        self.refused(*disarm)
        self.assertTrue(self.property("Armed", MANAGER))
        self.by_root(lambda: self.begin(pairing))
        self.refused(*confirm)
        self.refused(*cancel)
        self.assertEqual(self.property("State"), "announced")
        self.by_root(self.cancel)
        self.script("close before update-image")
        self.by_root(lambda: self.call(ROOT, MANAGER, "UpdateImage"))
        self.refused(*stop)
        self.assertEqual(self.property("State", JOB, f"{ROOT}/jobs/1"), "running")

    def test_nobody_is_asked_for_what_can_change_nothing(self):
        """What is as it was asked for, or cannot be done whoever asks, is answered at once."""
        pairing = self.pair()
        gone = f"{ROOT}/pairings/0011223344556677"
        self.call_as_nobody()
        self.mock("Polkit", "(s)", "no")
        arm, pair = (MANAGER, "Arm", "(a{sv})", {}), (MANAGER, "Pair", "(s)", "Desk")
        begin, write = (HANDOFF, "Begin", "(oa{sv})"), (MANAGER, "WriteStick", "(oha{sv})")
        update, disarm = (MANAGER, "UpdateImage"), (MANAGER, "Disarm")
        confirm, cancel = (HANDOFF, "Confirm"), (HANDOFF, "Cancel")
        name = (PROPERTIES, "Set", "(ssv)", PAIRING, "Name")

        def told(error, *call, path=ROOT):
            with self.subTest(call=call):
                self.mock("Calls")
                if error:
                    self.assert_refused(error, path, *call, fds=[self.image])
                else:
                    self.call(path, *call)
                self.assertEqual(self.asked(), [])

        told(None, *disarm)
        told(None, *cancel)
        told(None, *name, GLib.Variant("s", "Desk"), path=pairing)
        told("NotAnnounced", *confirm)
        told("NameTaken", *pair)
        told("NotPaired", *begin, gone, {})
        told("NotPaired", *write, gone, 0, {})
        self.by_root(self.arm)
        told(None, *arm)
        self.script("close before hold-sleep")
        self.by_root(lambda: self.begin(pairing))
        told("InProgress", *begin, pairing, {})
        told("InProgress", *write, pairing, 0, {})
        told("InProgress", *update)
        self.by_root(self.confirm)
        told(None, *confirm)
        self.by_root(self.cancel)
        told(None, *cancel)
        self.script("open before hold-sleep")
        self.wait_for("State", "idle")
        self.mock("Inhibitors", "(a(ssss))", [("shutdown", "Backup", "It runs", "block")])
        self.wait_for_blocker("inhibitor")
        told("Blocked", *begin, pairing, {})
        self.script("close before update-image")
        job = self.by_root(lambda: self.call(ROOT, *update))
        told(None, *update)
        told("InProgress", *write, pairing, 0, {})
        self.by_root(lambda: self.call(job, JOB, "Cancel"))
        self.wait(lambda: self.property("State", JOB, job) == "cancelled", "the job's end")
        told(None, JOB, "Cancel", path=job)

    def test_every_call_passes_when_polkit_says_yes(self):
        pairing = self.pair()
        self.call_as_nobody()
        # The confirmed hand-off waits there for the Cancel.
        self.script("close before hold-sleep", "close before update-image")
        for action, call in self.calls(pairing):
            if call[1] == LOAN:
                continue
            with self.subTest(call=call):
                self.mock("Calls")
                self.call(*call, fds=[self.image])
                self.assertIn(f" {action} ", self.asked()[0])
                if call[2] == "UpdateImage":
                    continue
                # A ramdisk that is being made forbids what comes next.
                self.wait(lambda: not self.property("Blockers"), "the end of the blockers")

    def test_a_loan_is_guarded_as_well(self):
        self.call_as_nobody()
        self.script("loan begin Laptop")
        calls = [(action, call) for action, call in self.calls("/") if call[1] == LOAN]
        self.assertEqual({call[2] for _, call in calls}, {"GiveBack", "Subscribe", "Unsubscribe"})
        for answer in ("no", "yes"):
            self.mock("Polkit", "(s)", answer)
            for action, call in calls:
                self.mock("Calls")
                if answer == "no":
                    self.assert_refused(DENIED, *call)
                else:
                    self.call(*call)
                self.assertIn(f" {action} ", self.asked()[0])
            state = {"no": "held", "yes": "closing"}[answer]
            self.assertEqual(self.property("State", LOAN), state)

    def test_a_password_is_asked_for_only_where_the_caller_allows_it(self):
        self.call_as_nobody()
        self.mock("Polkit", "(s)", "challenge")
        arm = (ROOT, MANAGER, "Arm", "(a{sv})", {})
        self.mock("Calls")
        self.assert_refused(
            "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", *arm
        )
        self.assert_refused(DENIED, *arm, flags=INTERACTIVE)
        self.assertEqual([call[-1] for call in self.asked()], ["0", "1"])

    def test_root_need_not_be_asked_about(self):
        self.mock("Polkit", "(s)", "no")
        self.mock("Calls")
        self.arm()
        self.assertEqual(self.asked(), [])

    def test_a_polkit_that_fails_admits_root_alone(self):
        self.mock("Fail", "(as)", ["CheckAuthorization"])
        refuses_nobody_alone(self)

    def test_root_does_not_wait_for_a_polkit_that_hangs(self):
        self.mocks.send_signal(signal.SIGSTOP)
        try:
            self.arm()
        finally:
            self.mocks.send_signal(signal.SIGCONT)


def refuses_nobody_alone(case):
    """Root passes; whoever is not root is refused, and told why."""
    case.arm()
    case.call_as_nobody()
    done = case.ctl("disarm")
    case.assertNotEqual(done.returncode, 0, done)
    case.assertIn("sudo", done.stderr)


class WithoutPolkit(Case):
    SERVICES = MOCKED[1:]

    def test_root_passes_and_nobody_else_does(self):
        refuses_nobody_alone(self)


class BusPolicy(Case):
    CLIENT = """
import sys
from gi.repository import Gio, GLib
flags = Gio.DBusConnectionFlags
bus = Gio.DBusConnection.new_for_address_sync(
    sys.argv[1], flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
def call(name, path, interface, member, args):
    try:
        answer = bus.call_sync(name, path, interface, member, args, None, 0, -1, None)
        print(member, "ok", answer.unpack())
    except GLib.Error as error:
        print(member, Gio.DBusError.get_remote_error(error))
service = "org.stiefelsystem.Stiefel1"
call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName",
     GLib.Variant("(su)", (service, 0)))
call(service, "/org/stiefelsystem/Stiefel1", "org.freedesktop.DBus.Properties", "Get",
     GLib.Variant("(ss)", (service + ".Manager", "Armed")))
"""

    def test_everybody_may_look_and_only_root_may_own_the_name(self):
        client = pathlib.Path(self.folder / "client.py")
        client.write_text(self.CLIENT)
        client.chmod(0o644)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command += ["/usr/bin/python3", "-B", str(client), self.address]
        lines = subprocess.check_output(command, text=True).splitlines()
        self.assertEqual(lines, [f"RequestName {DENIED}", "Get ok (False,)"])


class Arguments(Case):
    def test_bad_arguments_are_refused_and_nothing_changes(self):
        pairing = self.pair()
        invalid = "org.freedesktop.DBus.Error.InvalidArgs"
        option = {"unknown": GLib.Variant("b", True)}
        before = self.objects()
        for name in ["", " ", "a\nb", "\x07", "x" * 49, "x" * 10_000_000]:
            with self.subTest(name=name[:10]):
                text = self.assert_refused(invalid, ROOT, MANAGER, "Pair", "(s)", name)
                self.assertLess(len(text), 200)
        self.assert_refused(invalid, ROOT, MANAGER, "Arm", "(a{sv})", option)
        self.assert_refused(invalid, ROOT, HANDOFF, "Begin", "(oa{sv})", pairing, option)
        for path in ["/", ROOT, f"{ROOT}/pairings/0011223344556677", f"{ROOT}/links/x"]:
            self.assert_refused("NotPaired", ROOT, HANDOFF, "Begin", "(oa{sv})", path, {})
        for name, value in [("Policy", "sometimes"), ("Name", "a\tb"), ("Name", "x" * 49)]:
            value = GLib.Variant("s", value)
            self.assert_refused(invalid, pairing, PROPERTIES, "Set", "(ssv)", PAIRING, name, value)
        self.assertEqual(self.objects(), before)

    def test_no_text_is_too_long_or_too_strange(self):
        pairing = self.pair()
        self.script("link add lan0 52:54:00:00:00:01", "drive in sdb 16 Stick")
        link, drive = f"{ROOT}/links/lan0", f"{ROOT}/drives/sdb"
        self.wait(lambda: (drive, DRIVE) in self.seen, "the drive")
        paths = {PAIRING: pairing, LINK: link, DRIVE: drive}
        before = self.objects()
        invalid = "org.freedesktop.DBus.Error.InvalidArgs"
        for interface in contract():
            name = interface.get("name")
            for member in interface.findall("property[@access='readwrite'][@type='s']"):
                for text in ("", "\x01", "\x1b[2J", "\u202e", "x" * 10_000_000):
                    with self.subTest(property=f"{name}.{member.get('name')}", text=text[:9]):
                        if (member.get("name"), text) == ("Name", "\u202e"):
                            continue
                        call = (paths.get(name, ROOT), PROPERTIES, "Set", "(ssv)", name)
                        value = GLib.Variant("s", text)
                        told = self.assert_refused(invalid, *call, member.get("name"), value)
                        self.assertLess(len(told), 200)
                        self.assertTrue(told.isprintable(), told)
            for member in interface.findall("property[@access='readwrite'][@type='u']"):
                with self.subTest(property=f"{name}.{member.get('name')}"):
                    call = (paths.get(name, ROOT), PROPERTIES, "Set", "(ssv)", name)
                    value = GLib.Variant("u", 2**32 - 1)
                    self.assert_refused(invalid, *call, member.get("name"), value)
                    # Another type than the contract's.
                    with self.assertRaises(DBusError) as caught:
                        self.call(*call, member.get("name"), GLib.Variant("s", "1" * 10_000_000))
                    self.assertLess(len(caught.exception.text), 500)
        key = {"x" * 10_000_000: GLib.Variant("b", True)}
        for call in [
            (ROOT, MANAGER, "Arm", "(a{sv})", key), (ROOT, HANDOFF, "Begin", "(oa{sv})", pairing, key),
            (drive, DRIVE, "WriteStick", "(oa{sv})", pairing, key),
        ]:
            self.assertLess(len(self.assert_refused(invalid, *call)), 200)
        long = f"{ROOT}/pairings/" + "a" * 1_000_000
        for call in [
            (ROOT, HANDOFF, "Begin", "(oa{sv})", long, {}),
            (drive, DRIVE, "WriteStick", "(oa{sv})", long, {}),
        ]:
            self.assertLess(len(self.assert_refused("NotPaired", *call)), 200)
        self.assertEqual(self.objects(), before)

    def test_read_only_properties_stay(self):
        with self.assertRaises(DBusError):
            self.call(ROOT, PROPERTIES, "Set", "(ssv)", MANAGER, "Armed", GLib.Variant("b", True))
        self.assertFalse(self.call(ROOT, PROPERTIES, "Get", "(ss)", MANAGER, "Armed"))
