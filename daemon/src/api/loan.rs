//! The lent disk that this system runs from.

use super::{BusError, Desk, flag};
use crate::request::{Refused, Request};
use crate::view::LoanView;
use crate::world::loan::{Cable, Health, Hold};
use std::collections::HashMap;
use std::time::Duration;
use stiefel_dbus::words;
use zbus::fdo;
use zbus::message::Header;
use zbus::zvariant::OwnedValue;

/// `org.stiefelsystem.Stiefel1.Loan`
pub struct Loan(pub Desk);

impl Loan {
    /// The loan may have ended while the call was on its way.
    fn view(&self) -> fdo::Result<LoanView> {
        let found = self.0.view().loan.clone();
        found.ok_or_else(|| fdo::Error::UnknownInterface("there is no loan any more".into()))
    }
}

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Loan")]
impl Loan {
    async fn give_back(
        &self,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), BusError> {
        let force = flag(options, "force")?;
        self.0.do_it(Request::GiveBack { force }, &header).await
    }

    async fn subscribe(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let request = Request::Subscribe(sender(&header)?);
        self.0.do_it(request, &header).await
    }

    async fn unsubscribe(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let request = Request::Unsubscribe(sender(&header)?);
        self.0.do_it(request, &header).await
    }

    #[zbus(property)]
    fn state(&self) -> fdo::Result<String> {
        Ok(self.view()?.state.to_string())
    }

    #[zbus(property)]
    fn detail(&self) -> fdo::Result<String> {
        Ok(self.view()?.detail)
    }

    #[zbus(property)]
    fn lender(&self) -> fdo::Result<String> {
        Ok(self.view()?.loan.lender)
    }

    #[zbus(property)]
    fn since_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.loan.since_usec)
    }

    #[zbus(property)]
    fn frozen_since_usec(&self) -> fdo::Result<u64> {
        Ok(match self.view()?.loan.hold {
            Hold::Frozen { since_usec, .. } => since_usec,
            Hold::Held | Hold::Lost => 0,
        })
    }

    #[zbus(property)]
    fn frozen_until_usec(&self) -> fdo::Result<u64> {
        let usec = |at: Duration| u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        Ok(match self.view()?.loan.hold {
            Hold::Frozen { until, .. } => until.map_or(0, usec),
            Hold::Held | Hold::Lost => 0,
        })
    }

    #[zbus(property)]
    fn cable(&self) -> fdo::Result<String> {
        let word = match self.view()?.loan.cable {
            Cable::Connected => words::Cable::Connected,
            Cable::Unplugged => words::Cable::Unplugged,
            Cable::NoCard => words::Cable::NoCard,
        };
        Ok(word.to_string())
    }

    #[zbus(property)]
    fn link_speed_mbps(&self) -> fdo::Result<u32> {
        Ok(self.view()?.loan.link_speed_mbps)
    }

    #[zbus(property)]
    fn latency_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.loan.traffic.latency_usec)
    }

    #[zbus(property)]
    fn rx_bytes(&self) -> fdo::Result<u64> {
        Ok(self.view()?.loan.traffic.rx_bytes)
    }

    #[zbus(property)]
    fn tx_bytes(&self) -> fdo::Result<u64> {
        Ok(self.view()?.loan.traffic.tx_bytes)
    }

    #[zbus(property)]
    fn rx_bytes_per_sec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.loan.traffic.rx_per_sec)
    }

    #[zbus(property)]
    fn tx_bytes_per_sec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.loan.traffic.tx_per_sec)
    }

    #[zbus(property)]
    fn battery(&self) -> fdo::Result<f64> {
        Ok(self.view()?.loan.lender_now.battery_percent.unwrap_or(-1.0))
    }

    #[zbus(property)]
    fn on_ac(&self) -> fdo::Result<bool> {
        Ok(self.view()?.loan.lender_now.on_mains)
    }

    #[zbus(property)]
    fn battery_warning(&self) -> fdo::Result<String> {
        let warning = self.view()?.loan.lender_now.warning;
        Ok(crate::view::battery_warning(warning).to_string())
    }

    #[zbus(property)]
    fn time_to_empty_usec(&self) -> fdo::Result<u64> {
        let secs = self.view()?.loan.lender_now.empty_in_secs;
        Ok(secs.saturating_mul(1_000_000))
    }

    #[zbus(property)]
    fn temperature(&self) -> fdo::Result<f64> {
        Ok(self.view()?.loan.lender_now.celsius.unwrap_or(0.0))
    }

    #[zbus(property)]
    fn disk_health(&self) -> fdo::Result<String> {
        let word = match self.view()?.loan.lender_now.disk {
            Health::Unknown => words::DiskHealth::NotKnown,
            Health::Good => words::DiskHealth::Good,
            Health::Worn => words::DiskHealth::Worn,
            Health::Failing => words::DiskHealth::Failing,
        };
        Ok(word.to_string())
    }

    #[zbus(property)]
    fn disk_detail(&self) -> fdo::Result<String> {
        Ok(self.view()?.loan.lender_now.disk_detail)
    }

    #[zbus(property)]
    fn disk_temperature(&self) -> fdo::Result<f64> {
        Ok(self.view()?.loan.lender_now.disk_celsius.unwrap_or(0.0))
    }

    #[zbus(property)]
    fn warnings(&self) -> fdo::Result<Vec<(String, String, String, String)>> {
        let row = |warning: crate::view::Warning| {
            (
                warning.subject.to_owned(),
                warning.severity.to_string(),
                warning.text,
                warning.hint,
            )
        };
        Ok(self.view()?.warnings.into_iter().map(row).collect())
    }

    #[zbus(property)]
    fn ending(&self) -> fdo::Result<String> {
        Ok(self.view()?.ending.to_string())
    }

    #[zbus(property)]
    fn ends_usec(&self) -> fdo::Result<u64> {
        Ok(self.view()?.ends_usec)
    }
}

fn sender(header: &Header<'_>) -> Result<String, BusError> {
    let name = header.sender().map(ToString::to_string);
    // A bus always says who sends.
    name.ok_or(Refused::NotBorrowed.into())
}
