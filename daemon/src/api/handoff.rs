//! The hand-off.

use super::{BusError, Desk, no_options};
use crate::request::{Refused, Request};
use std::collections::HashMap;
use stiefel_core::handoff::{Borrower, Step};
use stiefel_dbus::names;
use zbus::message::Header;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue};

/// `org.stiefelsystem.Stiefel1.HandOff`
pub struct HandOff(pub Desk);

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.HandOff")]
impl HandOff {
    async fn begin(
        &self,
        borrower: ObjectPath<'_>,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), BusError> {
        no_options(&options)?;
        let borrower = borrower_at(borrower.as_str()).ok_or(Refused::NotPaired)?;
        self.0.do_it(Request::Begin(borrower), &header).await
    }

    async fn confirm(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.0.do_it(Request::Confirm, &header).await
    }

    async fn cancel(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.0.do_it(Request::Cancel, &header).await
    }

    #[zbus(property)]
    fn state(&self) -> String {
        self.0.view().handoff.state.to_string()
    }

    #[zbus(property)]
    fn reason(&self) -> String {
        self.0.view().handoff.reason.to_string()
    }

    #[zbus(property)]
    fn detail(&self) -> String {
        self.0.view().handoff.detail.clone()
    }

    #[zbus(property)]
    fn borrower(&self) -> OwnedObjectPath {
        path_of(self.0.view().handoff.borrower)
    }

    #[zbus(property)]
    fn trigger(&self) -> String {
        self.0.view().handoff.trigger.to_string()
    }

    #[zbus(property)]
    fn countdown_usec(&self) -> u64 {
        self.0.view().handoff.countdown_usec
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn steps(&self) -> Vec<String> {
        let word = |step| crate::view::step(step).to_string();
        Step::ORDER.map(word).to_vec()
    }

    #[zbus(property)]
    fn deadline_usec(&self) -> u64 {
        self.0.view().handoff.deadline_usec
    }

    #[zbus(property)]
    fn at_deadline(&self) -> String {
        self.0.view().handoff.at_deadline.to_string()
    }

    #[zbus(property)]
    fn step(&self) -> String {
        self.0.view().handoff.step.to_string()
    }

    #[zbus(property)]
    fn blockers(&self) -> Vec<(String, String, String)> {
        let view = self.0.view();
        let row = |blocker: &stiefel_core::preflight::Finding| {
            (
                blocker.subject.to_string(),
                blocker.text.clone(),
                blocker.hint.clone(),
            )
        };
        view.handoff.blockers.iter().map(row).collect()
    }
}

/// Where a borrower is on the bus.
pub(super) fn path_of(borrower: Option<Borrower>) -> OwnedObjectPath {
    let path = match borrower {
        None => "/".to_owned(),
        Some(Borrower::Any) => names::PAIRINGS.to_owned(),
        Some(Borrower::Pairing(id)) => names::pairing_path(&id.to_string()),
    };
    ObjectPath::from_string_unchecked(path).into()
}

fn borrower_at(path: &str) -> Option<Borrower> {
    if path == names::PAIRINGS {
        return Some(Borrower::Any);
    }
    let id = path.strip_prefix(names::PAIRINGS)?.strip_prefix('/')?;
    id.parse().ok().map(Borrower::Pairing)
}
