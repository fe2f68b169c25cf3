//! What the kernel tells about devices that come, change and go, and, where somebody wants to
//! know, what udev has made of it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;

use crate::error::{Result, Tried};
use crate::netlink::Listener;

/// The group in which the kernel itself speaks; udev uses another.
const KERNEL_GROUP: u32 = 1;
/// The group in which udev passes the events on, when its rules are done and its database
/// is written (`MONITOR_GROUP_UDEV`, libsystemd/sd-device/device-monitor-private.h).
const UDEV_GROUP: u32 = 2;
/// What udev's datagrams begin with: these words, and a number of which the offset of the
/// properties is the third (`monitor_netlink_header`, sd-device/device-monitor.c).
const UDEV_PREFIX: &[u8] = b"libudev\0\xfe\xed\xca\xfe";
const UDEV_PROPERTIES: usize = UDEV_PREFIX.len() + 4;

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

    /// The same, as udev passes the events on once it is done with them.
    pub fn open_after_udev() -> Result<Self> {
        Listener::open_relayed(NETLINK_KOBJECT_UEVENT, &[UDEV_GROUP])
            .map(Self)
            .tried(|| "cannot listen for devices that udev knows".into())
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
    if datagram.starts_with(UDEV_PREFIX) {
        return parse_udev(datagram);
    }
    let text = std::str::from_utf8(datagram).ok()?;
    let mut fields = text.split_terminator('\0');
    let (action, path) = fields.next()?.split_once('@')?;
    Some(Event {
        action: action.to_owned(),
        path: path.to_owned(),
        properties: properties(fields),
    })
}

fn parse_udev(datagram: &[u8]) -> Option<Event> {
    let offset = datagram.get(UDEV_PROPERTIES..)?.first_chunk::<4>()?;
    let offset = usize::try_from(u32::from_ne_bytes(*offset)).ok()?;
    let text = std::str::from_utf8(datagram.get(offset..)?).ok()?;
    let properties = properties(text.split_terminator('\0'));
    Some(Event {
        action: properties.get("ACTION")?.clone(),
        path: properties.get("DEVPATH")?.clone(),
        properties,
    })
}

fn properties<'a>(fields: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    fields
        .filter_map(|field| field.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
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
    fn an_event_of_udev_is_read() {
        let properties = b"ACTION=add\0DEVPATH=/devices/x/block/sdb\0SUBSYSTEM=block\0";
        let mut datagram = UDEV_PREFIX.to_vec();
        for number in [40_u32, 40, properties.len() as u32, 0, 0, 0, 0] {
            datagram.extend(number.to_ne_bytes());
        }
        datagram.extend(properties);
        let event = parse(&datagram).unwrap();
        assert_eq!(event.action, "add");
        assert_eq!(event.path, "/devices/x/block/sdb");
        assert_eq!(event.property("SUBSYSTEM"), Some("block"));
        // The offset may be anything.
        datagram[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(parse(&datagram), None);
        assert_eq!(parse(&datagram[..18]), None);
    }

    #[test]
    fn other_datagrams_are_no_events() {
        assert_eq!(parse(b"libudev\0\xfe\xed\xca\xfe"), None);
        assert_eq!(parse(b""), None);
    }
}
