//! Proxies for clients in Rust. The XML says what each member means.

use std::collections::HashMap;
use zbus::zvariant::{Fd, ObjectPath, OwnedFd, OwnedObjectPath, Value};

/// The machine as a whole.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Manager",
    default_service = "org.stiefelsystem.Stiefel1",
    default_path = "/org/stiefelsystem/Stiefel1",
    gen_blocking = false
)]
pub trait Manager {
    /// Begins to answer searches.
    #[zbus(allow_interactive_auth)]
    fn arm(&self, options: HashMap<&str, Value<'_>>) -> zbus::Result<()>;

    /// Ends to answer searches.
    #[zbus(allow_interactive_auth)]
    fn disarm(&self) -> zbus::Result<()>;

    /// Makes a pairing.
    #[zbus(allow_interactive_auth)]
    fn pair(&self, name: &str) -> zbus::Result<OwnedObjectPath>;

    /// Makes the ramdisk of the running kernel.
    #[zbus(allow_interactive_auth)]
    fn update_image(&self) -> zbus::Result<OwnedObjectPath>;

    /// Makes a boot medium of an open file or drive.
    #[zbus(allow_interactive_auth)]
    fn write_stick(
        &self,
        pairing: &ObjectPath<'_>,
        target: Fd<'_>,
        options: HashMap<&str, Value<'_>>,
    ) -> zbus::Result<OwnedObjectPath>;

    /// Looks again at what tells no changes by itself.
    #[zbus(allow_interactive_auth)]
    fn refresh(&self) -> zbus::Result<()>;

    /// The daemon's version.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;

    /// The name under which paired machines see this one.
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;

    /// See [`crate::words::Role`].
    #[zbus(property)]
    fn role(&self) -> zbus::Result<String>;

    /// Whether searches are answered.
    #[zbus(property)]
    fn armed(&self) -> zbus::Result<bool>;

    /// See [`crate::words::ImageState`].
    #[zbus(property)]
    fn image_state(&self) -> zbus::Result<String>;

    /// Model, size in bytes, and id.
    #[zbus(property)]
    fn disk(&self) -> zbus::Result<(String, u64, String)>;

    /// Percent, or -1 without a battery.
    #[zbus(property)]
    fn battery(&self) -> zbus::Result<f64>;

    /// Fed from outside.
    #[zbus(property)]
    fn on_ac(&self) -> zbus::Result<bool>;

    /// See [`crate::words::BatteryWarning`].
    #[zbus(property)]
    fn battery_warning(&self) -> zbus::Result<String>;

    /// Microseconds, or 0.
    #[zbus(property)]
    fn time_to_empty_usec(&self) -> zbus::Result<u64>;

    /// For whom, when it began, and when it was over; microseconds since the epoch.
    #[zbus(property)]
    fn last_loan(&self) -> zbus::Result<(OwnedObjectPath, u64, u64)>;

    /// Subject, verdict, text, hint, remedy.
    #[zbus(property)]
    fn checks(&self) -> zbus::Result<Vec<(String, String, String, String, String)>>;
}

/// The way out of the running system.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.HandOff",
    default_service = "org.stiefelsystem.Stiefel1",
    default_path = "/org/stiefelsystem/Stiefel1",
    gen_blocking = false
)]
pub trait HandOff {
    /// Announces a hand-off.
    #[zbus(allow_interactive_auth)]
    fn begin(
        &self,
        borrower: &ObjectPath<'_>,
        options: HashMap<&str, Value<'_>>,
    ) -> zbus::Result<()>;

    /// Says yes to the announced hand-off.
    #[zbus(allow_interactive_auth)]
    fn confirm(&self) -> zbus::Result<()>;

    /// Calls the hand-off off.
    #[zbus(allow_interactive_auth)]
    fn cancel(&self) -> zbus::Result<()>;

    /// See [`crate::words::State`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// See [`crate::words::Reason`].
    #[zbus(property)]
    fn reason(&self) -> zbus::Result<String>;

    /// One sentence that belongs to the reason.
    #[zbus(property)]
    fn detail(&self) -> zbus::Result<String>;

    /// The pairing that the disk is meant for.
    #[zbus(property)]
    fn borrower(&self) -> zbus::Result<OwnedObjectPath>;

    /// See [`crate::words::Trigger`].
    #[zbus(property)]
    fn trigger(&self) -> zbus::Result<String>;

