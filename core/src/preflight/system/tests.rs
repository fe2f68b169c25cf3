use super::*;

/// `/etc/fstab` as the installers of some distributions write it.
const PORTABLE: [&str; 3] = [
    // Debian 12
    "# /etc/fstab: static file system information.\n\
     UUID=8f8c3ff6-9a0b-4d6c-9d38-1d1b2f3f8a51 /               ext4    errors=remount-ro 0       1\n\
     UUID=12A3-45B6  /boot/efi       vfat    umask=0077      0       1\n\
     UUID=0b4c8f52-6d0d-4c55-9f7a-0d6d2b6a9f10 none            swap    sw              0       0\n\
     /dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0\n",
    // Fedora with LUKS and btrfs
    "UUID=2f3b /                       btrfs   subvol=root,compress=zstd:1,x-systemd.device-timeout=0 0 0\n\
     UUID=88c1 /boot                   ext4    defaults        1 2\n",
    // Ubuntu with LVM
    "/dev/disk/by-id/dm-uuid-LVM-abc / ext4 defaults 0 1\n\
     /dev/mapper/vg-home /home ext4 defaults 0 2\n/swap.img none swap sw 0 0\n",
];

#[test]
fn what_installers_write_is_portable() {
    for fstab in PORTABLE {
        assert_eq!(
            by_name("BOOT_IMAGE=/vmlinuz root=UUID=8f8c ro quiet", fstab, ""),
            []
        );
    }
    for crypttab in [
        // Debian, Fedora
        "nvme0n1p3_crypt UUID=8f8c none luks,discard\n",
        "luks-8f8c UUID=8f8c none discard\n# sda /dev/sda3 none\n#sda /dev/sda3 none luks\n",
        "swap /dev/mapper/vg-swap /dev/urandom swap\nusb /dev/sdb1 none luks,nofail\n",
    ] {
        let cmdline = "cryptdevice=UUID=8f8c:root root=/dev/mapper/root";
        assert_eq!(by_name(cmdline, "", crypttab), []);
    }
    for root in [
        "/dev/mapper/vg-root",
        "PARTUUID=1",
        "LABEL=root",
        "/dev/sdcard/x",
        "/dev/vdo",
    ] {
        let named = by_name(&format!("root={root}"), "", "");
        // "vdo" could be the fifteenth virtual disk; when in doubt, it is told.
        assert_eq!(
            named.is_empty(),
            root != "/dev/vdo" && root != "/dev/sdcard/x",
            "{root}"
        );
    }
}

#[test]
fn names_of_one_machine_are_found() {
    let fstab = "/dev/nvme0n1p2 / ext4 defaults 0 1\n/dev/sda1 /boot ext2\n\
                 /dev/sdb1 /media/usb vfat defaults,nofail 0 0\n/dev/mmcblk0p3 none swap sw 0 0\n";
    let cmdline = "root=/dev/vda1 cryptdevice=/dev/nvme0n1p5:home:allow-discards ro";
    let crypttab = "data /dev/sda7\nswap /dev/sda8 /dev/urandom swap\n";
    let found: Vec<_> = by_name(cmdline, fstab, crypttab)
        .into_iter()
        .map(|named| (named.device, named.needed))
        .collect();
    let expected = [
        ("/dev/vda1", true),
        ("/dev/nvme0n1p5", true),
        ("/dev/nvme0n1p2", false),
        ("/dev/sda1", true),
        ("/dev/mmcblk0p3", false),
        ("/dev/sda7", false),
        ("/dev/sda8", false),
    ];
    assert_eq!(
        found,
        expected.map(|(name, needed)| (name.to_owned(), needed))
    );
}

/// Headers as cryptsetup and systemd-cryptenroll write them, shortened to what counts.
#[test]
fn a_tpm_alone_is_told_from_one_with_a_passphrase() {
    let slots = |slots: &str, tokens: &str| {
        unlocking(&format!(
            "{{\"keyslots\":{{{slots}}},\"tokens\":{{{tokens}}},\"segments\":{{}}}}"
        ))
    };
    let passphrase = r#""0":{"type":"luks2","key_size":64}"#;
    let second = r#""1":{"type":"luks2","key_size":64}"#;
    let tpm = r#""0":{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pcrs":[7]}"#;
    let recovery = r#""1":{"type":"systemd-recovery","keyslots":["0"]}"#;
    let both = format!("{passphrase},{second}");
    assert_eq!(slots(passphrase, ""), Unlocking::Portable);
    assert_eq!(slots(&both, tpm), Unlocking::TpmFirst);
    assert_eq!(
        slots(&both, &format!("{tpm},{recovery}")),
        Unlocking::TpmFirst
    );
    assert_eq!(slots(second, tpm), Unlocking::TpmOnly);
    let clevis = r#""0":{"type":"clevis","keyslots":["0"],"jwe":{}}"#;
    assert_eq!(slots(passphrase, clevis), Unlocking::TpmOnly);
    for nonsense in [
        "",
        "[]",
        "{\"tokens\":7}",
        "{\"tokens\":{\"0\":{\"keyslots\":3}}}",
    ] {
        assert_eq!(unlocking(nonsense), Unlocking::Portable);
    }
}

#[test]
fn a_signature_is_seen_and_damaged_headers_are_none() {
    let mut head = vec![0; KERNEL_HEAD];
    head[..2].copy_from_slice(b"MZ");
    head[0x3c] = 0x40;
    head[0x40..0x44].copy_from_slice(b"PE\0\0");
    head[0x58..0x5a].copy_from_slice(&0x20b_u16.to_le_bytes());
    assert!(!is_signed(&head));
    let size = 0x58 + 112 + 8 * 4 + 4;
    head[size] = 0x88;
    assert!(is_signed(&head));
    for len in [0, 1, 0x3c, 0x5a, size] {
        assert!(!is_signed(&head[..len]));
    }
    head[0x3c..0x40].fill(0xff);
    assert!(!is_signed(&head));
}
