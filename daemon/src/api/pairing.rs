//! A pairing.

use super::{BusError, Desk};
use crate::request::{Answer, Request};
use crate::view::PairingView;
use stiefel_core::pairing::PairingId;
use zbus::fdo;
use zbus::message::Header;
use zbus::zvariant::OwnedFd;

/// `org.stiefelsystem.Stiefel1.Pairing`
pub struct Pairing {
    pub desk: Desk,
    pub id: PairingId,
}

impl Pairing {
    /// It may have been forgotten while the call was on its way.
    fn view(&self) -> fdo::Result<PairingView> {
        let view = self.desk.view();
        let found = view.pairings.get(&self.id).cloned();
        found.ok_or_else(|| fdo::Error::UnknownObject("there is no such pairing any more".into()))
    }

    async fn set(&self, request: Request, header: Option<Header<'_>>) -> fdo::Result<()> {
        let Some(header) = header else {
            return Err(fdo::Error::AccessDenied("nobody asked for this".into()));
        };
        Ok(self.desk.do_it(request, &header).await?)
    }
}

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Pairing")]
impl Pairing {
    #[zbus(out_args("ticket"))]
    async fn export_ticket(&self, #[zbus(header)] header: Header<'_>) -> Result<OwnedFd, BusError> {
        let request = Request::ExportTicket(self.id);
        match self.desk.ask(request, &header).await? {
            Answer::Ticket(ticket) => Ok(ticket.into()),
            Answer::Done | Answer::Begun(_) | Answer::Paired(_) => Err(BusError::wrong_answer()),
        }
    }

    async fn forget(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.desk.do_it(Request::Forget(self.id), &header).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn id(&self) -> String {
        self.id.to_string()
    }

    #[zbus(property)]
    fn name(&self) -> fdo::Result<String> {
        Ok(self.view()?.name)
    }

    #[zbus(property)]
    async fn set_name(
        &self,
        name: String,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        let name = name.parse().map_err(BusError::invalid)?;
        self.set(Request::Rename(self.id, name), header).await
    }

    #[zbus(property)]
    fn policy(&self) -> fdo::Result<String> {
        Ok(self.view()?.policy.to_string())
    }

    #[zbus(property)]
    async fn set_policy(
        &self,
        policy: String,
        #[zbus(header)] header: Option<Header<'_>>,
    ) -> fdo::Result<()> {
        let policy = crate::config::words::policy(&policy).map_err(BusError::invalid)?;
        self.set(Request::SetPolicy(self.id, policy), header).await
    }

    #[zbus(property)]
    fn presence(&self) -> fdo::Result<String> {
        Ok(self.view()?.presence.to_string())
    }

    #[zbus(property)]
    fn last_seen_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.last_seen_usec)
    }

    #[zbus(property)]
    fn last_loan_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.last_loan_usec)
    }

    #[zbus(property)]
    fn last_stick_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.last_stick_usec)
    }
}
