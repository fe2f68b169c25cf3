// A switch in the quick settings: whether the searches of paired machines are answered.
//
// It knows the bus only. The daemon ends by itself while it has nothing to do, so a service
// that is not there is one that answers nobody, and only switching it on starts it.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';

import {Extension, gettext as _} from 'resource:///org/gnome/shell/extensions/extension.js';
import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import {QuickToggle, SystemIndicator} from 'resource:///org/gnome/shell/ui/quickSettings.js';

Gio._promisify(Gio.DBusProxy, 'new_for_bus');

const NAME = 'org.stiefelsystem.Stiefel1';
const PATH = '/org/stiefelsystem/Stiefel1';
const MANAGER = `${NAME}.Manager`;
const ICON = 'org.stiefelsystem.Stiefelsystem-armed-symbolic';

const Toggle = GObject.registerClass(
class Toggle extends QuickToggle {
    constructor() {
        super({title: _('Lend My Disk'), iconName: ICON, toggleMode: false});
        this._gone = new Gio.Cancellable();
        this.connect('clicked', () => this._switch());
        this._watch();
    }

    destroy() {
        this._gone.cancel();
        this._proxy = null;
        super.destroy();
    }

    async _watch() {
        try {
            this._proxy = await Gio.DBusProxy.new_for_bus(Gio.BusType.SYSTEM,
                Gio.DBusProxyFlags.DO_NOT_AUTO_START, null, NAME, PATH, MANAGER, this._gone);
        } catch (error) {
            if (!error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED))
                logError(error, 'the quick setting of Stiefelsystem shows nothing');
            return;
        }
        this._proxy.connectObject(
            'g-properties-changed', () => this._show(),
            'notify::g-name-owner', () => this._show(), this);
        this._show();
    }

    _show() {
        const armed = this._proxy?.get_cached_property('Armed')?.unpack() ?? false;
        this.set({checked: armed, subtitle: armed ? _('Waiting to be asked') : null});
    }

    async _switch() {
        const [method, parameters] = this.checked
            ? ['Disarm', null] : ['Arm', new GLib.Variant('(a{sv})', [{}])];
        try {
            await Gio.DBus.system.call(NAME, PATH, MANAGER, method, parameters, null,
                Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION, -1, this._gone);
        } catch (error) {
            if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED))
                return;
            Gio.DBusError.strip_remote_error(error);
            Main.notifyError(_('Lend My Disk'), error.message);
        }
    }
});

const Indicator = GObject.registerClass(
class Indicator extends SystemIndicator {
    constructor() {
        super();
        this.quickSettingsItems.push(new Toggle());
    }

    destroy() {
        this.quickSettingsItems.forEach(item => item.destroy());
        super.destroy();
    }
});

export default class LendMyDisk extends Extension {
    enable() {
        this._indicator = new Indicator();
        Main.panel.statusArea.quickSettings.addExternalIndicator(this._indicator);
    }

    disable() {
        this._indicator?.destroy();
        this._indicator = null;
    }
}
