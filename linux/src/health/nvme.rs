//! NVMe: the health log.
//!
//! Source: NVM Express Base Specification 2.0, 5.16.1.3 (SMART / Health Information).

use std::fs::File;
use std::path::Path;

use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use stiefel_core::control::{DiskHealth, DiskStatus};

use crate::error::{Result, Tried};

/// `NVME_IOCTL_ADMIN_CMD` (include/uapi/linux/nvme_ioctl.h).
const ADMIN_COMMAND: Opcode = opcode::read_write::<Command>(b'N', 0x41);
const GET_LOG_PAGE: u8 = 0x02;
const HEALTH: u32 = 0x02;
/// The whole controller instead of one namespace.
const CONTROLLER: u32 = 0xFFFF_FFFF;
const LOG_LEN: usize = 512;

/// Bits of the first byte, the warnings.
const SPARE_LOW: u8 = 1;
const TEMPERATURE: u8 = 1 << 1;
const UNRELIABLE: u8 = 1 << 2;
const READ_ONLY: u8 = 1 << 3;
const NO_BACKUP: u8 = 1 << 4;

/// `struct nvme_passthru_cmd` (include/uapi/linux/nvme_ioctl.h).
#[repr(C)]
#[derive(Default)]
struct Command {
    opcode: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    words_2_3: [u32; 2],
    metadata: u64,
    address: u64,
    metadata_len: u32,
    data_len: u32,
    words_10_15: [u32; 6],
    /// 0 is the driver's own, a minute; its end would reset the controller under everybody.
    timeout_msecs: u32,
    result: u32,
}

pub(super) fn read(node: &Path) -> Result<DiskStatus> {
    let tried = || format!("cannot ask {} for its health", node.display());
    let disk = File::open(node).tried(tried)?;
    let mut log = [0_u8; LOG_LEN];
    let mut command = Command {
        opcode: GET_LOG_PAGE,
        namespace: CONTROLLER,
        address: log.as_mut_ptr() as u64,
        data_len: LOG_LEN as u32,
        words_10_15: [((LOG_LEN / 4 - 1) << 16) as u32 | HEALTH, 0, 0, 0, 0, 0],
        ..Command::default()
    };
    // SAFETY: the structure is the kernel's own; its address and length are those of `log`,
    // which outlives the call and is written by nobody else meanwhile.
    #[allow(unsafe_code)]
    let asked = unsafe { ioctl(&disk, Updater::<ADMIN_COMMAND, Command>::new(&mut command)) };
    asked.tried(tried)?;
    Ok(judge(&log))
}

fn judge(log: &[u8; LOG_LEN]) -> DiskStatus {
    let warnings = log[0];
    let kelvin = u16::from_le_bytes([log[1], log[2]]);
    let worn_percent = log[5];
    let warns = |bit| warnings & bit != 0;
    let (health, detail) = if warns(READ_ONLY) {
        (
            DiskHealth::Failing,
            "The disk takes no more writes.".to_owned(),
        )
    } else if warns(UNRELIABLE) {
        (
            DiskHealth::Failing,
            "The disk says that it is not reliable any more.".to_owned(),
        )
    } else if warns(SPARE_LOW) {
        let left = log[3];
        (
            DiskHealth::Failing,
            format!("The disk has {left} % of its spare blocks left."),
        )
    } else if warns(NO_BACKUP) {
        (
            DiskHealth::Failing,
            "The disk's memory is not backed up any more.".to_owned(),
        )
    } else if worn_percent >= 100 {
        (
            DiskHealth::Worn,
            format!("The disk has used up {worn_percent} % of its life."),
        )
    } else if warns(TEMPERATURE) {
        (
            DiskHealth::Good,
            "The disk is too hot or too cold.".to_owned(),
        )
    } else {
        (DiskHealth::Good, String::new())
    };
    DiskStatus {
        health,
        detail,
        // 0 is what a disk without a sensor says.
        celsius: (kelvin != 0).then(|| f64::from(kelvin) - 273.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(change: impl FnOnce(&mut [u8; LOG_LEN])) -> DiskStatus {
        let mut log = [0; LOG_LEN];
        (log[1], log[2]) = (0x43, 0x01);
        (log[3], log[4], log[5]) = (100, 10, 3);
        change(&mut log);
        judge(&log)
    }

    #[test]
    fn the_command_is_as_long_as_the_kernels() {
        assert_eq!(size_of::<Command>(), 72);
        assert_eq!(ADMIN_COMMAND, 0xC048_4E41);
    }

    #[test]
    fn a_disk_that_is_well() {
        let status = log(|_| ());
        assert_eq!(
            (status.health, status.celsius),
            (DiskHealth::Good, Some(50.0))
        );
        assert_eq!(status.detail, "");
        assert_eq!(log(|log| (log[1], log[2]) = (0, 0)).celsius, None);
    }

    #[test]
    fn the_worst_is_told() {
        let spare = log(|log| (log[0], log[3]) = (SPARE_LOW | TEMPERATURE, 4));
        assert_eq!(spare.health, DiskHealth::Failing);
        assert!(spare.detail.contains("4 %"), "{}", spare.detail);
        let all = log(|log| log[0] = 0xFF);
        assert!(all.detail.contains("no more writes"), "{}", all.detail);
        assert_eq!(log(|log| log[5] = 99).health, DiskHealth::Good);
        assert_eq!(log(|log| log[5] = 120).health, DiskHealth::Worn);
        let hot = log(|log| log[0] = TEMPERATURE);
        assert_eq!(hot.health, DiskHealth::Good);
        assert!(hot.detail.contains("too hot"), "{}", hot.detail);
    }
}
