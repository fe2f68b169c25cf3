//! The structures and requests of the kernel's sound interface, as far as they are used
//! (include/uapi/sound/asound.h, on a machine of 64 bits).

use std::ffi::{c_long, c_ulong};
use std::fs::File;

use rustix::io::Result;
use rustix::ioctl::{NoArg, Opcode, Updater, ioctl, opcode};

/// `SNDRV_PCM_IOCTL_HW_REFINE`: narrows what is asked for down to what the hardware can.
pub(super) const HW_REFINE: Opcode = opcode::read_write::<HwParams>(b'A', 0x10);
/// `SNDRV_PCM_IOCTL_HW_PARAMS`: the same, and it is so from now on.
pub(super) const HW_PARAMS: Opcode = opcode::read_write::<HwParams>(b'A', 0x11);
/// `SNDRV_PCM_IOCTL_PREPARE`.
const PREPARE: Opcode = opcode::none(b'A', 0x40);
/// `SNDRV_CTL_IOCTL_ELEM_LIST`.
const ELEM_LIST: Opcode = opcode::read_write::<ElemList>(b'U', 0x10);
/// `SNDRV_CTL_IOCTL_ELEM_INFO`.
pub(super) const ELEM_INFO: Opcode = opcode::read_write::<ElemInfo>(b'U', 0x11);
/// `SNDRV_CTL_IOCTL_ELEM_WRITE`.
pub(super) const ELEM_WRITE: Opcode = opcode::read_write::<ElemValue>(b'U', 0x13);

/// Values that an element has at most, one for each channel.
pub(super) const VALUES: usize = 128;

/// `struct snd_interval`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) min: u32,
    pub(super) max: u32,
    /// Bits: without `min`, without `max`, whole numbers only, empty.
    pub(super) flags: u32,
}

/// `struct snd_pcm_hw_params`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct HwParams {
    flags: u32,
    /// From `SNDRV_PCM_HW_PARAM_ACCESS` on, a bit for each way.
    pub(super) masks: [[u32; 8]; 3],
    more_masks: [[u32; 8]; 5],
    /// From `SNDRV_PCM_HW_PARAM_SAMPLE_BITS` on.
    pub(super) intervals: [Interval; 12],
    more_intervals: [Interval; 9],
    /// Which of them are asked for.
    pub(super) asked: u32,
    changed: u32,
    info: u32,
    significant_bits: u32,
    rate: [u32; 2],
    fifo_size: c_ulong,
    reserved: [u8; 64],
}

/// `struct snd_ctl_elem_id`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct ElemId {
    pub(super) numid: u32,
    pub(super) iface: i32,
    device: u32,
    subdevice: u32,
    pub(super) name: [u8; 44],
    index: u32,
}

/// `struct snd_ctl_elem_list`.
#[repr(C)]
struct ElemList {
    offset: u32,
    space: u32,
    used: u32,
    count: u32,
    ids: *mut ElemId,
    reserved: [u8; 50],
}

/// `struct snd_ctl_elem_info`; the numbers are those of an integer element.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct ElemInfo {
    pub(super) id: ElemId,
    pub(super) kind: i32,
    pub(super) access: u32,
    pub(super) count: u32,
    owner: i32,
    pub(super) min: c_long,
    pub(super) max: c_long,
    other: [c_long; 14],
    reserved: [u8; 64],
}

/// `struct snd_ctl_elem_value`, of a switch or an integer element.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(super) struct ElemValue {
    pub(super) id: ElemId,
    indirect: u32,
    pub(super) values: [c_long; VALUES],
    reserved: [u8; 128],
}

impl HwParams {
    /// Whatever the hardware can.
    pub(super) fn any() -> Self {
        let all = Interval {
            min: 0,
            max: u32::MAX,
            flags: 0,
        };
        Self {
            flags: 0,
            masks: [[u32::MAX; 8]; 3],
            more_masks: [[u32::MAX; 8]; 5],
            intervals: [all; 12],
            more_intervals: [all; 9],
            asked: u32::MAX,
            changed: 0,
            info: u32::MAX,
            significant_bits: 0,
            rate: [0; 2],
            fifo_size: 0,
            reserved: [0; 64],
        }
    }
}

