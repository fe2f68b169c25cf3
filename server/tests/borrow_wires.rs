//! Interfaces of a running system are made ready for a search, and put back. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::Duration;
use stiefel_linux::links::{Link, Links, Monitor};
use stiefel_linux::{process, sysctl};
use stiefel_server::borrow::wires::{self, Ready};

const LONG: Duration = Duration::from_secs(60);

/// A cable with both its ends in a network namespace of its own.
fn with_cable(test: impl FnOnce(Links) + Send + 'static) {
    let tested = thread::spawn(|| {
        process::enter_new_network().unwrap();
        let mut links = Links::open().unwrap();
        links.create_veth("near", "far").unwrap();
        test(links);
    });
    if let Err(panic) = tested.join() {
        std::panic::resume_unwind(panic);
    }
}

fn link(links: &mut Links, name: &str) -> Link {
    links.by_name(name).unwrap().unwrap()
}

/// Makes ready, again and again as interfaces change, until `done`.
fn make_until(ready: &mut Ready, mut done: impl FnMut() -> bool) {
    let mut monitor = Monitor::open().unwrap();
    ready.make().unwrap();
    while !done() {
        assert!(monitor.wait(LONG).unwrap(), "nothing changes any more");
        ready.make().unwrap();
    }
}

fn all_ready() -> bool {
    let wires = wires::list().unwrap();
    assert_eq!(wires.len(), 2);
    wires
        .iter()
        .all(|wire| wire.up && wire.carrier && wire.has_address)
}

#[test]
fn an_interface_that_was_off_and_without_ipv6_is_so_again() {
    with_cable(|mut links| {
        sysctl::set("net/ipv6/conf/near/disable_ipv6", "1").unwrap();
        let mut ready = Ready::default();
        make_until(&mut ready, all_ready);
        assert_eq!(sysctl::get("net/ipv6/conf/near/disable_ipv6").unwrap(), "0");
        drop(ready);
        for name in ["near", "far"] {
            assert!(!link(&mut links, name).up, "{name}");
        }
        assert_eq!(sysctl::get("net/ipv6/conf/near/disable_ipv6").unwrap(), "1");
        assert_eq!(sysctl::get("net/ipv6/conf/far/disable_ipv6").unwrap(), "0");
    });
}

#[test]
fn an_address_that_nobody_makes_is_lent_for_the_time() {
    with_cable(|mut links| {
        let near = link(&mut links, "near").index;
        links.without_own_addresses(near).unwrap();
        for name in ["near", "far"] {
            sysctl::set(&format!("net/ipv6/conf/{name}/accept_dad"), "0").unwrap();
            let index = link(&mut links, name).index;
            links.set_up(index).unwrap();
        }
        let mut ready = Ready::default();
        make_until(&mut ready, all_ready);
        drop(ready);
        assert!(link(&mut links, "near").up, "it was on before");
        assert_eq!(links.link_local(near).unwrap(), None);
        let far = link(&mut links, "far").index;
        assert!(links.link_local(far).unwrap().is_some(), "it had its own");
    });
}
