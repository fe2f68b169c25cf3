//! A small system in a temporary folder: module tree, firmware, kernel, static program.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use stiefel_core::modules::Index;
use stiefel_image::Options;
use tempfile::TempDir;

pub const RELEASE: &str = "6.1.0-test";

/// A system with these modules, in the order of their load:
///
/// | module | file | says |
/// |---|---|---|
/// | nbd | plain | |
/// | udp_tunnel, wireguard | xz | |
/// | libphy, realtek | xz | realtek is a PHY |
/// | card | gz | registers an MDIO bus; firmware test/card.bin, test/gone.bin |
/// | usbcard | zst | firmware test/alias.bin and test/packed.bin |
/// | wlan | plain | not for us |
/// | dkms | plain, under updates | alloc_etherdev_mqs |
pub struct System {
    pub root: TempDir,
}

impl System {
    pub fn new() -> Self {
        let system = Self {
            root: TempDir::new().unwrap(),
        };
        let net = "kernel/drivers/net";
        system.module("kernel/drivers/block/nbd.ko", &[], &[]);
        system.module(&format!("{net}/udp_tunnel.ko.xz"), &[], &[]);
        system.module(&format!("{net}/wireguard/wireguard.ko.xz"), &[], &[]);
        system.module(
            &format!("{net}/phy/libphy.ko.xz"),
            &[],
            &["__mdiobus_register"],
        );
        system.module(&format!("{net}/phy/realtek.ko.xz"), &[], &[]);
        let asked = ["test/card.bin", "test/gone.bin"];
        system.module(
            &format!("{net}/ethernet/x/card.ko.gz"),
            &asked,
            &["mdiobus_register"],
        );
        let asked = ["test/alias.bin", "test/packed.bin"];
        system.module(&format!("{net}/usb/usbcard.ko.zst"), &asked, &[]);
        system.module(
            &format!("{net}/wireless/wlan.ko"),
            &[],
            &["ieee80211_alloc_hw_nm"],
        );
        system.module("updates/dkms/out-side.ko", &[], &["alloc_etherdev_mqs"]);
        system.module("updates/dkms/other.ko", &[], &["kmalloc"]);
        system.table(
            "dep",
            "kernel/drivers/block/nbd.ko:\n\
             kernel/drivers/net/udp_tunnel.ko.xz:\n\
             kernel/drivers/net/wireguard/wireguard.ko.xz: kernel/drivers/net/udp_tunnel.ko.xz\n\
             kernel/drivers/net/phy/libphy.ko.xz:\n\
             kernel/drivers/net/phy/realtek.ko.xz: kernel/drivers/net/phy/libphy.ko.xz\n\
             kernel/drivers/net/ethernet/x/card.ko.gz: kernel/drivers/net/phy/libphy.ko.xz\n\
             kernel/drivers/net/usb/usbcard.ko.zst:\n\
             kernel/drivers/net/wireless/wlan.ko:\n\
             updates/dkms/out-side.ko:\n\
             updates/dkms/other.ko:\n",
        );
        system.table(
            "alias",
            "alias pci:v0000AAAAd* card\nalias usb:v1234p* usbcard\nalias mdio:0101* realtek\n",
        );
        system.table("softdep", "softdep card pre: nobody\n");
        system.table("builtin", "kernel/drivers/ata/ahci.ko\n");
        system.write("usr/lib/firmware/test/card.bin", b"firmware of card");
        system.write(
            "usr/lib/firmware/updates/test/card.bin",
            b"newer firmware of card",
        );
        system.write("usr/lib/firmware/test/real.bin", b"firmware of usbcard");
        system.write("usr/lib/firmware/test/packed.bin.xz", b"as it is");
        symlink("real.bin", system.path("usr/lib/firmware/test/alias.bin")).unwrap();
        system.write(&format!("boot/vmlinuz-{RELEASE}"), &kernel(RELEASE));
        system.write(stiefel_image::INIT, &elf(&[], &[]));
        system
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn table(&self, table: &str, text: &str) {
        self.write(
            &format!("lib/modules/{RELEASE}/modules.{table}"),
            text.as_bytes(),
        );
    }

    pub fn module(&self, path: &str, firmware: &[&str], imports: &[&str]) {
        let plain = elf(firmware, imports);
        let bytes = match path.rsplit('.').next().unwrap() {
            "xz" => {
                let mut packed = Vec::new();
                liblzma::read::XzEncoder::new(&*plain, 6)
                    .read_to_end(&mut packed)
                    .unwrap();
                packed
            }
            "zst" => zstd::encode_all(&*plain, 3).unwrap(),
            "gz" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Default::default());
                encoder.write_all(&plain).unwrap();
                encoder.finish().unwrap()
            }
            _ => plain,
        };
        self.write(&format!("lib/modules/{RELEASE}/{path}"), &bytes);
    }

    pub fn options(&self) -> Options {
        Options::new(self.root.path(), RELEASE)
    }

    pub fn image(&self) -> PathBuf {
        stiefel_image::image_path(&self.options().out, RELEASE)
    }
}

