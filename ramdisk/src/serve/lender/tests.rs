//! What the lender does with what it is told, without a network.

use super::*;
use crate::serve::outlook::{POWER_KEY, Said};
use std::sync::mpsc::sync_channel;
use stiefel_core::battery::Level;
use stiefel_core::control::{RENEWS, RESTARTS, Release};
use stiefel_core::loan::Outcome;
use stiefel_core::secret::Secret;
use stiefel_core::ticket::{DiskIdentity, Limits};
use stiefel_linux::power::Power;
use stiefel_server::disk::Access;

fn borrower() -> PairingId {
    PairingId::from_bytes([1; 8])
}

struct Bench {
    lender: Lender,
    _image: tempfile::NamedTempFile,
    _at_gate: mpsc::Receiver<AtGate>,
}

impl Bench {
    fn new() -> Self {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(1 << 20).unwrap();
        let disk = Disk::open(image.path(), Access::ReadWrite).unwrap();
        let found = stiefel_linux::block::Disk {
            name: "sda".into(),
            identity: DiskIdentity {
                size: 1 << 20,
                ..DiskIdentity::default()
            },
            logical_block: 512,
            model: None,
            removable: false,
            read_only: false,
        };
        let ticket = ServeTicket {
            lender: "laptop".parse().unwrap(),
            pairings: vec![Pairing {
                id: borrower(),
                name: "desk".parse().unwrap(),
                secret: Secret::from_bytes([2; 32]),
                policy: Default::default(),
            }],
            promised_to: None,
            disk: found.identity.clone(),
            cmdline: String::new(),
            links: vec![],
            limits: Limits::default(),
        };
        let (to_gate, at_gate) = mpsc::channel(1);
        Self {
            lender: Lender::new(ticket, disk, found, to_gate),
            _image: image,
            _at_gate: at_gate,
        }
    }

    /// The borrower fetches and attaches; returns its epoch.
    fn held() -> (Self, u64) {
        let mut bench = Self::new();
        let limits = bench.lender.ticket.limits;
        let epoch = bench.lender.loan.grant(borrower(), limits, now()).unwrap();
        bench.lender.epoch = epoch;
        bench.open(epoch).unwrap();
        (bench, epoch)
    }

    fn open(&mut self, epoch: u64) -> Result<(), Denied> {
        let (reply, decision) = sync_channel(1);
        self.lender.at_gate(AtGate::Open { epoch, reply });
        decision.recv().unwrap()
    }

    fn release(
        &mut self,
        epoch: u64,
        verb: &str,
    ) -> (Next, oneshot::Receiver<Result<Released, Refused>>) {
        let (reply, answer) = oneshot::channel();
        let verb = verb.into();
        let release = Release { epoch, verb };
        let next = self.lender.commanded(Command::Release { release, reply });
        (next, answer)
    }

    /// The battery says so for long enough to be believed.
    fn battery(&mut self, percent: f64) -> Next {
        let power = Power {
            battery_percent: Some(percent),
            on_mains: false,
            charging: false,
            discharging: true,
            empty_in_secs: 0,
        };
        let before = now() - std::time::Duration::from_secs(10);
        self.lender.gauged(power, before);
        self.lender.gauged(power, now())
    }
}

#[test]
fn who_restarts_is_answered_when_all_is_written_and_comes_back() {
    let (mut bench, epoch) = Bench::held();
    bench.lender.at_gate(AtGate::Closed);
    let (next, mut answer) = bench.release(epoch, RESTARTS);
    assert!(matches!(next, Next::Sync(_)));
    assert!(answer.try_recv().is_err(), "nothing is written yet");
    assert!(matches!(bench.lender.synced(Ok(())), Next::Wait));
    assert_eq!(answer.try_recv().unwrap(), Ok(Released { epoch }));
    // Its answer was lost: it asks again.
    let (next, mut answer) = bench.release(epoch, RESTARTS);
    assert!(matches!(next, Next::Wait));
    assert_eq!(answer.try_recv().unwrap(), Ok(Released { epoch }));
    assert!(bench.open(epoch).is_err(), "its old self is fenced");
    let limits = bench.lender.ticket.limits;
    let again = bench.lender.loan.grant(borrower(), limits, now()).unwrap();
    assert!(bench.open(again).is_ok());
    assert_eq!(bench.lender.take_alarms(), [], "nobody was missed");
}

#[test]
fn who_needs_another_bundle_ends_the_loan() {
    let (mut bench, epoch) = Bench::held();
    bench.lender.at_gate(AtGate::Closed);
    bench.release(epoch, RENEWS);
    let next = bench.lender.synced(Ok(()));
    assert!(matches!(next, Next::GoHome(Way::Home)));
    assert_eq!(bench.lender.take_alarms(), [Alarm::Over(Outcome::Returned)]);
}

#[test]
fn the_power_key_asks_who_has_the_disk_and_goes_home_where_nobody_has() {
    let (mut bench, _) = Bench::held();
    assert!(matches!(bench.lender.told(POWER_KEY), Next::Wait));
    assert_eq!(bench.lender.take_alarms(), [Alarm::AskedBack]);
    let asked = bench.lender.status().asked_back_secs.unwrap();
    assert!((1..=60).contains(&asked), "{asked}");
    bench.lender.told(POWER_KEY);
    assert_eq!(bench.lender.take_alarms(), [], "once is enough");
    bench.lender.told(Said::CallOff);
    assert_eq!(bench.lender.status().asked_back_secs, None);

    let mut nobody = Bench::new();
    assert!(matches!(nobody.lender.told(POWER_KEY), Next::Sync(_)));
}

#[test]
fn a_borrower_that_vanishes_is_missed_until_it_is_back() {
    let (mut bench, epoch) = Bench::held();
    bench.lender.at_gate(AtGate::Closed);
    let missing = bench.lender.missing.as_mut().unwrap();
    missing.next = now();
    assert!(matches!(bench.lender.look_at_clock(), Next::Wait));
    assert!(matches!(
        bench.lender.take_alarms()[..],
        [Alarm::Missing { .. }]
    ));
    assert!(bench.lender.deadline().is_some(), "people are reminded");
    bench.open(epoch).unwrap();
    assert!(bench.lender.deadline().is_none());
}

#[test]
fn an_empty_battery_asks_takes_and_switches_off() {
    let (mut bench, _) = Bench::held();
    assert!(matches!(bench.battery(5.0), Next::Wait));
    assert_eq!(bench.lender.status().battery_level, Level::Critical);
    assert_eq!(bench.lender.status().asked_back_secs, None);
    bench.battery(3.0);
    assert_eq!(bench.lender.status().asked_back_secs, Some(1));
    // It does not answer any more.
    bench.lender.at_gate(AtGate::Closed);
    let later = bench.lender.loan.deadline().unwrap();
    let next = bench.lender.happened(Event::Tick { now: later });
    assert!(matches!(next, Next::Sync(_)));
    let next = bench.lender.synced(Ok(()));
    assert!(matches!(next, Next::GoHome(Way::Off)));
}

#[test]
fn who_gives_back_to_an_almost_empty_lender_does_not_start_it() {
    let (mut bench, epoch) = Bench::held();
    bench.battery(4.0);
    bench.lender.at_gate(AtGate::Closed);
    bench.release(epoch, "poweroff");
    let next = bench.lender.synced(Ok(()));
    assert!(matches!(next, Next::GoHome(Way::Off)));
}
