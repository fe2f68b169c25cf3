//! Interfaces, addresses and events in network namespaces of our own. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv6Addr, SocketAddrV6, TcpListener};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use stiefel_linux::echo::Echo;
use stiefel_linux::links::{LARGE_MTU, Link, Links, Monitor, link_local_of};
use stiefel_linux::{mounts, nbd, process, sysctl};

/// Long enough that only a hang reaches it.
const FOREVER: Duration = Duration::from_secs(60);

/// Runs a test in a thread that has a network namespace of its own.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        process::enter_new_network().unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn link(links: &mut Links, name: &str) -> Link {
    links
        .by_name(name)
        .unwrap()
        .unwrap_or_else(|| panic!("no interface {name}"))
}

fn cable() -> (Links, Link, Link) {
    let mut links = Links::open().unwrap();
    links.create_veth("left", "right").unwrap();
    let (left, right) = (link(&mut links, "left"), link(&mut links, "right"));
    (links, left, right)
}

#[test]
fn a_cable_is_listed_and_switched_on() {
    in_namespace(|| {
        let (mut links, left, right) = cable();
        assert!(left.is_ethernet && !left.up && !left.carrier && left.mtu == 1500);
        assert!(!link(&mut links, "lo").is_ethernet);
        assert_eq!(
            links.by_mac(left.mac.unwrap()).unwrap().unwrap().index,
            left.index
        );
        let mut monitor = Monitor::open().unwrap();
        assert!(!monitor.drain().unwrap());
        links.set_up(left.index).unwrap();
        links.set_up(right.index).unwrap();
        assert!(monitor.wait(FOREVER).unwrap());
        while !link(&mut links, "left").carrier {
            assert!(monitor.wait(FOREVER).unwrap());
        }
        links.set_down(left.index).unwrap();
        assert!(!link(&mut links, "left").up);
    });
}

#[test]
fn an_interface_gets_another_name_and_packet_size() {
    in_namespace(|| {
        let (mut links, left, _) = cable();
        links.rename(left.index, "stiefel0").unwrap();
        links.set_mtu(left.index, 1420).unwrap();
        assert_eq!(link(&mut links, "stiefel0").mtu, 1420);
        let error = links.rename(left.index, "right").unwrap_err();
        assert!(error.is(rustix::io::Errno::EXIST), "{error}");
        links.delete(left.index).unwrap();
        assert_eq!(links.by_name("right").unwrap(), None);
    });
}

#[test]
fn large_packets_get_through_a_wide_cable_only() {
    in_namespace(|| {
        let (mut links, left, right) = cable();
        assert!(left.max_mtu > LARGE_MTU);
        links.widen(&left).unwrap();
        assert_eq!(link(&mut links, "left").mtu, LARGE_MTU);
        // A machine does not send to itself over a cable, so the other end gets its own place.
        let address = |end: &Link| link_local_of(end.mac.unwrap());
        let (far, near) = (address(&right), address(&left));
        links.set_up(left.index).unwrap();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (done, is_done) = std::sync::mpsc::channel::<u32>();
        let other = thread::spawn(move || {
            process::enter_new_network().unwrap();
            ready.send(process::network_namespace().unwrap()).unwrap();
            let mut links = Links::open().unwrap();
            while let Ok(mtu) = is_done.recv() {
                let right = link(&mut links, "right");
                links.without_own_addresses(right.index).unwrap();
                links.set_mtu(right.index, mtu).unwrap();
                links.set_up(right.index).unwrap();
                let inner: Ipv6Addr = "fd00::2".parse().unwrap();
                links.add_address(right.index, far, 64).unwrap();
                links.add_address(right.index, inner, 64).unwrap();
                ready.send(process::network_namespace().unwrap()).unwrap();
            }
        });
        let there = is_ready.recv().unwrap();
        links.move_to_namespace(right.index, there.as_fd()).unwrap();
        let inner: Ipv6Addr = "fd00::1".parse().unwrap();
        links.add_address(left.index, near, 64).unwrap();
        links.add_address(left.index, inner, 64).unwrap();
        let mut echo = Echo::open().unwrap();
        let mut ask = |length, limit| echo.ask("fd00::2".parse().unwrap(), length, limit).unwrap();
        for (mtu, passes) in [(1500, false), (LARGE_MTU, true)] {
            done.send(mtu).unwrap();
            is_ready.recv().unwrap();
            assert!(ask(1500, FOREVER).is_some());
            let limit = if passes {
                FOREVER
            } else {
                Duration::from_millis(300)
            };
            assert_eq!(ask(LARGE_MTU as usize, limit).is_some(), passes, "{mtu}");
        }
        drop(done);
        other.join().unwrap();
    });
}

#[test]
fn our_own_link_local_address_works_at_once() {
    in_namespace(|| {
        let (mut links, left, right) = cable();
        for end in [&left, &right] {
            links.without_own_addresses(end.index).unwrap();
            links.set_up(end.index).unwrap();
            assert_eq!(links.link_local(end.index).unwrap(), None);
        }
        let address = link_local_of(left.mac.unwrap());
        links.add_address(left.index, address, 64).unwrap();
        links.add_address(left.index, address, 64).unwrap();
        assert_eq!(links.link_local(left.index).unwrap(), Some(address));
        assert_eq!(links.link_local(right.index).unwrap(), None);
        let socket = std::net::UdpSocket::bind(SocketAddrV6::new(address, 0, 0, left.index));
        socket.unwrap();
    });
}