    /// Microseconds from the beginning to the end of the countdown, or 0.
    #[zbus(property)]
    fn countdown_usec(&self) -> zbus::Result<u64>;

    /// All steps in their order.
    #[zbus(property(emits_changed_signal = "const"))]
    fn steps(&self) -> zbus::Result<Vec<String>>;

    /// End of the countdown in microseconds of CLOCK_MONOTONIC, or 0.
    #[zbus(property)]
    fn deadline_usec(&self) -> zbus::Result<u64>;

    /// See [`crate::words::AtDeadline`].
    #[zbus(property)]
    fn at_deadline(&self) -> zbus::Result<String>;

    /// See [`crate::words::Step`].
    #[zbus(property)]
    fn step(&self) -> zbus::Result<String>;

    /// Subject, text, hint.
    #[zbus(property)]
    fn blockers(&self) -> zbus::Result<Vec<(String, String, String)>>;
}

/// The lent disk that this system runs from.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Loan",
    default_service = "org.stiefelsystem.Stiefel1",
    default_path = "/org/stiefelsystem/Stiefel1",
    gen_blocking = false
)]
pub trait Loan {
    /// Shuts this system down, which gives the disk back.
    #[zbus(allow_interactive_auth)]
    fn give_back(&self, options: HashMap<&str, Value<'_>>) -> zbus::Result<()>;

    /// Measures what moves all the time each second.
    fn subscribe(&self) -> zbus::Result<()>;

    /// Ends that.
    fn unsubscribe(&self) -> zbus::Result<()>;

    /// See [`crate::words::LoanState`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// One sentence that belongs to the state.
    #[zbus(property)]
    fn detail(&self) -> zbus::Result<String>;

    /// The machine whose disk it is.
    #[zbus(property)]
    fn lender(&self) -> zbus::Result<String>;

    /// Microseconds since the epoch, or 0.
    #[zbus(property)]
    fn since_usec(&self) -> zbus::Result<u64>;

    /// Microseconds since the epoch, or 0.
    #[zbus(property)]
    fn frozen_since_usec(&self) -> zbus::Result<u64>;

    /// Microseconds of CLOCK_MONOTONIC, or 0.
    #[zbus(property)]
    fn frozen_until_usec(&self) -> zbus::Result<u64>;

    /// See [`crate::words::Cable`].
    #[zbus(property)]
    fn cable(&self) -> zbus::Result<String>;

    /// Mbit/s, 0 if unknown.
    #[zbus(property)]
    fn link_speed_mbps(&self) -> zbus::Result<u32>;

    /// Microseconds, 0 if unknown.
    #[zbus(property)]
    fn latency_usec(&self) -> zbus::Result<u64>;

    /// Bytes read from the disk.
    #[zbus(property)]
    fn rx_bytes(&self) -> zbus::Result<u64>;

    /// Bytes written to the disk.
    #[zbus(property)]
    fn tx_bytes(&self) -> zbus::Result<u64>;

    /// Bytes read in each second.
    #[zbus(property)]
    fn rx_bytes_per_sec(&self) -> zbus::Result<u64>;

    /// Bytes written in each second.
    #[zbus(property)]
    fn tx_bytes_per_sec(&self) -> zbus::Result<u64>;

    /// The lender's battery in percent, or -1.
    #[zbus(property)]
    fn battery(&self) -> zbus::Result<f64>;

    /// The lender is fed from outside.
    #[zbus(property)]
    fn on_ac(&self) -> zbus::Result<bool>;

    /// See [`crate::words::BatteryWarning`].
    #[zbus(property)]
    fn battery_warning(&self) -> zbus::Result<String>;

    /// Microseconds, or 0.
    #[zbus(property)]
    fn time_to_empty_usec(&self) -> zbus::Result<u64>;

    /// Degrees Celsius, 0 if unknown.
    #[zbus(property)]
    fn temperature(&self) -> zbus::Result<f64>;

    /// See [`crate::words::DiskHealth`].
    #[zbus(property)]
    fn disk_health(&self) -> zbus::Result<String>;

    /// One sentence that belongs to the disk's health.
    #[zbus(property)]
    fn disk_detail(&self) -> zbus::Result<String>;

    /// Degrees Celsius, 0 if unknown.
    #[zbus(property)]
    fn disk_temperature(&self) -> zbus::Result<f64>;

    /// Subject, verdict, text, hint.
    #[zbus(property)]
    fn warnings(&self) -> zbus::Result<Vec<(String, String, String, String)>>;

    /// See [`crate::words::Ending`].
    #[zbus(property)]
    fn ending(&self) -> zbus::Result<String>;

    /// Microseconds of CLOCK_MONOTONIC, or 0.
    #[zbus(property)]
    fn ends_usec(&self) -> zbus::Result<u64>;
}

/// What people prefer.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Settings",
    default_service = "org.stiefelsystem.Stiefel1",
    default_path = "/org/stiefelsystem/Stiefel1",
    gen_blocking = false
)]
pub trait Settings {
    /// Forgets all that was set here.
    #[zbus(allow_interactive_auth)]
    fn reset(&self) -> zbus::Result<()>;

