//! How the state looks from outside: on the bus, and to those who search.

use super::{Daemon, Now, Trigger};
use crate::view::{self, PairingView, PowerView, View};
use crate::world::searches::Audience;
use std::collections::BTreeMap;
use stiefel_core::discovery::Standing;
use stiefel_core::handoff::{Borrower, HandOff};
use stiefel_core::pairing::{PairingId, Policy};
use stiefel_core::preflight::{self, Facts, Finding, ImageState, Inhibitor, Power, Verdict};
use stiefel_dbus::words;

impl Daemon {
    /// What the bus shows.
    #[must_use]
    pub fn view(&self) -> View {
        let checks = preflight::examine(&self.facts());
        let mut handoff = view::handoff(&self.machine);
        // A reopened question says why.
        let announced = handoff.state == words::State::Announced;
        if announced || handoff.reason != words::Reason::None {
            handoff.detail.clone_from(&self.detail);
        }
        handoff.blockers = blocking(&checks);
        if self.triggered {
            handoff.trigger = match self.trigger {
                Trigger::Person => words::Trigger::Person,
                Trigger::Search(_) => words::Trigger::Search,
                Trigger::Plug => words::Trigger::Plug,
            };
        }
        if announced {
            let usec = u64::try_from(self.countdown.as_micros());
            handoff.countdown_usec = usec.unwrap_or(u64::MAX);
        }
        View {
            name: self.lender.to_string(),
            role: match self.survey.borrowed {
                true => words::Role::Borrower,
                false => words::Role::Lender,
            },
            armed: self.is_armed(),
            image: view::image(self.image()),
            disk: match &self.survey.disk {
                Ok(disk) => (disk.model.clone(), disk.identity.size, disk.id().to_owned()),
                Err(_) => Default::default(),
            },
            power: PowerView {
                battery: self.power.battery_percent.unwrap_or(-1.0),
                on_ac: self.power.on_mains,
                warning: view::battery_warning(self.power.warning),
                empty_in_secs: self.power.empty_in_secs,
            },
            last_loan: self.last_loan_view(),
            checks,
            handoff,
            pairings: self.pairings(),
            links: self.links_by_name(),
            drives: self.drives_by_name(),
            jobs: self.jobs_by_number(),
            settings: self.settings_view(),
            loan: self.loan_view(),
        }
    }

    /// Who is answered, and what; `None` while nobody is.
    #[must_use]
    pub fn audience(&self, now: Now) -> Option<Audience> {
        if !self.is_armed() || self.records.is_empty() {
            return None;
        }
        let (standing, special) = self.standings(now);
        Some(Audience {
            lender: self.lender.clone(),
            pairings: self
                .records
                .values()
                .map(|record| record.pairing.clone())
                .filter(|pairing| pairing.policy != Policy::Never)
                .collect(),
            standing,
            special,
            ignored: self.ignored(),
        })
    }

    pub(super) fn blockers(&self) -> Vec<Finding> {
        blocking(&preflight::examine(&self.facts()))
    }

    /// How we stand to everybody, and to some.
    fn standings(&self, now: Now) -> (Standing, BTreeMap<PairingId, Standing>) {
        let mut special: BTreeMap<_, _> = self
            .declined
            .keys()
            .map(|pairing| (*pairing, Standing::Declined))
            .collect();
        let chosen = match self.machine {
            HandOff::Idle { .. } if self.blockers().is_empty() => {
                return (Standing::Asleep, special);
            }
            HandOff::Idle { .. } | HandOff::Reverting { .. } => {
                return (Standing::Declined, special);
            }
            HandOff::Announced { deadline, .. } => {
                let left = deadline.saturating_sub(now.monotonic).as_secs_f64().ceil();
                Standing::Announced {
                    // A float that is too large becomes the largest number.
                    seconds: left as u16,
                }
            }
            HandOff::Preparing { .. } | HandOff::Leaving { .. } => Standing::Leaving,
        };
        match self.machine.borrower() {
            Some(Borrower::Pairing(pairing)) => {
                special.insert(pairing, chosen);
                let name = self.records.get(&pairing).map(|r| r.pairing.name.clone());
                let others = match name {
                    Some(to) => Standing::Lent { to },
                    None => Standing::Declined,
                };
                (others, special)
            }
            Some(Borrower::Any) | None => (chosen, special),
        }
    }

    fn image(&self) -> ImageState {
        match self.being_made() {
            (true, _) => ImageState::Building,
            (false, _) => self.survey.image,
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            image: self.image(),
            kexec: self.survey.kexec,
            kernel: self.survey.kernel.clone(),
            disk: match &self.survey.disk {
                Ok(disk) => Ok(disk.model.clone()),
                Err(why) => Err(why.clone()),
            },
            paired: !self.records.is_empty(),
            missing_drivers: self.missing_drivers(),
            system: self.survey.system.clone(),
            link: {
                let idle = matches!(self.machine, HandOff::Idle { .. });
                self.link_fact(self.trigger == Trigger::Plug && !idle)
            },
            power: Power {
                battery_percent: self.power.battery_percent,
                on_mains: self.power.on_mains,
                warning: self.power.warning,
                on_battery: self.config.on_battery,
                threshold_percent: self.config.battery_percent,
            },
            users: self.users.clone(),
            inhibitors: self.all_inhibitors(),
            mistakes: [&self.config_mistakes[..], &self.store_mistakes[..]].concat(),
        }
    }

    /// Everybody who forbids to leave, ourselves included.
    fn all_inhibitors(&self) -> Vec<Inhibitor> {
        let mut all = self.inhibitors.clone();
        if let (_, true) = self.being_made() {
            all.push(Inhibitor {
                who: "Stiefelsystem".into(),
                why: "a stick is being made".into(),
            });
        }
        all
    }

    fn pairings(&self) -> BTreeMap<PairingId, PairingView> {
        self.records
            .iter()
            .map(|(id, record)| {
                let view = PairingView {
                    name: record.pairing.name.to_string(),
                    policy: view::policy(record.pairing.policy),
                    presence: match self.heard.contains_key(id) {
                        true => words::Presence::Searching,
                        false if self.outdated.contains_key(id) => words::Presence::Outdated,
                        false => words::Presence::Away,
                    },
                    last_seen_usec: record.last_seen_usec,
                    last_loan_usec: record.last_loan_usec,
                    last_stick_usec: record.last_stick_usec,
                };
                (*id, view)
            })
            .collect()
    }
}

fn blocking(checks: &[Finding]) -> Vec<Finding> {
    checks
        .iter()
        .filter(|finding| finding.verdict == Verdict::Block)
        .cloned()
        .collect()
}