#[test]
fn a_prepared_interface_listens_to_no_router() {
    in_namespace(|| {
        cable();
        sysctl::prepare_interface("left").unwrap();
        for (name, expected) in [("left", "0"), ("right", "1")] {
            for setting in ["accept_ra", "accept_dad"] {
                let name = format!("net/ipv6/conf/{name}/{setting}");
                assert_eq!(sysctl::get(&name).unwrap(), expected, "{name}");
            }
        }
    });
}

#[test]
fn an_address_that_is_given_is_there_before_the_cable_and_stays() {
    in_namespace(|| {
        let (mut links, left, right) = cable();
        sysctl::prepare_interface("left").unwrap();
        links.set_up(left.index).unwrap();
        assert_eq!(links.link_local(left.index).unwrap(), None);
        let address = link_local_of(left.mac.unwrap());
        links.add_address(left.index, address, 64).unwrap();
        assert_eq!(links.link_local(left.index).unwrap(), Some(address));
        let mut monitor = Monitor::open().unwrap();
        links.set_up(right.index).unwrap();
        while links.link_local(right.index).unwrap().is_none() {
            assert!(monitor.wait(FOREVER).unwrap());
        }
        assert_eq!(links.link_local(left.index).unwrap(), Some(address));
    });
}

#[test]
fn an_interface_may_seek_its_neighbours_more_often() {
    in_namespace(|| {
        cable();
        sysctl::seek_neighbours_often("left").unwrap();
        for (name, expected) in [("left", "100"), ("right", "1000")] {
            let name = format!("net/ipv6/neigh/{name}/retrans_time_ms");
            assert_eq!(sysctl::get(&name).unwrap(), expected, "{name}");
        }
    });
}

#[test]
fn an_interface_moves_and_both_namespaces_stay_in_view() {
    in_namespace(|| {
        let (mut outside, left, _) = cable();
        process::enter_new_network().unwrap();
        let inside = process::network_namespace().unwrap();
        let mut own = Links::open().unwrap();
        assert_eq!(own.by_mac(left.mac.unwrap()).unwrap(), None);
        outside
            .move_to_namespace(left.index, inside.as_fd())
            .unwrap();
        assert_eq!(outside.by_name("left").unwrap(), None);
        assert_eq!(own.by_mac(left.mac.unwrap()).unwrap().unwrap().name, "left");
    });
}

#[test]
fn somebody_elses_card_is_used_from_another_namespace() {
    in_namespace(|| {
        let (mut outside, left, right) = cable();
        for end in [&left, &right] {
            outside.set_up(end.index).unwrap();
        }
        let theirs: Ipv6Addr = "fd00::2".parse().unwrap();
        outside.add_address(right.index, theirs, 64).unwrap();
        process::enter_new_network().unwrap();
        sysctl::prepare_interface("default").unwrap();
        let namespace = process::network_namespace().unwrap();
        let mut inside = Links::open().unwrap();
        let mut make = |mac| {
            outside
                .create_macvlan(left.index, "way", mac, namespace.as_fd())
                .unwrap();
            assert_eq!(outside.by_name("way").unwrap(), None);
        };
        make(None);
        let way = link(&mut inside, "way");
        let mac = way.mac.unwrap();
        assert!(mac.0[0] & 3 == 2 && !way.is_ethernet && !way.up, "{way:?}");
        inside.delete(way.index).unwrap();
        make(Some(mac));
        let way = link(&mut inside, "way");
        assert_eq!(way.mac, Some(mac));
        inside.set_up(way.index).unwrap();
        assert!(link(&mut inside, "way").carrier);
        let ours: Ipv6Addr = "fd00::1".parse().unwrap();
        inside.add_address(way.index, ours, 64).unwrap();
        let mut echo = Echo::open().unwrap();
        assert!(echo.ask(theirs, 100, FOREVER).unwrap().is_some());
        // The card is as it was, and when its cable is out, so is ours.
        assert_eq!(outside.by_name("left").unwrap().unwrap().mac, left.mac);
        let mut monitor = Monitor::open().unwrap();
        outside.set_down(right.index).unwrap();
        while link(&mut inside, "way").carrier {
            assert!(monitor.wait(FOREVER).unwrap());
        }
        outside.delete(left.index).unwrap();
        assert_eq!(inside.by_name("way").unwrap(), None);
    });
}

#[test]
fn a_sysfs_of_its_own_knows_the_devices_of_its_namespace() {
    in_namespace(|| {
        let (mut links, left, right) = cable();
        let sysfs = mounts::private_sysfs().unwrap();
        let mut knowing = Links::open_with(sysfs).unwrap();
        for end in [&left, &right] {
            links.set_up(end.index).unwrap();
        }
        assert_eq!(link(&mut links, "left").speed_mbps, None);
        assert_eq!(link(&mut knowing, "left").speed_mbps, Some(10_000));
        assert!(left.is_ethernet && !left.is_physical);
    });
}

#[test]
fn nobody_at_the_disk_service_is_told_as_such() {
    in_namespace(|| {
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 10809, 0, 0);
        let error = nbd::dial(address, "disk/0", FOREVER, FOREVER).unwrap_err();
        assert!(
            matches!(error, nbd::HandshakeError::Unreachable { .. }),
            "{error}"
        );
    });
}

#[test]
fn a_disk_service_that_says_nothing_is_given_up() {
    let server = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let std::net::SocketAddr::V6(address) = server.local_addr().unwrap() else {
        panic!()
    };
    let error = nbd::dial(address, "disk/0", FOREVER, Duration::from_millis(1)).unwrap_err();
    let given_up = matches!(
        error,
        nbd::HandshakeError::Broken(_) | nbd::HandshakeError::Unreachable { .. }
    );
    assert!(given_up, "{error}");
}
