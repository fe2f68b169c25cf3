//! What needs a clock that can be turned.

use super::calls::Fresh;
use super::*;
use crate::request::{Call, Request};
use crate::store::LinkPolicy;
use crate::world::loan::{LenderNow, Loan};
use stiefel_core::preflight::{BatteryWarning, ImageState, Kexec, System};
use tokio::sync::oneshot;

struct Bench {
    daemon: Daemon,
    secs: u64,
    _folder: tempfile::TempDir,
}

fn survey(borrowed: bool) -> Survey {
    let disk = crate::world::disk::Disk {
        identity: stiefel_core::ticket::DiskIdentity {
            wwid: Some("w".into()),
            serial: None,
            gpt: None,
            size: 1,
        },
        model: "M".into(),
    };
    Survey {
        borrowed,
        image: ImageState::Ready,
        kexec: Kexec::Allowed,
        kernel: Ok(()),
        disk: Ok(disk),
        system: System::default(),
        missing_modules: vec![],
    }
}

fn boot(id: &str) -> Boot {
    Boot {
        id: id.into(),
        began_usec: 77,
    }
}

impl Bench {
    fn new(borrowed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            daemon: open(&folder, borrowed, "one"),
            secs: 100,
            _folder: folder,
        }
    }

    fn now(&self) -> Now {
        Now {
            monotonic: Duration::from_secs(self.secs),
            wall_usec: self.secs * 1_000_000,
        }
    }

    fn later(&mut self, secs: u64) {
        self.secs += secs;
        if self
            .daemon
            .alarm()
            .is_some_and(|at| at <= self.now().monotonic)
        {
            self.daemon.tick(self.now());
        }
    }

    fn ask(&mut self, request: Request) {
        let (reply, _) = oneshot::channel();
        let fresh = || Fresh {
            id: [1; 8],
            secret: [2; 32],
        };
        self.daemon.call(Call { request, reply }, self.now(), fresh);
        let answers = self.daemon.take_outbox().replies;
        assert!(
            answers.iter().all(|(_, answer)| answer.is_ok()),
            "{answers:?}"
        );
    }

    fn link(&mut self, up: bool, carrier: bool) {
        let link = Link {
            index: 2,
            name: "lan0".into(),
            mac: stiefel_core::net::MacAddress([2; 6]),
            up,
            carrier,
            speed_mbps: 1000,
            driver: String::new(),
            bus: "pci".into(),
            device_id: String::new(),
        };
        self.daemon
            .happened(Happening::Links(vec![link]), self.now());
    }

    fn announced(&mut self) -> bool {
        let announced = matches!(self.daemon.machine, HandOff::Announced { .. });
        let _ = self.daemon.machine.cancel();
        announced
    }

    fn loan(&mut self, on_mains: bool, warning: BatteryWarning) {
        let loan = Loan {
            lender_now: LenderNow {
                battery_percent: Some(4.0),
                on_mains,
                warning,
                ..LenderNow::default()
            },
            ..Loan::unheard()
        };
        self.daemon
            .happened(Happening::Loan(Box::new(loan)), self.now());
    }

    /// When people at terminals were told that the loan ends, or nothing if it was called off.
    fn told(&mut self) -> Vec<Option<u64>> {
        let orders = self.daemon.take_outbox().orders.into_iter();
        orders
            .filter_map(|order| match order {
                Order::Announce(farewell) => Some(farewell.map(|farewell| farewell.at_usec)),
                Order::Do(..) | Order::Undo(_) | Order::Leave | Order::PowerOff { .. } => None,
            })
            .collect()
    }

    fn power_offs(&mut self) -> usize {
        let orders = self.daemon.take_outbox().orders;
        orders
            .iter()
            .filter(|order| matches!(order, Order::PowerOff { force: true }))
            .count()
    }
}

fn open(folder: &tempfile::TempDir, borrowed: bool, id: &str) -> Daemon {
    let store = Store::open(folder.path().join("state")).unwrap();
    let config = folder.path().join("etc");
    let lender = "laptop".parse().unwrap();
    Daemon::new(lender, config, store, survey(borrowed), boot(id)).unwrap()
}

