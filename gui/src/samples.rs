//! Pictures of each state, for tests: a laptop called Laptop, a desktop called
//! Workstation.

use crate::picture::{
    Blocker, Check, Daemon, Disk, HandOff, LastLoan, Link, Loan, Machine, Moving, Pairing, Picture,
};
use stiefel_dbus::words::{
    AtDeadline, BatteryWarning, Cable, DiskHealth, Ending, ImageState, LinkPolicy, LinkState,
    LoanState, PairingPolicy, Presence, Reason, Remedy, Role, State, Step, Trigger, Verdict,
};

pub const WORKSTATION: &str = "/org/stiefelsystem/Stiefel1/pairings/0123456789abcdef";
/// 2026-11-20 10:00 UTC.
pub const NOW_USEC: u64 = 1_795_168_800_000_000;
pub const MINUTE_USEC: u64 = 60_000_000;

/// All is well, and there is no pairing yet.
pub fn alone() -> Picture {
    Picture {
        daemon: Daemon::Here,
        machine: Machine {
            version: "0.1.0".into(),
            name: "Laptop".into(),
            role: Role::Lender,
            image: ImageState::Ready,
            disk: Some(Disk {
                model: "Simulated Disk".into(),
                size: 512_110_190_592,
                id: "simulated.0".into(),
            }),
            battery: Some(81.4),
            ..Machine::default()
        },
        links: vec![Link {
            path: "/org/stiefelsystem/Stiefel1/links/enp0s20f0u1".into(),
            interface: "enp0s20f0u1".into(),
            state: LinkState::Up,
            speed_mbps: 2500,
            driver: "r8152".into(),
            bus: "usb".into(),
            policy: LinkPolicy::Shared,
            managed: true,
        }],
        ..Picture::default()
    }
}

/// The disk can be lent to a desktop that is away.
pub fn ready() -> Picture {
    Picture {
        pairings: vec![Pairing {
            path: WORKSTATION.into(),
            name: "Workstation".into(),
            policy: PairingPolicy::Ask,
            presence: Presence::Away,
            last_seen_usec: 0,
            last_loan_usec: 0,
            last_stick_usec: NOW_USEC,
        }],
        ..alone()
    }
}

pub fn armed() -> Picture {
    let mut picture = ready();
    picture.machine.armed = true;
    picture
}

/// Something has to be mended first.
pub fn unfit() -> Picture {
    let mut picture = ready();
    picture.machine.checks.push(Check {
        subject: "image".into(),
        verdict: Verdict::Block,
        text: "there is no ramdisk".into(),
        hint: "make one".into(),
        remedy: Remedy::UpdateImage,
    });
    picture
}

fn leaving_by(state: State) -> Picture {
    Picture {
        handoff: HandOff {
            state,
            borrower: WORKSTATION.into(),
            trigger: Trigger::Search,
            ..HandOff::default()
        },
        ..armed()
    }
}

/// The desktop asks, and somebody has to say yes.
pub fn announced() -> Picture {
    let mut picture = leaving_by(State::Announced);
    picture.handoff.deadline_usec = 30_000_000;
    picture.handoff.countdown_usec = 30_000_000;
    picture.handoff.at_deadline = AtDeadline::CallOff;
    picture
}

/// The desktop asks, and it could not be.
pub fn in_the_way() -> Picture {
    let mut picture = announced();
    picture.handoff.blockers.push(Blocker {
        subject: "inhibitor".into(),
        text: "apt forbids to shut down".into(),
        hint: "wait for it".into(),
    });
    picture
}

pub fn preparing() -> Picture {
    let mut picture = leaving_by(State::Preparing);
    picture.handoff.step = Step::CheckImage;
    picture
}

pub fn leaving() -> Picture {
    leaving_by(State::Leaving)
}

pub fn reverting() -> Picture {
    leaving_by(State::Reverting)
}

/// A hand-off has ended by itself.
pub fn ended(reason: Reason, detail: &str) -> Picture {
    let mut picture = leaving_by(State::Idle);
    picture.handoff.reason = reason;
    picture.handoff.detail = detail.into();
    picture
}

/// The disk was lent for an hour, and has been back for a minute.
pub fn given_back() -> Picture {
    let mut picture = ready();
    picture.machine.last_loan = Some(LastLoan {
        borrower: WORKSTATION.into(),
        left_usec: NOW_USEC - 61 * MINUTE_USEC,
        back_usec: NOW_USEC - MINUTE_USEC,
    });
    picture
}

fn loan(state: LoanState) -> Picture {
    let mut picture = alone();
    picture.machine.role = Role::Borrower;
    picture.machine.name = "Workstation".into();
    picture.loan = Some(Loan {
        state,
        detail: String::new(),
        lender: "Laptop".into(),
        since_usec: NOW_USEC - 60 * MINUTE_USEC,
        frozen_since_usec: 0,
        frozen_until_usec: 0,
        cable: Cable::Connected,
        link_speed_mbps: 2500,
        moving: Moving::default(),
        battery: Some(81.4),
        on_ac: true,
        warning: BatteryWarning::None,
        time_to_empty_usec: 0,
        temperature: None,
        disk_health: DiskHealth::Good,
        disk_detail: String::new(),
        disk_temperature: None,
        warnings: vec![],
        ending: Ending::None,
        ends_usec: 0,
    });
    picture
}

/// Runs from the laptop's disk.
pub fn held() -> Picture {
    loan(LoanState::Held)
}

/// The laptop's charger is out, and its battery at `percent`.
pub fn on_battery(percent: f64, warning: BatteryWarning) -> Picture {
    let mut picture = held();
    if let Some(loan) = &mut picture.loan {
        loan.on_ac = false;
        loan.battery = Some(percent);
        loan.warning = warning;
    }
    picture
}

pub fn frozen() -> Picture {
    let mut picture = loan(LoanState::Frozen);
    if let Some(loan) = &mut picture.loan {
        loan.cable = Cable::Unplugged;
        loan.frozen_since_usec = NOW_USEC;
    }
    picture
}

pub fn closing() -> Picture {
    loan(LoanState::Closing)
}

pub fn lost() -> Picture {
    loan(LoanState::Lost)
}

/// A daemon that is newer than we are says only words that we do not know.
pub fn odd() -> Picture {
    let mut picture = ready();
    picture.machine.image = "folded".into();
    picture.machine.warning = "hungry".into();
    picture.handoff.state = "dreaming".into();
    picture.handoff.reason = "tired".into();
    picture.pairings[0].policy = "sometimes".into();
    picture.pairings[0].presence = "near".into();
    picture
}
