//! The rules and the formats of Stiefelsystem.
//!
//! Everything here is pure: no I/O, no clock, no randomness, no async. Time and
//! random bytes are arguments. Both ends of a loan, the image builder, and the
//! daemon use the same types, so that a format exists once.

pub mod battery;
pub mod bundle;
pub mod cmdline;
pub mod control;
pub mod cpio;
pub mod discovery;
pub mod handoff;
mod keys;
pub mod loan;
pub mod modules;
pub mod nbd;
pub mod net;
pub mod pairing;
pub mod preflight;
pub mod seal;
pub mod secret;
pub mod standalone;
pub mod stick;
pub mod supervisor;
pub mod ticket;
