//! Which modules go into the ramdisk, and what for.
//!
//! By the kernel's own folders where a whole folder is wanted, by name where a folder holds
//! much that is not. The reasons are in `docs/decisions/0003-content-of-the-ramdisk.md`.

use std::collections::{BTreeMap, BTreeSet};

use stiefel_core::modules::{Catalogue, Purpose, Wanted, normal};

use crate::module_file::ModuleFile;

/// Drivers of PHYs.
const PHYS: &str = "kernel/drivers/net/phy/";

/// The controller of nearly every laptop's sound card.
const SOUND_CONTROLLER: &str = "snd-hda-intel";

/// What serves cards and is none.
const NO_CARDS: [&str; 2] = [PHYS, "kernel/drivers/net/mdio/"];

/// Purpose, folder below the kernel's module folder, names in it (none: all, with subfolders).
type Rule = (Purpose, &'static str, &'static [&'static str]);

const RULES: &[Rule] = &[
    (Purpose::Net, "kernel/drivers/net/ethernet/", &[]),
    (Purpose::Net, "kernel/drivers/net/usb/", &[]),
    (Purpose::Net, "kernel/drivers/net/phy/", &[]),
    (Purpose::Net, "kernel/drivers/net/mdio/", &[]),
    (Purpose::Net, "kernel/drivers/net/thunderbolt/", &[]),
    (Purpose::Net, "kernel/drivers/net/vmxnet3/", &[]),
    (Purpose::Net, "kernel/drivers/net/hyperv/", &[]),
    // Up to Linux 6.3, Thunderbolt's had no folder of its own.
    (
        Purpose::Net,
        "kernel/drivers/net/",
        &["virtio_net", "xen-netfront", "thunderbolt-net"],
    ),
    (Purpose::UsbHost, "kernel/drivers/usb/host/", &[]),
    (Purpose::Hid, "kernel/drivers/hid/", &[]),
    (Purpose::Hid, "kernel/drivers/input/keyboard/", &["atkbd"]),
    (
        Purpose::Hid,
        "kernel/drivers/input/serio/",
        &["i8042", "hyperv-keyboard"],
    ),
    (
        Purpose::Hid,
        "kernel/drivers/input/misc/",
        &["xen-kbdfront"],
    ),
    (Purpose::Hid, "kernel/drivers/virtio/", &["virtio_input"]),
    // By which keys are read.
    (Purpose::Hid, "kernel/drivers/input/", &["evdev"]),
    (Purpose::Storage, "kernel/drivers/nvme/host/", &["nvme"]),
    (Purpose::Storage, "kernel/drivers/ata/", &[]),
    (Purpose::Storage, "kernel/drivers/mmc/", &[]),
    (Purpose::Storage, "kernel/drivers/misc/cardreader/", &[]),
    (Purpose::Storage, "kernel/drivers/ufs/", &[]),
    (Purpose::Storage, "kernel/drivers/usb/storage/", &[]),
    (Purpose::Storage, "kernel/drivers/pci/controller/", &["vmd"]),
    (
        Purpose::Storage,
        "kernel/drivers/block/",
        &["virtio_blk", "xen-blkfront"],
    ),
    (
        Purpose::Storage,
        "kernel/drivers/scsi/",
        &[
            "sd_mod",
            "virtio_scsi",
            "vmw_pvscsi",
            "hv_storvsc",
            "xen-scsifront",
            "BusLogic",
            "sym53c8xx",
            "megaraid_sas",
            "mpt3sas",
            "mpi3mr",
            "aacraid",
            "hpsa",
            "smartpqi",
        ],
    ),
    (
        Purpose::Storage,
        "kernel/drivers/message/fusion/",
        &["mptspi", "mptsas"],
    ),
    (Purpose::Bus, "kernel/drivers/thunderbolt/", &[]),
    (Purpose::Bus, "kernel/drivers/hv/", &["hv_vmbus"]),
    (
        Purpose::Bus,
        "kernel/drivers/pci/",
        &["pci-hyperv", "xen-pcifront"],
    ),
    (
        Purpose::Bus,
        "kernel/drivers/virtio/",
        &["virtio_pci", "virtio_mmio"],
    ),
    (
        Purpose::Power,
        "kernel/drivers/acpi/",
        &["ac", "battery", "button", "fan", "sbs", "thermal", "video"],
    ),
    (Purpose::Power, "kernel/drivers/cpufreq/", &["acpi-cpufreq"]),
    // How hot the processor is. None for disks: those ask the disk each time.
    (
        Purpose::Power,
        "kernel/drivers/hwmon/",
        &["coretemp", "k10temp"],
    ),
    (Purpose::Sound, "kernel/drivers/input/misc/", &["pcspkr"]),
    // Up to Linux 6.16, a controller and its codecs lay in one folder.
    (Purpose::Sound, "kernel/sound/pci/hda/", &[]),
    (Purpose::Sound, "kernel/sound/hda/codecs/", &[]),
    (
        Purpose::Sound,
        "kernel/sound/hda/controllers/",
        &[SOUND_CONTROLLER],
    ),
    (Purpose::Tunnel, "kernel/drivers/net/", &["macvlan"]),
];

/// In the folders above, and not wanted.
const NOT_WANTED: &[&str] = &[
    // Mobile broadband, telephones, and cables that race with the right driver for a card.
    "qmi_wwan",
    "cdc_mbim",
    "huawei_cdc_ncm",
    "sierra_net",
    "hso",
    "cdc-phonet",
    "lg-vl600",
    "kalmia",
    "cx82310_eth",
    "cdc_subset",
    "zaurus",
    // Switches: their firmware is larger than all the rest.
    "mlxsw_core",
    "mlxsw_i2c",
    "mlxsw_minimal",
    "mlxsw_pci",
    "mlxsw_spectrum",
    "prestera",
    "prestera_pci",
    "rocker",
    // PCMCIA.
    "3c574_cs",
    "3c589_cs",
    "axnet_cs",
    "fmvj18x_cs",
    "nmclan_cs",
    "pcnet_cs",
    "smc91c92_cs",
    "xirc2ps_cs",
    "sdricoh_cs",
    "sl811_cs",
    "pata_pcmcia",
    // No keyboards: sensors, adapters to other buses, lights, tablets, programs' own devices.
    "uhid",
    "wacom",
    "hid-sensor-hub",
    "hid-sensor-custom",
    "hid-cp2112",
    "hid-mcp2221",
    "hid-ft260",
    "hid-led",
    "hid-picolcd",
    "hid-prodikeys",
    "hid-wiimote",
    "hid-cmedia",
    "hid-steam",
    "hid-u2fzero",
    "hid-udraw-ps3",
    "hid-thrustmaster",
    "amd_sfh",
    "intel-ish-ipc",
    "intel-ishtp",
    "intel-ishtp-hid",
    "intel-ishtp-loader",
    // Behind I2C and the Surface's own hub; they would need half a dozen other buses, and drm.
    "i2c-hid",
    "i2c-hid-acpi",
    "i2c-hid-of",
    "i2c-hid-of-elan",
    "i2c-hid-of-goodix",
    "surface_hid",
    "surface_hid_core",
    "surface_kbd",
    // Sound on a screen that is off, a modem, and codecs and amplifiers that need firmware. The
    // newer kernels' own are in the folders below.
    "snd-hda-codec-hdmi",
    "snd-hda-codec-si3054",
    "snd-hda-codec-ca0132",
    "snd-hda-cirrus-scodec",
    "snd-hda-cs-dsp-ctls",
    "snd-hda-scodec-component",
    "snd-hda-scodec-cs35l41",
    "snd-hda-scodec-cs35l41-i2c",
    "snd-hda-scodec-cs35l41-spi",
    "snd-hda-scodec-cs35l56",
    "snd-hda-scodec-cs35l56-i2c",
    "snd-hda-scodec-cs35l56-spi",
    "snd-hda-scodec-tas2781",
    "snd-hda-scodec-tas2781-i2c",
    "snd-hda-scodec-tas2781-spi",
    // Test programs, serial ports, controllers that can only be loaded by guessing.
    "mmc_test",
    "sdio_uart",
    "pata_legacy",
];

/// Folders in the folders above, and not wanted.
const FOLDERS_NOT_WANTED: &[&str] = &[
    "kernel/sound/hda/codecs/hdmi/",
    "kernel/sound/hda/codecs/side-codecs/",
];

/// What every loan needs.
const REQUIRED: &[(Purpose, &str)] = &[(Purpose::Disk, "nbd"), (Purpose::Tunnel, "wireguard")];

/// What a loan needs where it is not part of the kernel.
const USEFUL: &[(Purpose, &str)] = &[
    (Purpose::Net, "ipv6"),
    (Purpose::Net, "virtio_net"),
    (Purpose::UsbHost, "xhci_pci"),
    (Purpose::Hid, "usbhid"),
    (Purpose::Hid, "hid_generic"),
    (Purpose::Storage, "nvme"),
    (Purpose::Storage, "ahci"),
    (Purpose::Storage, "usb_storage"),
    (Purpose::Storage, "sd_mod"),
    (Purpose::Storage, "mmc_block"),
];

/// The modules to take, by the tables alone; [`add_from_files`] looks into files as well.
pub(crate) fn from_tables(catalogue: &Catalogue) -> Vec<Wanted> {
    let want = |name: &str, purpose, required| Wanted {
        name: name.to_owned(),
        purpose,
        required,
        first: Vec::new(),
    };
    let mut wanted: Vec<Wanted> = REQUIRED
        .iter()
        .map(|(purpose, name)| want(name, *purpose, true))
        .collect();
    wanted.extend(
        USEFUL
            .iter()
            .map(|(purpose, name)| want(name, *purpose, false)),
    );
    let not_wanted: Vec<String> = NOT_WANTED.iter().map(|name| normal(name)).collect();
    for (name, path) in catalogue.modules() {
        if let Some(purpose) = purpose(name, path)
            && !not_wanted.iter().any(|other| other == name)
        {
            wanted.push(want(name, purpose, false));
        }
    }
    put_codecs_first(&mut wanted, catalogue);
    wanted
}

/// A sound controller asks for its codecs' drivers while it starts, gives up where there is
/// none, and in the ramdisk nobody answers. So they all come before it; the general one takes
/// a codec that no other one knows.
fn put_codecs_first(wanted: &mut [Wanted], catalogue: &Catalogue) {
    let drivers: BTreeSet<&str> = catalogue
        .aliases()
        .filter(|(pattern, _)| pattern.starts_with("hdaudio:"))
        .map(|(_, module)| module)
        .collect();
    let codecs: Vec<String> = wanted
        .iter()
        .map(|wanted| normal(&wanted.name))
        .filter(|name| drivers.contains(name.as_str()))
        .collect();
    let controller = normal(SOUND_CONTROLLER);
    for wanted in wanted.iter_mut().filter(|wanted| wanted.name == controller) {
        wanted.first.clone_from(&codecs);
    }
}

/// Names of modules that are not the kernel's own ("updates/dkms/..."). They may be drivers of
/// wired cards, and their place in the tree does not say so.
pub(crate) fn foreign(catalogue: &Catalogue) -> Vec<String> {
    catalogue
        .modules()
        .filter(|(_, path)| !path.starts_with("kernel/"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Adds foreign drivers of wired cards, and what has to be loaded before a card.
///
/// A card that registers an MDIO bus asks, while it starts, for its PHY's driver, and in the
/// ramdisk nobody answers. So all PHYs come before it, unless its own tables name one.
pub(crate) fn add_from_files(
    wanted: &mut Vec<Wanted>,
    catalogue: &Catalogue,
    files: &BTreeMap<String, ModuleFile>,
) {
    for name in foreign(catalogue) {
        if files.get(&name).is_some_and(ModuleFile::is_wired_card) {
            wanted.push(Wanted {
                name,
                purpose: Purpose::Net,
                required: false,
                first: Vec::new(),
            });
        }
    }
    let phys: BTreeSet<&str> = catalogue
        .aliases()
        .filter(|(pattern, _)| pattern.starts_with("mdio:"))
        .map(|(_, module)| module)
        .filter(|module| {
            catalogue
                .path(module)
                .is_some_and(|path| path.starts_with(PHYS))
        })
        .collect();
    let is_card = |name: &str| {
        let path = catalogue.path(name).unwrap_or_default();
        !NO_CARDS.iter().any(|folder| path.starts_with(folder))
    };
    for card in wanted
        .iter_mut()
        .filter(|wanted| wanted.purpose == Purpose::Net)
    {
        // The bus may be registered by a part that several cards share (stmmac).
        let parts = catalogue.load_order(&card.name, &[]).unwrap_or_default();
        let asks = parts
            .iter()
            .filter(|part| is_card(part))
            .any(|part| files.get(part).is_some_and(ModuleFile::has_mdio_bus));
        let has_own = parts.iter().any(|part| phys.contains(part.as_str()));
        if asks && is_card(&normal(&card.name)) && !has_own {
            card.first = phys.iter().map(|name| (*name).to_owned()).collect();
        }
    }
}

/// What a module of the tree is wanted for. Foreign modules replace those of the same name.
fn purpose(name: &str, path: &str) -> Option<Purpose> {
    let foreign = !path.starts_with("kernel/");
    if FOLDERS_NOT_WANTED
        .iter()
        .any(|folder| path.starts_with(folder))
    {
        return None;
    }
    RULES
        .iter()
        .find(|(_, folder, names)| {
            let named = names.iter().any(|own| normal(own) == name);
            let inside = path.starts_with(folder);
            if names.is_empty() {
                inside
            } else {
                named && (inside || foreign)
            }
        })
        .map(|(purpose, _, _)| *purpose)
}

#[cfg(test)]
mod tests {
    use stiefel_core::modules::{Index, Module, Tables};

    use super::*;

    /// A controller and codecs in these folders, and one for a screen by its path.
    fn index(controllers: &str, codecs: &str, hdmi: &str) -> Index {
        let dep = format!(
            "kernel/sound/core/snd.ko:\n\
             kernel/drivers/block/nbd.ko:\n\
             kernel/drivers/net/wireguard/wireguard.ko:\n\
             {controllers}/snd-hda-intel.ko: kernel/sound/core/snd.ko\n\
             {codecs}/snd-hda-codec-generic.ko: kernel/sound/core/snd.ko\n\
             {codecs}/snd-hda-codec-via.ko: {codecs}/snd-hda-codec-generic.ko\n\
             {hdmi}.ko: kernel/sound/core/snd.ko\n\
             kernel/sound/soc/codecs/snd-soc-hdac-hda.ko: kernel/sound/core/snd.ko\n"
        );
        let tables = Tables {
            dep: &dep,
            alias: "alias pci:v*d*sv*sd*bc04sc03i00* snd_hda_intel\n\
                    alias hdaudio:v00000201r*a01* snd_hda_codec_generic\n\
                    alias hdaudio:v11061708r*a01* snd_hda_codec_via\n\
                    alias hdaudio:v80862801r*a01* snd_hda_codec_hdmi\n\
                    alias hdaudio:v80862809r*a01* snd_hda_codec_intelhdmi\n\
                    alias hdaudio:v*r*a01* snd_soc_hdac_hda\n",
            ..Tables::default()
        };
        let catalogue = Catalogue::parse(&tables).unwrap();
        let (index, _) = catalogue.index("6", &from_tables(&catalogue)).unwrap();
        index
    }

    #[test]
    fn codecs_are_there_before_their_controller_wherever_the_kernel_has_them() {
        let folders = [
            [
                "kernel/sound/pci/hda",
                "kernel/sound/pci/hda",
                "kernel/sound/pci/hda/snd-hda-codec-hdmi",
            ],
            [
                "kernel/sound/hda/controllers",
                "kernel/sound/hda/codecs",
                "kernel/sound/hda/codecs/hdmi/snd-hda-codec-intelhdmi",
            ],
        ];
        for [controllers, codecs, hdmi] in folders {
            let index = index(controllers, codecs, hdmi);
            let device = ["pci:v00008086d00002668sv1sd1bc04sc03i00"];
            let order = index.for_hardware(device, &[Purpose::Sound]);
            let order: Vec<&str> = order.iter().map(|Module { name, .. }| &**name).collect();
            assert_eq!(
                order,
                [
                    "snd",
                    "snd_hda_codec_generic",
                    "snd_hda_codec_via",
                    "snd_hda_intel"
                ]
            );
        }
    }
}