/// The start of an x86 kernel image of this release.
pub fn kernel(release: &str) -> Vec<u8> {
    let mut bytes = vec![0; 0x4000];
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x20e..0x210].copy_from_slice(&0x3000_u16.to_le_bytes());
    let text = format!("{release} (somebody@somewhere) #1 SMP\0");
    bytes[0x3200..0x3200 + text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// An ELF file with a `.modinfo` section and undefined symbols.
pub fn elf(firmware: &[&str], imports: &[&str]) -> Vec<u8> {
    let modinfo: String = std::iter::once("license=GPL\0".to_owned())
        .chain(firmware.iter().map(|name| format!("firmware={name}\0")))
        .collect();
    sections(".modinfo", modinfo.as_bytes(), imports)
}

/// An ELF file with one section of this name, and undefined symbols.
pub fn sections(name: &str, content: &[u8], imports: &[&str]) -> Vec<u8> {
    let names = format!("\0{name}\0.symtab\0.strtab\0.shstrtab\0");
    let at = |name: &str| names.find(&format!("{name}\0")).unwrap() as u32;
    let mut strings = vec![0];
    let mut symbols = vec![0; 24];
    for import in imports {
        symbols.extend((strings.len() as u32).to_le_bytes());
        symbols.extend([0x10]); // global, no type
        symbols.resize(symbols.len() + 19, 0); // section 0: undefined
        strings.extend(import.as_bytes());
        strings.push(0);
    }
    let parts: [(&str, u32, &[u8], u32, u64); 4] = [
        (name, 1, content, 0, 0),
        (".symtab", 2, &symbols, 3, 24),
        (".strtab", 3, &strings, 0, 0),
        (".shstrtab", 3, names.as_bytes(), 0, 0),
    ];
    let mut file = vec![0; 64];
    let mut headers = vec![0; 64];
    for (name, kind, bytes, link, entry) in parts {
        headers.extend(at(name).to_le_bytes());
        headers.extend(kind.to_le_bytes());
        headers.extend([0; 16]); // flags, address
        headers.extend((file.len() as u64).to_le_bytes());
        headers.extend((bytes.len() as u64).to_le_bytes());
        headers.extend(link.to_le_bytes());
        headers.extend(1_u32.to_le_bytes()); // first global symbol
        headers.extend(8_u64.to_le_bytes());
        headers.extend(entry.to_le_bytes());
        file.extend(bytes);
        file.resize(file.len().next_multiple_of(8), 0);
    }
    let start = file.len() as u64;
    file.extend(&headers);
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16..18].copy_from_slice(&1_u16.to_le_bytes()); // relocatable
    file[18..20].copy_from_slice(&62_u16.to_le_bytes()); // x86-64
    file[20..24].copy_from_slice(&1_u32.to_le_bytes());
    file[40..48].copy_from_slice(&start.to_le_bytes());
    file[52..54].copy_from_slice(&64_u16.to_le_bytes());
    file[58..60].copy_from_slice(&64_u16.to_le_bytes());
    file[60..62].copy_from_slice(&5_u16.to_le_bytes());
    file[62..64].copy_from_slice(&4_u16.to_le_bytes());
    file
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub path: String,
    pub mode: u32,
    pub data: Vec<u8>,
}

/// The entries of an archive up to its trailer, and the bytes that it takes.
pub fn entries(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let mut entries = Vec::new();
    let mut at = 0;
    loop {
        assert_eq!(&bytes[at..at + 6], b"070701", "at {at}");
        let field = |n: usize| {
            let text = std::str::from_utf8(&bytes[at + 6 + 8 * n..at + 14 + 8 * n]).unwrap();
            u32::from_str_radix(text, 16).unwrap() as usize
        };
        assert_eq!(field(5), 0, "a time stamp");
        let path = String::from_utf8(bytes[at + 110..at + 109 + field(11)].to_vec()).unwrap();
        let data = (at + 110 + field(11)).next_multiple_of(4);
        let end = (data + field(6)).next_multiple_of(4);
        if path == "TRAILER!!!" {
            return (entries, end);
        }
        let data = bytes[data..data + field(6)].to_vec();
        entries.push(Entry {
            path,
            mode: field(1) as u32,
            data,
        });
        at = end;
    }
}

/// The entries of an image.
pub fn unpack(image: &Path) -> Vec<Entry> {
    let plain = zstd::decode_all(fs::File::open(image).unwrap()).unwrap();
    let (entries, end) = entries(&plain);
    assert_eq!(end, plain.len());
    entries
}

pub fn find<'a>(entries: &'a [Entry], path: &str) -> &'a Entry {
    let paths = || entries.iter().map(|entry| &entry.path).collect::<Vec<_>>();
    entries
        .iter()
        .find(|entry| entry.path == path)
        .unwrap_or_else(|| panic!("no {path} in {:?}", paths()))
}

pub fn index(entries: &[Entry]) -> Index {
    Index::from_json(&find(entries, "stiefel/modules/index.json").data).unwrap()
}
