//! A job.

use super::handoff::path_of;
use super::{BusError, Desk};
use crate::request::Request;
use crate::view::JobView;
use stiefel_core::handoff::Borrower;
use zbus::fdo;
use zbus::message::Header;
use zbus::zvariant::OwnedObjectPath;

/// `org.stiefelsystem.Stiefel1.Job`
pub struct Job {
    pub desk: Desk,
    pub number: u32,
}

impl Job {
    /// It may have been forgotten while the call was on its way.
    fn view(&self) -> fdo::Result<JobView> {
        let view = self.desk.view();
        let found = view.jobs.get(&self.number).cloned();
        found.ok_or_else(|| fdo::Error::UnknownObject("there is no such job any more".into()))
    }
}

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Job")]
impl Job {
    async fn cancel(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let request = Request::StopJob(self.number);
        self.desk.do_it(request, &header).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn kind(&self) -> fdo::Result<String> {
        Ok(self.view()?.kind.to_string())
    }

    #[zbus(property)]
    fn state(&self) -> fdo::Result<String> {
        Ok(self.view()?.state.to_string())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn subject(&self) -> fdo::Result<OwnedObjectPath> {
        Ok(path_of(self.view()?.subject.map(Borrower::Pairing)))
    }

    #[zbus(property)]
    fn phase(&self) -> fdo::Result<String> {
        Ok(self.view()?.phase.to_string())
    }

    #[zbus(property)]
    fn remaining_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.left_secs.saturating_mul(1_000_000))
    }

    #[zbus(property)]
    fn progress(&self) -> fdo::Result<f64> {
        Ok(self.view()?.progress)
    }

    #[zbus(property)]
    fn detail(&self) -> fdo::Result<String> {
        Ok(self.view()?.detail)
    }
}
