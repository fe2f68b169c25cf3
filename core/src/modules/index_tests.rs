use super::*;
use crate::modules::Tables;

fn catalogue() -> Catalogue {
    Catalogue::parse(&Tables {
        dep: "kernel/net/e1000e.ko.xz: kernel/lib/ptp.ko.xz kernel/lib/pps-core.ko.xz\n\
              kernel/lib/ptp.ko.xz: kernel/lib/pps-core.ko.xz\n\
              kernel/lib/pps-core.ko.xz:\n\
              kernel/net/wlan.ko.xz:\n\
              kernel/hid/usbhid.ko.xz: kernel/hid/hid.ko.xz\n\
              kernel/hid/hid.ko.xz:\n\
              kernel/block/nbd.ko.xz:\n\
              kernel/x/broken.ko.xz: kernel/x/lost.ko.xz\n",
        alias: "alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\n\
                alias pci:v*d*sv*sd*bc02sc00i* e1000e\n\
                alias usb:v*p*d*dc*dsc*dp*ic03isc*ip*in* usbhid\n\
                alias platform:some-dash e1000e\n\
                alias *:odd e1000e\n\
                alias char-major-43-* nbd\n\
                alias pci:v00008086d000010D3sv*sd*bc*sc*i* wlan\n",
        builtin: "kernel/net/wireguard.ko\n",
        ..Tables::default()
    })
    .unwrap()
}

fn want(name: &str, purpose: Purpose) -> Wanted {
    Wanted {
        name: name.into(),
        purpose,
        required: false,
        first: Vec::new(),
    }
}

fn index() -> Index {
    let wanted = [
        want("e1000e", Purpose::Net),
        want("usbhid", Purpose::Hid),
        want("nbd", Purpose::Disk),
        want("wireguard", Purpose::Tunnel),
    ];
    catalogue().index("6.1", &wanted).unwrap().0
}

fn names(modules: &[&Module]) -> Vec<String> {
    modules.iter().map(|module| module.name.clone()).collect()
}

const NIC: &str = "pci:v00008086d000010D3sv00008086sd00000000bc02sc00i00\n";
const KEYBOARD: &str = "usb:v046DpC31Cd6401dc00dsc00dp00ic03isc01ip01in00";

#[test]
fn hardware_gets_its_modules_in_load_order() {
    let index = index();
    let found = index.for_hardware([NIC, KEYBOARD], &Purpose::ALL);
    assert_eq!(
        names(&found),
        ["pps_core", "ptp", "e1000e", "hid", "usbhid"]
    );
    assert_eq!(found[0].file, "pps-core.ko.xz");
}

#[test]
fn only_the_purposes_asked_for_are_loaded() {
    let index = index();
    assert_eq!(
        names(&index.for_hardware([NIC, KEYBOARD], &[Purpose::Hid])),
        ["hid", "usbhid"]
    );
    assert!(index.for_hardware(["pci:v0d0"], &Purpose::ALL).is_empty());
}

#[test]
fn dashes_classes_and_wildcards_in_front_are_matched() {
    let index = index();
    for device in [
        "platform:some_dash",
        "platform:some-dash",
        "what:odd",
        "pci:vXdXsv0sd0bc02sc00i1",
    ] {
        assert_eq!(
            names(&index.for_hardware([device], &Purpose::ALL)).len(),
            3,
            "{device}"
        );
    }
}

/// The look-up by literal parts finds exactly what trying every alias finds.
#[test]
fn the_quick_way_equals_the_plain_way() {
    let index = index();
    for device in [
        NIC.trim(),
        KEYBOARD,
        "platform:some_dash",
        "a:odd",
        "usb:",
        "",
        "pci:v",
    ] {
        let mut quick = BTreeSet::new();
        index.serving(device, &mut quick);
        let plain: BTreeSet<u16> = index
            .aliases
            .iter()
            .filter(|alias| pattern::matches(&alias.pattern, device))
            .map(|alias| alias.module)
            .collect();
        assert_eq!(quick, plain, "{device}");
    }
}

#[test]
fn names_are_loaded_and_what_is_built_in_is_not() {
    let index = index();
    assert_eq!(names(&index.named(["wireguard", "nbd"]).unwrap()), ["nbd"]);
    let error = index.named(["wlan"]).unwrap_err();
    assert_eq!(
        error,
        IndexError::Unknown {
            release: "6.1".into(),
            module: "wlan".into()
        }
    );
}

#[test]
fn what_is_not_wanted_is_not_there() {
    let index = index();
    assert!(index.modules().iter().all(|module| module.name != "wlan"));
    let support: Vec<&str> = index
        .modules()
        .iter()
        .filter(|module| module.purpose == Purpose::Support)
        .map(|module| module.name.as_str())
        .collect();
    assert_eq!(support, ["hid", "pps_core", "ptp"]);
}

#[test]
fn missing_modules_are_listed_unless_required() {
    let wanted = [want("broken", Purpose::Net), want("nobody", Purpose::Net)];
    let (index, missing) = catalogue().index("6.1", &wanted).unwrap();
    assert!(index.modules().is_empty());
    assert_eq!(
        missing[0],
        Missing {
            module: "broken".into(),
            lacks: "lost".into()
        }
    );
    assert_eq!(
        missing[1],
        Missing {
            module: "nobody".into(),
            lacks: "nobody".into()
        }
    );
    let required = Wanted {
        required: true,
        ..want("broken", Purpose::Net)
    };
    let error = catalogue().index("6.1", &[required]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("module lost, which broken needs"),
        "{error}"
    );
}

#[test]
fn the_stored_form_comes_back() {
    let index = index();
    assert_eq!(Index::from_json(&index.to_json()).unwrap(), index);
}

#[test]
fn a_damaged_index_is_refused() {
    let good = String::from_utf8(index().to_json()).unwrap();
    for (from, to) in [
        ("\"load\":[1]", "\"load\":[99]"),
        ("nbd.ko.xz", "../nbd.ko.xz"),
        ("\"name\":\"nbd\"", "\"name\":\"zzz\""),
        ("{\"release\"", "[\"release\""),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(good, bad, "{from}");
        let error = Index::from_json(bad.as_bytes()).unwrap_err();
        assert!(matches!(error, IndexError::Damaged(_)), "{to}: {error}");
    }
    let error = Index::from_json(&vec![b' '; INDEX_LIMIT + 1]).unwrap_err();
    assert!(error.to_string().contains("bytes long"), "{error}");
}