#[test]
fn a_cable_of_a_built_in_stiefellink_is_a_trigger_when_a_person_plugs_it_in() {
    let mut bench = Bench::new(false);
    bench.link(true, true);
    bench.ask(Request::Pair("desk".parse().unwrap()));
    bench.ask(Request::SetLinkPolicy("lan0".into(), LinkPolicy::Dedicated));
    bench.ask(Request::Arm);
    assert!(
        !bench.announced(),
        "what was plugged in before is no trigger"
    );
    bench.link(true, false);
    bench.later(5);
    bench.link(true, true);
    assert!(!bench.announced(), "it only agreed on another speed");
    bench.link(true, false);
    bench.later(6);
    bench.link(true, false);
    bench.later(6);
    bench.link(true, true);
    assert!(bench.announced());
    bench.link(false, false);
    bench.later(600);
    bench.link(true, false);
    bench.later(4);
    bench.link(true, true);
    assert!(
        !bench.announced(),
        "it was switched on, and found its cable"
    );
    bench.ask(Request::Disarm);
    bench.link(true, false);
    bench.later(60);
    bench.link(true, true);
    assert!(
        !bench.announced(),
        "nobody is answered while it is disarmed"
    );
}

#[test]
fn a_nearly_empty_battery_of_the_lender_ends_the_loan_in_time() {
    let mut bench = Bench::new(true);
    bench.loan(false, BatteryWarning::Low);
    bench.later(600);
    assert_eq!(bench.power_offs(), 0);
    bench.loan(false, BatteryWarning::Critical);
    bench.later(59);
    assert_eq!(bench.power_offs(), 0);
    bench.later(1);
    assert_eq!(bench.power_offs(), 1);
    // One that fails is tried again, but not at once.
    let failed = Err(Trouble("no".into()));
    bench
        .daemon
        .happened(Happening::PoweredOff(failed), bench.now());
    bench.later(1);
    assert_eq!(bench.power_offs(), 0);
    bench.later(60);
    assert_eq!(bench.power_offs(), 1);
}

#[test]
fn a_charger_that_is_plugged_in_keeps_the_loan() {
    let mut bench = Bench::new(true);
    bench.loan(false, BatteryWarning::Critical);
    bench.later(30);
    bench.loan(true, BatteryWarning::None);
    bench.later(600);
    assert_eq!(bench.power_offs(), 0);
}

#[test]
fn people_at_terminals_are_told_once_of_each_end() {
    let mut bench = Bench::new(true);
    bench.loan(false, BatteryWarning::Low);
    assert_eq!(bench.told(), []);
    bench.loan(false, BatteryWarning::Critical);
    assert_eq!(bench.told(), [Some(160_000_000)]);
    bench.later(30);
    bench.loan(false, BatteryWarning::Critical);
    assert_eq!(bench.told(), []);
    bench.loan(true, BatteryWarning::None);
    assert_eq!(bench.told(), [None]);
    bench.loan(false, BatteryWarning::Critical);
    assert_eq!(bench.told(), [Some(190_000_000)]);
    bench.later(60);
    bench.loan(false, BatteryWarning::Critical);
    assert_eq!(bench.told(), [], "what is under way is not called off");
    let failed = Err(Trouble("no".into()));
    let failed = Happening::PoweredOff(failed);
    bench.daemon.happened(failed, bench.now());
    assert_eq!(bench.told(), [Some(250_000_000)]);
}

#[test]
fn a_lender_that_is_about_to_switch_itself_off_is_not_kept_waiting() {
    let mut bench = Bench::new(true);
    bench.loan(false, BatteryWarning::Critical);
    bench.later(5);
    bench.loan(false, BatteryWarning::Action);
    bench.later(0);
    assert_eq!(bench.power_offs(), 1);
}

#[test]
fn a_loan_is_over_in_another_boot_of_our_own_machine() {
    let mut bench = Bench::new(false);
    bench.ask(Request::Pair("desk".parse().unwrap()));
    bench.daemon.remember_loan(bench.now());
    let left = bench.now().wall_usec;
    let over = |daemon: Daemon| daemon.last_loan_view().map(|(_, left, back)| (left, back));
    let folder = &bench._folder;
    assert_eq!(
        over(open(folder, false, "one")),
        Some((left, 0)),
        "it has not left yet"
    );
    assert_eq!(
        over(open(folder, true, "two")),
        Some((left, 0)),
        "it runs at the borrower"
    );
    assert_eq!(over(open(folder, false, "three")), Some((left, 77)));
    assert_eq!(
        over(open(folder, false, "four")),
        Some((left, 77)),
        "it is remembered"
    );
}
