//! A removable drive.

use super::{BusError, Desk, flags, job_at, pairing_at};
use crate::request::{Medium, Request};
use crate::view::DriveView;
use std::collections::HashMap;
use zbus::fdo;
use zbus::message::Header;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue};

/// `org.stiefelsystem.Stiefel1.Drive`
pub struct Drive {
    pub desk: Desk,
    pub name: String,
}

impl Drive {
    /// It may have been unplugged while the call was on its way.
    fn view(&self) -> fdo::Result<DriveView> {
        let view = self.desk.view();
        let found = view.drives.get(&self.name).cloned();
        found.ok_or_else(|| fdo::Error::UnknownObject("there is no such drive any more".into()))
    }
}

#[zbus::interface(name = "org.stiefelsystem.Stiefel1.Drive")]
impl Drive {
    #[zbus(out_args("job"))]
    async fn write_stick(
        &self,
        pairing: ObjectPath<'_>,
        options: HashMap<String, OwnedValue>,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath, BusError> {
        let name = self.name.clone();
        let medium = match flags(options, ["unmount", "refresh"])? {
            [false, true] => Medium::OwnStick(name),
            [unmount, false] => Medium::Drive { name, unmount },
            [true, true] => {
                let text = "nothing of a stick that is refreshed is mounted";
                return Err(BusError::invalid(text));
            }
        };
        let request = Request::WriteStick(pairing_at(&pairing)?, medium);
        job_at(self.desk.ask(request, &header).await?)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn device(&self) -> String {
        format!("/dev/{}", self.name)
    }

    #[zbus(property)]
    fn model(&self) -> fdo::Result<String> {
        Ok(self.view()?.drive.model)
    }

    #[zbus(property)]
    fn serial(&self) -> fdo::Result<String> {
        Ok(self.view()?.drive.serial)
    }

    #[zbus(property)]
    fn size_bytes(&self) -> fdo::Result<u64> {
        Ok(self.view()?.drive.size)
    }

    #[zbus(property)]
    fn bus(&self) -> fdo::Result<String> {
        Ok(self.view()?.drive.bus)
    }

    #[zbus(property)]
    fn volumes(&self) -> fdo::Result<Vec<String>> {
        Ok(self.view()?.drive.volumes)
    }

    #[zbus(property)]
    fn state(&self) -> fdo::Result<String> {
        Ok(self.view()?.state.to_string())
    }
}
