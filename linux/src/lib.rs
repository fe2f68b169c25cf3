//! Thin, typed, synchronous access to the Linux kernel.
//!
//! Each module wraps one interface of the kernel and knows nothing of loans:
//! [`links`] (rtnetlink), [`wireguard`] and [`nbd`] (generic netlink),
//! [`uevent`], [`modules`], [`kexec`], [`block`] and [`power`] (sysfs), [`boot_files`],
//! [`terminal`], [`backlight`] and [`input`] (screen, beeper, keys), [`sound`] (cards),
//! [`health`] (of disks),
//! [`echo`], [`mounts`], [`memfd`], [`memory`], [`process`], [`sysctl`], [`tcp`].
//!
//! Everything blocks, for as long as the kernel takes to answer and no longer;
//! what waits for the world outside has a file descriptor to poll. No function
//! here starts a thread.

pub mod backlight;
pub mod block;
pub mod boot_files;
pub mod echo;
mod error;
pub mod health;
pub mod input;
pub mod kernel_log;
pub mod kexec;
pub mod links;
pub mod memfd;
pub mod memory;
pub mod modules;
pub mod mounts;
pub mod nbd;
mod netlink;
pub mod power;
pub mod process;
pub mod sound;
pub mod sysctl;
pub mod tcp;
pub mod terminal;
pub mod uevent;
pub mod wireguard;

pub use error::{Error, Result};