    /// See [`crate::words::OnBattery`].
    #[zbus(property)]
    fn on_battery(&self) -> zbus::Result<String>;

    /// Changes it.
    #[zbus(property)]
    fn set_on_battery(&self, value: &str) -> zbus::Result<()>;

    /// From 0 to 100.
    #[zbus(property)]
    fn battery_percent(&self) -> zbus::Result<u32>;

    /// Changes it.
    #[zbus(property)]
    fn set_battery_percent(&self, value: u32) -> zbus::Result<()>;

    /// See [`crate::words::OnAcLoss`].
    #[zbus(property)]
    fn on_ac_loss(&self) -> zbus::Result<String>;

    /// Changes it.
    #[zbus(property)]
    fn set_on_ac_loss(&self, value: &str) -> zbus::Result<()>;

    /// See [`crate::words::PairingPolicy`].
    #[zbus(property)]
    fn on_plug(&self) -> zbus::Result<String>;

    /// Changes it.
    #[zbus(property)]
    fn set_on_plug(&self, value: &str) -> zbus::Result<()>;

    /// From 1 to 600.
    #[zbus(property)]
    fn countdown_secs(&self) -> zbus::Result<u32>;

    /// Changes it.
    #[zbus(property)]
    fn set_countdown_secs(&self, value: u32) -> zbus::Result<()>;

    /// From 1 to 3600.
    #[zbus(property)]
    fn confirm_secs(&self) -> zbus::Result<u32>;

    /// Changes it.
    #[zbus(property)]
    fn set_confirm_secs(&self, value: u32) -> zbus::Result<()>;

    /// From 30 to 86400.
    #[zbus(property)]
    fn offer_secs(&self) -> zbus::Result<u32>;

    /// Changes it.
    #[zbus(property)]
    fn set_offer_secs(&self, value: u32) -> zbus::Result<()>;

    /// From 10 to 86400.
    #[zbus(property)]
    fn patience_secs(&self) -> zbus::Result<u32>;

    /// Changes it.
    #[zbus(property)]
    fn set_patience_secs(&self, value: u32) -> zbus::Result<()>;

    /// See [`crate::words::OnLowPower`].
    #[zbus(property)]
    fn on_low_power(&self) -> zbus::Result<String>;

    /// Changes it.
    #[zbus(property)]
    fn set_on_low_power(&self, value: &str) -> zbus::Result<()>;
}

/// A removable drive that a stick can be made of.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Drive",
    default_service = "org.stiefelsystem.Stiefel1",
    gen_blocking = false
)]
pub trait Drive {
    /// Makes a boot medium of it.
    #[zbus(allow_interactive_auth)]
    fn write_stick(
        &self,
        pairing: &ObjectPath<'_>,
        options: HashMap<&str, Value<'_>>,
    ) -> zbus::Result<OwnedObjectPath>;

    /// Its device file.
    #[zbus(property(emits_changed_signal = "const"))]
    fn device(&self) -> zbus::Result<String>;

    /// Maker and model.
    #[zbus(property)]
    fn model(&self) -> zbus::Result<String>;

    /// Serial number.
    #[zbus(property)]
    fn serial(&self) -> zbus::Result<String>;

    /// Bytes.
    #[zbus(property)]
    fn size_bytes(&self) -> zbus::Result<u64>;

    /// What it is plugged into.
    #[zbus(property)]
    fn bus(&self) -> zbus::Result<String>;

