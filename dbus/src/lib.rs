//! The D-Bus contract of Stiefelsystem.
//!
//! The files `*.xml` beside this crate are the contract, documented for everybody who talks
//! to the daemon. Here are the names, the [`words`] that properties hold, and
//! the proxies for clients in Rust; a test holds the proxies to the XML.

pub mod names;
pub mod proxy;
pub mod words;

/// The contract itself: interface name and XML.
pub const CONTRACT: [(&str, &str); 8] = [
    (
        names::MANAGER,
        include_str!("../org.stiefelsystem.Stiefel1.Manager.xml"),
    ),
    (
        names::HANDOFF,
        include_str!("../org.stiefelsystem.Stiefel1.HandOff.xml"),
    ),
    (
        names::LOAN,
        include_str!("../org.stiefelsystem.Stiefel1.Loan.xml"),
    ),
    (
        names::SETTINGS,
        include_str!("../org.stiefelsystem.Stiefel1.Settings.xml"),
    ),
    (
        names::DRIVE,
        include_str!("../org.stiefelsystem.Stiefel1.Drive.xml"),
    ),
    (
        names::PAIRING,
        include_str!("../org.stiefelsystem.Stiefel1.Pairing.xml"),
    ),
    (
        names::LINK,
        include_str!("../org.stiefelsystem.Stiefel1.Link.xml"),
    ),
    (
        names::JOB,
        include_str!("../org.stiefelsystem.Stiefel1.Job.xml"),
    ),
];
