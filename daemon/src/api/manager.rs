//! The machine as a whole.

use super::handoff::path_of;
use super::medium::opened;
use super::{BusError, Desk, job_at, no_options, pairing_at};
use crate::request::{Answer, Request};
use std::collections::HashMap;
use stiefel_dbus::names;
use zbus::message::Header;
use zbus::zvariant::{ObjectPath, OwnedFd, OwnedObjectPath, OwnedValue};

/// `org.stiefelsystem.Stiefel1.Manager`
pub struct Manager(pub Desk);

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Manager")]
impl Manager {
    async fn arm(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), BusError> {
        no_options(&options)?;
        self.0.do_it(Request::Arm, &header).await
    }

    async fn disarm(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.0.do_it(Request::Disarm, &header).await
    }

    #[zbus(out_args("pairing"))]
    async fn pair(
        &self,
        name: &str,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath, BusError> {
        let name = name.parse().map_err(BusError::invalid)?;
        match self.0.ask(Request::Pair(name), &header).await? {
            Answer::Paired(id) => {
                let path = names::pairing_path(&id.to_string());
                Ok(ObjectPath::from_string_unchecked(path).into())
            }
            Answer::Done | Answer::Begun(_) | Answer::Ticket(_) => Err(BusError::wrong_answer()),
        }
    }

    #[zbus(out_args("job"))]
    async fn update_image(
        &self,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath, BusError> {
        job_at(self.0.ask(Request::UpdateImage, &header).await?)
    }

    #[zbus(out_args("job"))]
    async fn write_stick(
        &self,
        pairing: ObjectPath<'_>,
        target: OwnedFd,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath, BusError> {
        no_options(&options)?;
        let pairing = pairing_at(&pairing)?;
        let request = Request::WriteStick(pairing, opened(target.into())?);
        job_at(self.0.ask(request, &header).await?)
    }

    async fn refresh(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.0.do_it(Request::Refresh, &header).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    #[zbus(property)]
    fn name(&self) -> String {
        self.0.view().name.clone()
    }

    #[zbus(property)]
    fn role(&self) -> String {
        self.0.view().role.to_string()
    }

    #[zbus(property)]
    fn armed(&self) -> bool {
        self.0.view().armed
    }

    #[zbus(property)]
    fn image_state(&self) -> String {
        self.0.view().image.to_string()
    }

    #[zbus(property)]
    fn disk(&self) -> (String, u64, String) {
        self.0.view().disk.clone()
    }

    #[zbus(property)]
    fn battery(&self) -> f64 {
        self.0.view().power.battery
    }

    #[zbus(property)]
    fn on_ac(&self) -> bool {
        self.0.view().power.on_ac
    }

    #[zbus(property)]
    fn battery_warning(&self) -> String {
        self.0.view().power.warning.to_string()
    }

    #[zbus(property)]
    fn time_to_empty_usec(&self) -> u64 {
        self.0.view().power.empty_in_secs.saturating_mul(1_000_000)
    }

    #[zbus(property)]
    fn last_loan(&self) -> (OwnedObjectPath, u64, u64) {
        let last = self.0.view().last_loan;
        let (left, back) = last.map_or((0, 0), |(_, left, back)| (left, back));
        (path_of(last.map(|(borrower, ..)| borrower)), left, back)
    }

    #[zbus(property)]
    fn checks(&self) -> Vec<(String, String, String, String, String)> {
        let view = self.0.view();
        let row = |check: &stiefel_core::preflight::Finding| {
            (
                check.subject.to_string(),
                check.verdict.to_string(),
                check.text.clone(),
                check.hint.clone(),
                crate::view::remedy(check, &view.image).to_string(),
            )
        };
        view.checks.iter().map(row).collect()
    }
}
