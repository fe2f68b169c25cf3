//! What people ask for.

use super::{Daemon, Now, Trigger};
use crate::foregone::foregone;
use crate::request::{Answer, Call, Refused, Request};
use crate::store::Record;
use crate::world;
use stiefel_core::handoff::{Borrower, HandOff, Refusal, Silence};
use stiefel_core::pairing::{Name, Pairing, PairingId, Policy};
use stiefel_core::secret::Secret;

/// Random bytes for a new pairing; drawn by the caller, since this part reads no devices.
pub struct Fresh {
    /// For the id.
    pub id: [u8; 8],
    /// For the secret.
    pub secret: [u8; 32],
}

impl Daemon {
    /// Does what somebody asked for, or refuses. `fresh` is for a new pairing.
    pub fn call(&mut self, call: Call, now: Now, fresh: impl FnOnce() -> Fresh) {
        let Call { request, reply } = call;
        self.used(now);
        if matches!(request, Request::Refresh) {
            self.refresh(Some(reply));
            return;
        }
        if let Request::GiveBack { force } = request {
            self.give_back(force, reply);
            return;
        }
        let result = self.answer(request, now, fresh);
        self.note_the_end();
        self.outbox.replies.push((reply, result));
    }

    fn answer(
        &mut self,
        request: Request,
        now: Now,
        fresh: impl FnOnce() -> Fresh,
    ) -> Result<Answer, Refused> {
        // Much may have happened while polkit was asked.
        if let Some(answer) = foregone(&self.view(), &request) {
            return answer;
        }
        match request {
            Request::Arm => self.set_armed(true, now),
            Request::Disarm => self.set_armed(false, now),
            Request::Pair(name) => self.pair(name, fresh()),
            // Answered by `call`.
            Request::Refresh | Request::GiveBack { .. } => Ok(Answer::Done),
            Request::UpdateImage => self.update_image(),
            Request::StopJob(job) => self.stop_job(job),
            Request::Begin(borrower) => self.begin(borrower, now),
            Request::Confirm => {
                let effect = self.machine.confirm()?;
                self.obey(effect, now);
                Ok(Answer::Done)
            }
            Request::Cancel => self.cancel(now),
            Request::Rename(pairing, name) => {
                self.change(pairing, |record| record.pairing.name = name)
            }
            Request::SetPolicy(pairing, policy) => self.set_policy(pairing, policy, now),
            Request::ExportTicket(pairing) => {
                let record = self.records.get(&pairing).ok_or(Refused::NotPaired)?;
                let ticket = world::stick_ticket(record.pairing.clone(), self.lender.clone())?;
                self.note_stick(pairing, now);
                Ok(Answer::Ticket(ticket))
            }
            Request::Forget(pairing) => self.forget(pairing, now),
            Request::SetLinkPolicy(name, policy) => self.set_link_policy(&name, policy),
            Request::WriteStick(pairing, medium) => self.write_stick(pairing, medium),
            Request::Set(setting) => self.set(setting),
            Request::ResetSettings => self.reset_settings(),
            Request::Subscribe(name) => self.subscribe(name),
            Request::Unsubscribe(name) => {
                self.loan.unsubscribe(&name);
                Ok(Answer::Done)
            }
        }
    }

    fn set_armed(&mut self, armed: bool, now: Now) -> Result<Answer, Refused> {
        self.store.set_armed(armed)?;
        self.armed = armed;
        self.declined.clear();
        match self.trigger {
            Trigger::Search(_) | Trigger::Plug if !armed => {
                // Once the reboot was ordered, disarming is for the next time.
                match self.cancel(now) {
                    Ok(_) | Err(Refused::HandOff(Refusal::TooLate)) => {}
                    Err(refused) => return Err(refused),
                }
                self.declined.clear();
            }
            Trigger::Search(_) | Trigger::Plug | Trigger::Person => {}
        }
        Ok(Answer::Done)
    }

    fn pair(&mut self, name: Name, fresh: Fresh) -> Result<Answer, Refused> {
        let id = PairingId::from_bytes(fresh.id);
        let record = Record {
            pairing: Pairing {
                id,
                name,
                secret: Secret::from_bytes(fresh.secret),
                policy: Policy::default(),
            },
            last_seen_usec: 0,
            last_loan_usec: 0,
            last_stick_usec: 0,
        };
        self.store.save(&record)?;
        self.records.insert(id, record);
        Ok(Answer::Paired(id))
    }

    fn begin(&mut self, borrower: Borrower, now: Now) -> Result<Answer, Refused> {
        if self.ending {
            return Err(Refused::Blocked("the daemon is about to end".into()));
        }
        self.trigger = Trigger::Person;
        self.countdown = self.config.countdown;
        let deadline = now.monotonic + self.countdown;
        let effect = self.machine.ask(borrower, deadline, Silence::GoesAhead)?;
        if let Borrower::Pairing(pairing) = borrower {
            self.declined.remove(&pairing);
        }
        self.begun(Some(effect), now);
        Ok(Answer::Done)
    }

    fn cancel(&mut self, now: Now) -> Result<Answer, Refused> {
        let going_on = match self.machine {
            HandOff::Announced { .. } | HandOff::Preparing { .. } => true,
            HandOff::Idle { .. } | HandOff::Leaving { .. } | HandOff::Reverting { .. } => false,
        };
        self.machine.cancel()?;
        if going_on {
            self.detail = "Somebody at this machine called it off".into();
            self.decline(now);
        }
        Ok(Answer::Done)
    }

    fn set_policy(
        &mut self,
        pairing: PairingId,
        policy: Policy,
        now: Now,
    ) -> Result<Answer, Refused> {
        self.change(pairing, |record| record.pairing.policy = policy)?;
        // What was announced under the old policy is none of the new one.
        let announced = matches!(self.machine, HandOff::Announced { .. });
        if announced && self.trigger == Trigger::Search(pairing) {
            self.cancel(now)?;
            self.declined.remove(&pairing);
        }
        Ok(Answer::Done)
    }

    fn change(
        &mut self,
        pairing: PairingId,
        change: impl FnOnce(&mut Record),
    ) -> Result<Answer, Refused> {
        let record = self.records.get_mut(&pairing).ok_or(Refused::NotPaired)?;
        let mut changed = record.clone();
        change(&mut changed);
        self.store.save(&changed)?;
        *record = changed;
        Ok(Answer::Done)
    }

    fn forget(&mut self, pairing: PairingId, now: Now) -> Result<Answer, Refused> {
        let concerned = match self.machine.borrower() {
            Some(Borrower::Pairing(borrower)) => borrower == pairing,
            // Its secret is in the ticket, too.
            Some(Borrower::Any) => true,
            None => false,
        };
        if concerned {
            self.cancel(now)?;
        }
        self.store.forget(pairing)?;
        self.records.remove(&pairing);
        self.heard.remove(&pairing);
        self.outdated.remove(&pairing);
        self.declined.remove(&pairing);
        Ok(Answer::Done)
    }
}
