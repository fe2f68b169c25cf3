//! What udev passes on is heard, as another process sends it. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use netlink_sys::protocols::NETLINK_KOBJECT_UEVENT;
use netlink_sys::{Socket, SocketAddr};
use std::thread;
use std::time::Duration;
use stiefel_linux::process::{enter_new_network, wait_readable};
use stiefel_linux::uevent::Uevents;

/// Groups are bits where they are sent to: the second one is udev's, the first the kernel's.
const UDEV: u32 = 2;
const KERNEL: u32 = 1;

/// As udev 257 sends it for a stick that was plugged in.
fn datagram() -> Vec<u8> {
    let properties = b"ACTION=add\0DEVPATH=/devices/x/block/sdb\0SUBSYSTEM=block\0";
    let mut datagram = b"libudev\0\xfe\xed\xca\xfe".to_vec();
    for number in [40_u32, 40, properties.len() as u32, 0, 0, 0, 0] {
        datagram.extend(number.to_ne_bytes());
    }
    datagram.extend(properties);
    datagram
}

fn alone(test: impl FnOnce() + Send + 'static) {
    let tested = thread::spawn(|| {
        enter_new_network().unwrap();
        test();
    });
    if let Err(panic) = tested.join() {
        std::panic::resume_unwind(panic);
    }
}

fn send(group: u32) {
    let mut udev = Socket::new(NETLINK_KOBJECT_UEVENT).unwrap();
    udev.bind_auto().unwrap();
    udev.send_to(&datagram(), &SocketAddr::new(0, group), 0)
        .unwrap();
}

#[test]
fn a_drive_that_is_plugged_in_is_heard_of() {
    alone(|| {
        let events = Uevents::open_after_udev().unwrap();
        send(UDEV);
        wait_readable(&events, Duration::from_secs(60)).unwrap();
        let heard = events.take().unwrap();
        assert_eq!(heard[0].property("SUBSYSTEM"), Some("block"));
    });
}

#[test]
fn nobody_else_speaks_for_the_kernel() {
    alone(|| {
        let events = Uevents::open().unwrap();
        send(KERNEL);
        wait_readable(&events, Duration::from_secs(60)).unwrap();
        assert_eq!(events.take().unwrap(), []);
    });
}
