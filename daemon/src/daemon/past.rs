//! What we remember of loans that are over.

use super::{Daemon, Now};
use crate::store::LastLoan;
use stiefel_core::handoff::Borrower;
use stiefel_core::pairing::PairingId;

impl Daemon {
    /// The machine leaves its system.
    pub(super) fn remember_loan(&mut self, now: Now) {
        let borrower = match self.machine.borrower() {
            Some(Borrower::Pairing(pairing)) => Some(pairing),
            Some(Borrower::Any) | None => None,
        };
        self.lent(LastLoan {
            borrower,
            left_usec: now.wall_usec,
            boot: self.boot.id.clone(),
            back_usec: 0,
        });
    }

    /// This is the last loan.
    pub(super) fn lent(&mut self, loan: LastLoan) {
        if let Some(pairing) = loan.borrower {
            self.note(pairing, |record| record.last_loan_usec = loan.left_usec);
        }
        self.last_loan = Some(loan);
        self.save_last_loan();
    }

    /// A boot medium was made.
    pub(super) fn note_stick(&mut self, pairing: PairingId, now: Now) {
        self.note(pairing, |record| record.last_stick_usec = now.wall_usec);
    }

    /// In another boot than the one that we left, on our own machine: the disk is back.
    pub(super) fn note_return(&mut self) {
        let left = |loan: &LastLoan| loan.back_usec == 0 && loan.boot != self.boot.id;
        if !self.survey.borrowed && self.last_loan.as_ref().is_some_and(left) {
            self.came_back(self.boot.began_usec);
        }
    }

    fn came_back(&mut self, usec: u64) {
        if let Some(loan) = &mut self.last_loan {
            loan.back_usec = usec;
            self.save_last_loan();
        }
    }

    /// For whom, when, and until when.
    pub(super) fn last_loan_view(&self) -> Option<(Borrower, u64, u64)> {
        let loan = self.last_loan.as_ref()?;
        let borrower = loan.borrower.map_or(Borrower::Any, Borrower::Pairing);
        Some((borrower, loan.left_usec, loan.back_usec))
    }

    fn save_last_loan(&self) {
        if let Some(loan) = &self.last_loan
            && let Err(error) = self.store.save_last_loan(loan)
        {
            tracing::warn!("{error}");
        }
    }

    fn note(&mut self, pairing: PairingId, change: impl FnOnce(&mut crate::store::Record)) {
        if let Some(record) = self.records.get_mut(&pairing) {
            change(record);
            if let Err(error) = self.store.save(record) {
                tracing::warn!("{error}");
            }
        }
    }
}
