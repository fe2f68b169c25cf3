//! What the kernel tells about devices that come, change and go. No udev needed.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;

use crate::error::{Result, Tried};
use crate::netlink::Listener;

/// The group in which the kernel itself speaks; udev uses another.
const KERNEL_GROUP: u32 = 1;

/// One event: `ACTION@DEVPATH`, then `KEY=VALUE` (lib/kobject_uevent.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `add`, `remove`, `change`, `move`, `bind`, `unbind`, `online` or `offline`.
    pub action: String,
    /// The device below `/sys`, with a leading slash.
    pub path: String,
    /// Everything else, such as `SUBSYSTEM`, `MODALIAS`, `DEVNAME`, `INTERFACE`.
    pub properties: BTreeMap<String, String>,
}

impl Event {
    /// One of the properties.
    pub fn property(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str)
    }
}

/// Hears the kernel's events. Open it first, then look at what is there: nothing is missed.
pub struct Uevents(Listener);

impl Uevents {
    /// Starts to listen. Events of network interfaces are those of this network namespace.
    pub fn open() -> Result<Self> {
        Listener::open(NETLINK_KOBJECT_UEVENT, &[KERNEL_GROUP])
            .map(Self)
            .tried(|| "cannot listen for devices that come and go".into())
    }

    /// The events that wait. Never blocks. An overflow gives an event with the action
    /// `overflow`: look at everything again.
    pub fn take(&self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        loop {
            match self.0.next() {
                Ok(Some(datagram)) => events.extend(parse(&datagram)),
                Ok(None) => return Ok(events),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => events.push(Event {
                    action: "overflow".into(),
                    path: String::new(),
                    properties: BTreeMap::new(),
                }),
                Err(error) => return Err(error).tried(|| "cannot hear device events".into()),
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }
}

fn parse(datagram: &[u8]) -> Option<Event> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut fields = text.split_terminator('\0');
    let (action, path) = fields.next()?.split_once('@')?;
    let properties = fields
        .filter_map(|field| field.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Some(Event {
        action: action.to_owned(),
        path: path.to_owned(),
        properties,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read() {
        let event = parse(
            b"add@/devices/pci0/net/eth0\0ACTION=add\0SUBSYSTEM=net\0INTERFACE=eth0\0SEQNUM=9\0",
        );
        let event = event.unwrap();
        assert_eq!(
            (event.action.as_str(), event.path.as_str()),
            ("add", "/devices/pci0/net/eth0")
        );
        assert_eq!(event.property("INTERFACE"), Some("eth0"));
        assert_eq!(event.property("MODALIAS"), None);
    }

    #[test]
    fn other_datagrams_are_no_events() {
        assert_eq!(parse(b"libudev\0\xfe\xed\xca\xfe"), None);
        assert_eq!(parse(b""), None);
    }
}
