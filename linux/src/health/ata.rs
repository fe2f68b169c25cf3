//! ATA: SMART, through the kernel's translation of SCSI.
//!
//! Sources: ATA/ATAPI Command Set 3 (SMART RETURN STATUS, SMART READ DATA), SAT-3 12.2
//! (ATA PASS-THROUGH (16)), include/scsi/sg.h. The meaning of the attributes is custom, not
//! standard; those used here mean the same with all makers.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::ioctl::{Opcode, Updater, ioctl};
use stiefel_core::control::{DiskHealth, DiskStatus};

use crate::error::{Result, Tried};

/// `SG_IO` (include/scsi/sg.h).
const SG_IO: Opcode = 0x2285;
const NO_DATA: i32 = -1;
const FROM_DEVICE: i32 = -3;
/// Long enough for a disk that has to spin up. The kernel resets one that takes longer.
const TIMEOUT_MSECS: u32 = 60_000;

const PASS_THROUGH_16: u8 = 0x85;
const SMART: u8 = 0xB0;
const READ_DATA: u8 = 0xD0;
const RETURN_STATUS: u8 = 0xDA;
/// What SMART commands have in their address, and what a disk that is well returns there.
const SIGNATURE: [u8; 2] = [0x4F, 0xC2];
const EXCEEDED: [u8; 2] = [0xF4, 0x2C];

const DATA_LEN: usize = 512;
const SENSE_LEN: usize = 32;
/// Descriptor sense data with an ATA status return (SAT-3, 12.2.6).
const DESCRIPTORS: u8 = 0x72;
const ATA_RETURN: u8 = 0x09;

/// Attributes.
const TABLE: std::ops::Range<usize> = 2..362;
const ATTRIBUTE_LEN: usize = 12;
const REALLOCATED: u8 = 5;
const AIR_CELSIUS: u8 = 190;
const CELSIUS: u8 = 194;
const PENDING: u8 = 197;
const UNCORRECTABLE: u8 = 198;

/// `struct sg_io_hdr` (include/scsi/sg.h).
#[repr(C)]
struct Exchange {
    interface: i32,
    direction: i32,
    command_len: u8,
    sense_limit: u8,
    pieces: u16,
    data_len: u32,
    data: u64,
    command: u64,
    sense: u64,
    timeout_msecs: u32,
    flags: u32,
    pack_id: i32,
    own: u64,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_len: u8,
    host_status: u16,
    driver_status: u16,
    missing: i32,
    duration_msecs: u32,
    info: u32,
}

pub(super) fn read(node: &Path) -> Result<DiskStatus> {
    let tried = || format!("cannot ask {} for its health", node.display());
    let disk = File::open(node).tried(tried)?;
    // No data, and the registers of the answer as sense data.
    let sense = exchange(&disk, [3 << 1, 0x20], RETURN_STATUS, &mut []).tried(tried)?;
    let exceeded = exceeded(&sense)
        .ok_or_else(|| io::Error::other("its answer makes no sense"))
        .tried(tried)?;
    // One block from the device, counted in the number of sectors.
    let mut data = [0; DATA_LEN];
    let read = exchange(&disk, [4 << 1, 0x0E], READ_DATA, &mut data);
    Ok(judge(exceeded, read.is_ok().then_some(&data)))
}

/// Sends one SMART command and returns the sense data; fills in `data`.
fn exchange(
    disk: &File,
    protocol: [u8; 2],
    feature: u8,
    data: &mut [u8],
) -> io::Result<[u8; SENSE_LEN]> {
    let mut sense = [0_u8; SENSE_LEN];
    let command: [u8; 16] = [
        PASS_THROUGH_16,
        protocol[0],
        protocol[1],
        0,
        feature,
        0,
        u8::from(!data.is_empty()),
        0,
        0,
        0,
        SIGNATURE[0],
        0,
        SIGNATURE[1],
        0,
        SMART,
        0,
    ];
    let mut exchange = Exchange {
        interface: i32::from(b'S'),
        direction: if data.is_empty() {
            NO_DATA
        } else {
            FROM_DEVICE
        },
        command_len: command.len() as u8,
        sense_limit: SENSE_LEN as u8,
        pieces: 0,
        data_len: data.len() as u32,
        data: data.as_mut_ptr() as u64,
        command: command.as_ptr() as u64,
        sense: sense.as_mut_ptr() as u64,
        timeout_msecs: TIMEOUT_MSECS,
        flags: 0,
        pack_id: 0,
        own: 0,
        status: 0,
        masked_status: 0,
        message_status: 0,
        sense_len: 0,
        host_status: 0,
        driver_status: 0,
        missing: 0,
        duration_msecs: 0,
        info: 0,
    };
    // SAFETY: the structure is the kernel's own; its three addresses are those of `data`,
    // `command` and `sense` with their lengths, which outlive the call.
    #[allow(unsafe_code)]
    let asked = unsafe { ioctl(disk, Updater::<SG_IO, Exchange>::new(&mut exchange)) };
    asked?;
    if exchange.host_status != 0 {
        return Err(io::Error::other(format!(
            "its controller says {:#x}",
            exchange.host_status
        )));
    }
    // An ATA error comes as sense data with a key; the registers alone have none, or "recovered".
    if !data.is_empty() && exchange.status != 0 {
        return Err(io::Error::other("it has no such data"));
    }
    Ok(sense)
}

