//! Two network namespaces and a cable between them. Needs root.

use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use stiefel_core::pairing::{Pairing, PairingId, Policy};
use stiefel_core::secret::Secret;
use stiefel_linux::links::Links;
use stiefel_linux::{process, sysctl};

/// One end of the cable: runs its part in a thread that lives in its own namespace.
pub fn two_machines<L, B, LF, BF>(lender: L, borrower: B)
where
    L: FnOnce() -> LF + Send + 'static,
    B: FnOnce() -> BF + Send + 'static,
    LF: Future<Output = ()> + 'static,
    BF: Future<Output = ()> + 'static,
{
    let (namespace_there, namespace_here) = mpsc::channel();
    let (plugged, wait_plugged) = mpsc::channel::<()>();
    let borrower = thread::spawn(move || {
        process::enter_new_network().unwrap();
        namespace_there
            .send(process::network_namespace().unwrap())
            .unwrap();
        wait_plugged.recv().unwrap();
        switch_on("borrower");
        run(borrower());
    });
    let lender = thread::spawn(move || {
        process::enter_new_network().unwrap();
        let mut links = Links::open().unwrap();
        links.create_veth("lender", "borrower").unwrap();
        let far = links.by_name("borrower").unwrap().unwrap();
        let namespace = namespace_here.recv().unwrap();
        links
            .move_to_namespace(far.index, namespace.as_fd())
            .unwrap();
        plugged.send(()).unwrap();
        switch_on("lender");
        run(lender());
    });
    join(borrower);
    join(lender);
}

fn switch_on(interface: &str) {
    sysctl::prepare_interface(interface).unwrap();
    let mut links = Links::open().unwrap();
    let link = links.by_name(interface).unwrap().unwrap();
    links.set_up(link.index).unwrap();
}

fn run(part: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(part);
    runtime.shutdown_background();
}

fn join(thread: JoinHandle<()>) {
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A pairing with a secret of just this byte.
pub fn pairing(byte: u8, name: &str) -> Pairing {
    Pairing {
        id: PairingId::from_bytes([byte; 8]),
        name: name.parse().unwrap(),
        secret: Secret::from_bytes([byte; 32]),
        policy: Policy::Automatic,
    }
}