impl ElemId {
    /// The element with this number, by which the kernel finds it; 0 is none.
    pub(super) fn numbered(numid: u32) -> Self {
        Self {
            numid,
            iface: 0,
            device: 0,
            subdevice: 0,
            name: [0; 44],
            index: 0,
        }
    }
}

impl ElemInfo {
    /// To be filled in for this element.
    pub(super) fn about(id: ElemId) -> Self {
        Self {
            id,
            kind: 0,
            access: 0,
            count: 0,
            owner: 0,
            min: 0,
            max: 0,
            other: [0; 14],
            reserved: [0; 64],
        }
    }
}

impl ElemValue {
    /// The same value for all channels of this element.
    pub(super) fn of(id: ElemId, value: c_long) -> Self {
        Self {
            id,
            indirect: 0,
            values: [value; VALUES],
            reserved: [0; 128],
        }
    }
}

/// Plain numbers of which any is valid, without pointers.
pub(super) trait Plain {}
impl Plain for HwParams {}
impl Plain for ElemInfo {}
impl Plain for ElemValue {}

/// Sends a request that takes and fills in a structure of this kind.
pub(super) fn ask<const REQUEST: Opcode, T: Plain>(file: &File, structure: &mut T) -> Result<()> {
    const {
        // A request's number holds its structure's length (include/uapi/asm-generic/ioctl.h).
        assert!((REQUEST >> 16) as usize & 0x3FFF == size_of::<T>());
    }
    // SAFETY: the request is for a structure of this length, whose numbers may be any, so the
    // kernel reads and writes within it and leaves it valid.
    #[allow(unsafe_code)]
    unsafe {
        ioctl(file, Updater::<REQUEST, T>::new(structure))
    }
}

/// Makes an output ready, at first and after it ran dry.
pub(super) fn prepare(file: &File) -> Result<()> {
    // SAFETY: this request takes nothing.
    #[allow(unsafe_code)]
    unsafe {
        ioctl(file, NoArg::<PREPARE>::new())
    }
}

/// Fills in the numbers of a card's elements from its first on; returns how many it has filled in.
pub(super) fn list(file: &File, ids: &mut [ElemId]) -> Result<usize> {
    let mut list = ElemList {
        offset: 0,
        space: u32::try_from(ids.len()).unwrap_or(u32::MAX),
        used: 0,
        count: 0,
        ids: ids.as_mut_ptr(),
        reserved: [0; 50],
    };
    // SAFETY: the structure is that of the request, and points to room for as many as it says,
    // which nobody else uses meanwhile. Any number is valid in it.
    #[allow(unsafe_code)]
    unsafe {
        ioctl(file, Updater::<ELEM_LIST, ElemList>::new(&mut list))?;
    }
    Ok(ids.len().min(list.used as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    /// What a C compiler says of the kernel's header.
    #[test]
    fn structures_are_the_kernels() {
        assert_eq!(size_of::<Interval>(), 12);
        assert_eq!(size_of::<HwParams>(), 608);
        assert_eq!(offset_of!(HwParams, intervals), 260);
        assert_eq!(offset_of!(HwParams, fifo_size), 536);
        assert_eq!(size_of::<ElemId>(), 64);
        assert_eq!(size_of::<ElemList>(), 80);
        assert_eq!(offset_of!(ElemList, ids), 16);
        assert_eq!(size_of::<ElemInfo>(), 272);
        assert_eq!(offset_of!(ElemInfo, min), 80);
        assert_eq!(size_of::<ElemValue>(), 1224);
        assert_eq!(offset_of!(ElemValue, values), 72);
    }

    #[test]
    fn requests_are_the_kernels() {
        let requests = [
            HW_REFINE, HW_PARAMS, PREPARE, ELEM_LIST, ELEM_INFO, ELEM_WRITE,
        ];
        let expected = [
            0xC260_4110,
            0xC260_4111,
            0x4140,
            0xC050_5510,
            0xC110_5511,
            0xC4C8_5513,
        ];
        assert_eq!(requests, expected);
    }
}
