//! A link.

use super::Desk;
use crate::request::Request;
use crate::store::LinkPolicy;
use crate::view::LinkView;
use stiefel_dbus::words::LinkState;
use zbus::fdo;
use zbus::message::Header;

/// `org.stiefelsystem.Stiefel1.Link`
pub struct Link {
    pub desk: Desk,
    pub name: String,
}

impl Link {
    /// It may have been unplugged while the call was on its way.
    fn view(&self) -> fdo::Result<LinkView> {
        let view = self.desk.view();
        let found = view.links.get(&self.name).cloned();
        found.ok_or_else(|| fdo::Error::UnknownObject("there is no such link any more".into()))
    }
}

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Link")]
impl Link {
    #[zbus(property(emits_changed_signal = "const"))]
    fn interface(&self) -> String {
        self.name.clone()
    }

    #[zbus(property)]
    fn state(&self) -> fdo::Result<String> {
        let link = self.view()?.link;
        let state = match (link.up, link.carrier) {
            (false, _) => LinkState::Down,
            (true, false) => LinkState::NoCarrier,
            (true, true) => LinkState::Up,
        };
        Ok(state.to_string())
    }

    #[zbus(property)]
    fn speed_mbps(&self) -> fdo::Result<u32> {
        Ok(self.view()?.link.speed_mbps)
    }

    #[zbus(property)]
    fn driver(&self) -> fdo::Result<String> {
        Ok(self.view()?.link.driver)
    }

    #[zbus(property)]
    fn hardware_address(&self) -> fdo::Result<String> {
        Ok(self.view()?.link.mac.to_string())
    }

    #[zbus(property)]
    fn bus(&self) -> fdo::Result<String> {
        Ok(self.view()?.link.bus)
    }

    #[zbus(property)]
    fn device_id(&self) -> fdo::Result<String> {
        Ok(self.view()?.link.device_id)
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
        let policy = match policy.as_str() {
            "ignore" => LinkPolicy::Ignore,
            "shared" => LinkPolicy::Shared,
            "dedicated" => LinkPolicy::Dedicated,
            _ => {
                let text = "a policy is one of \"ignore\", \"shared\" and \"dedicated\"";
                return Err(fdo::Error::InvalidArgs(text.into()));
            }
        };
        let Some(header) = header else {
            return Err(fdo::Error::AccessDenied("nobody asked for this".into()));
        };
        let request = Request::SetLinkPolicy(self.name.clone(), policy);
        Ok(self.desk.do_it(request, &header).await?)
    }

    #[zbus(property)]
    fn managed(&self) -> fdo::Result<bool> {
        Ok(self.view()?.managed)
    }
}