    /// What would be erased.
    #[zbus(property)]
    fn volumes(&self) -> zbus::Result<Vec<String>>;

    /// See [`crate::words::DriveState`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
}

/// A borrower that may boot from this machine's disk.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Pairing",
    default_service = "org.stiefelsystem.Stiefel1",
    gen_blocking = false
)]
pub trait Pairing {
    /// Gives out the secret for the boot medium.
    #[zbus(allow_interactive_auth)]
    fn export_ticket(&self) -> zbus::Result<OwnedFd>;

    /// Destroys the secret.
    #[zbus(allow_interactive_auth)]
    fn forget(&self) -> zbus::Result<()>;

    /// 16 hexadecimal digits.
    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> zbus::Result<String>;

    /// What the borrower is called.
    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;

    /// Renames it.
    #[zbus(property)]
    fn set_name(&self, name: &str) -> zbus::Result<()>;

    /// See [`crate::words::PairingPolicy`].
    #[zbus(property)]
    fn policy(&self) -> zbus::Result<String>;

    /// Changes what its searches bring about.
    #[zbus(property)]
    fn set_policy(&self, policy: &str) -> zbus::Result<()>;

    /// See [`crate::words::Presence`].
    #[zbus(property)]
    fn presence(&self) -> zbus::Result<String>;

    /// Microseconds since the epoch, or 0.
    #[zbus(property)]
    fn last_seen_usec(&self) -> zbus::Result<u64>;

    /// Microseconds since the epoch, or 0.
    #[zbus(property)]
    fn last_loan_usec(&self) -> zbus::Result<u64>;

    /// Microseconds since the epoch, or 0.
    #[zbus(property)]
    fn last_stick_usec(&self) -> zbus::Result<u64>;
}

/// A wired network interface.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Link",
    default_service = "org.stiefelsystem.Stiefel1",
    gen_blocking = false
)]
pub trait Link {
    /// The interface's name.
    #[zbus(property(emits_changed_signal = "const"))]
    fn interface(&self) -> zbus::Result<String>;

    /// See [`crate::words::LinkState`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// Mbit/s, 0 if unknown.
    #[zbus(property)]
    fn speed_mbps(&self) -> zbus::Result<u32>;

    /// The kernel's driver.
    #[zbus(property)]
    fn driver(&self) -> zbus::Result<String>;

    /// See [`crate::words::LinkPolicy`].
    #[zbus(property)]
    fn policy(&self) -> zbus::Result<String>;

    /// Decides what it is used for.
    #[zbus(property)]
    fn set_policy(&self, policy: &str) -> zbus::Result<()>;

    /// The address that stays with the device.
    #[zbus(property)]
    fn hardware_address(&self) -> zbus::Result<String>;

    /// What it is plugged into.
    #[zbus(property)]
    fn bus(&self) -> zbus::Result<String>;

    /// Vendor and product.
    #[zbus(property)]
    fn device_id(&self) -> zbus::Result<String>;

    /// Whether other programs may configure it.
    #[zbus(property)]
    fn managed(&self) -> zbus::Result<bool>;
}

/// Something that takes its time.
#[zbus::proxy(
    interface = "org.stiefelsystem.Stiefel1.Job",
    default_service = "org.stiefelsystem.Stiefel1",
    gen_blocking = false
)]
pub trait Job {
    /// Calls it off.
    #[zbus(allow_interactive_auth)]
    fn cancel(&self) -> zbus::Result<()>;

    /// See [`crate::words::JobKind`].
    #[zbus(property(emits_changed_signal = "const"))]
    fn kind(&self) -> zbus::Result<String>;

    /// See [`crate::words::JobState`].
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;

    /// The pairing that it is about, or `/`.
    #[zbus(property(emits_changed_signal = "const"))]
    fn subject(&self) -> zbus::Result<OwnedObjectPath>;

    /// See [`crate::words::JobPhase`].
    #[zbus(property)]
    fn phase(&self) -> zbus::Result<String>;

    /// Microseconds, or 0.
    #[zbus(property)]
    fn remaining_usec(&self) -> zbus::Result<u64>;

    /// From 0 to 1.
    #[zbus(property)]
    fn progress(&self) -> zbus::Result<f64>;

    /// Why it failed, or empty.
    #[zbus(property)]
    fn detail(&self) -> zbus::Result<String>;
}