/// Whether the disk says that it will fail; `None` for another answer.
fn exceeded(sense: &[u8; SENSE_LEN]) -> Option<bool> {
    let registers = &sense[8..22];
    if sense[0] & 0x7F != DESCRIPTORS || registers[0] != ATA_RETURN {
        return None;
    }
    match [registers[9], registers[11]] {
        SIGNATURE => Some(false),
        EXCEEDED => Some(true),
        _ => None,
    }
}

fn judge(exceeded: bool, data: Option<&[u8; DATA_LEN]>) -> DiskStatus {
    let raw = |id: u8| {
        let table = data?[TABLE].chunks_exact(ATTRIBUTE_LEN);
        let mut found = table.filter(|attribute| attribute[0] == id);
        found.next()?[5..9]
            .first_chunk()
            .map(|bytes| u32::from_le_bytes(*bytes))
    };
    let count = |id| raw(id).unwrap_or(0);
    let lost = count(PENDING).max(count(UNCORRECTABLE));
    let (health, detail) = if exceeded {
        (
            DiskHealth::Failing,
            "The disk says that it is about to fail.".to_owned(),
        )
    } else if lost > 0 {
        (
            DiskHealth::Failing,
            format!("{lost} blocks of the disk cannot be read."),
        )
    } else if count(REALLOCATED) > 0 {
        let replaced = count(REALLOCATED);
        (
            DiskHealth::Worn,
            format!("The disk has replaced {replaced} bad blocks."),
        )
    } else {
        (DiskHealth::Good, String::new())
    };
    // The upper bytes are others' figures, such as the lowest and the highest so far.
    let celsius = raw(CELSIUS)
        .or_else(|| raw(AIR_CELSIUS))
        .map(|raw| raw as u8);
    DiskStatus {
        health,
        detail,
        celsius: celsius.filter(|celsius| *celsius > 0).map(f64::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(attributes: &[(u8, u32)]) -> [u8; DATA_LEN] {
        let mut data = [0; DATA_LEN];
        for (at, (id, raw)) in attributes.iter().enumerate() {
            let place = &mut data[TABLE][at * ATTRIBUTE_LEN..];
            place[0] = *id;
            place[5..9].copy_from_slice(&raw.to_le_bytes());
        }
        data
    }

    #[test]
    fn the_exchange_is_as_long_as_the_kernels() {
        assert_eq!(size_of::<Exchange>(), 88);
    }

    #[test]
    fn attributes_are_judged() {
        let judged = |attributes: &[(u8, u32)]| judge(false, Some(&data(attributes)));
        let well = judged(&[
            (9, 70_000),
            (CELSIUS, 0x0034_0015_u32 << 8 | 36),
            (REALLOCATED, 0),
        ]);
        assert_eq!((well.health, well.celsius), (DiskHealth::Good, Some(36.0)));
        let worn = judged(&[(AIR_CELSIUS, 31), (REALLOCATED, 8)]);
        assert_eq!((worn.health, worn.celsius), (DiskHealth::Worn, Some(31.0)));
        assert!(worn.detail.contains(" 8 bad"), "{}", worn.detail);
        let lost = judged(&[(REALLOCATED, 8), (PENDING, 2)]);
        assert_eq!(lost.health, DiskHealth::Failing);
        assert_eq!(judge(true, None).health, DiskHealth::Failing);
        assert_eq!(judge(false, None).celsius, None);
    }

    #[test]
    fn the_answer_is_in_the_registers() {
        let sense = |middle: u8, high: u8| {
            let mut sense = [0; SENSE_LEN];
            (sense[0], sense[1], sense[8], sense[9]) = (DESCRIPTORS, 1, ATA_RETURN, 12);
            (sense[17], sense[19]) = (middle, high);
            sense
        };
        assert_eq!(exceeded(&sense(0x4F, 0xC2)), Some(false));
        assert_eq!(exceeded(&sense(0xF4, 0x2C)), Some(true));
        assert_eq!(exceeded(&sense(0, 0)), None);
        assert_eq!(exceeded(&[0; SENSE_LEN]), None);
    }
}
