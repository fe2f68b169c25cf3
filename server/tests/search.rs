//! A borrower finds its lender, wakes it, and fetches its system, over a real cable
//! between two network namespaces. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod lab;

use lab::{pairing, two_machines};
use std::fs::File;
use std::io::{Read, Seek, Write};
use stiefel_core::bundle::{Answer, Grant, agree, public_key};
use stiefel_core::discovery::Standing;
use stiefel_core::pairing::Pairing;
use stiefel_core::secret::Secret;
use stiefel_linux::memfd;
use stiefel_server::boot::{self, Asked, Sealed};
use stiefel_server::discovery::{Answerer, Event, Found, Seeker};
use stiefel_server::fetch::{FetchError, fetch};
use tokio::sync::oneshot;

const KERNEL_LEN: usize = 300_001;
const STOCK_LEN: usize = 70_003;
const RAMDISK_LEN: usize = 65_536;

fn file(len: usize, byte: u8) -> File {
    let mut file = memfd::create("part").unwrap();
    file.write_all(&vec![byte; len]).unwrap();
    file.rewind().unwrap();
    file
}

fn grant() -> Grant {
    Grant {
        lender: "laptop".parse().unwrap(),
        kernel_len: KERNEL_LEN as u64,
        initramfs_lens: vec![STOCK_LEN as u64, RAMDISK_LEN as u64],
        cmdline: "root=UUID=1".into(),
        tunnel_key: [9; 32],
        epoch: 1,
        disk_size: 1 << 30,
        logical_block: 512,
        patience_secs: 600,
    }
}

/// Answers one request as the serving ramdisk does, if it is a right one.
fn answer(answerer: &mut Answerer, pairing: &Pairing, asked: Asked, answer: Answer) -> bool {
    let Some((_, request)) = answerer.claim(&asked.request, asked.from) else {
        return false;
    };
    let private = Secret::from_bytes([3; 32]);
    let exchange_key = public_key(&private);
    let agreed = agree(
        &pairing.secret,
        &private,
        &request.exchange_key,
        &request,
        &exchange_key,
    );
    let files = match answer {
        Answer::Grant(_) => vec![
            file(KERNEL_LEN, 1),
            file(STOCK_LEN, 2),
            file(RAMDISK_LEN, 3),
        ],
        Answer::Refused { .. } => vec![],
    };
    let sealed = Sealed {
        exchange_key,
        seal: agreed.unwrap().seal,
        answer,
        files,
        sent: None,
    };
    asked.reply.send(sealed).unwrap();
    true
}

async fn until_found(seeker: &mut Seeker, standing: Standing) -> Found {
    loop {
        let found = seeker.next().await.unwrap();
        if matches!(&found, Found::Lender { offer, .. } if offer.standing == standing) {
            return found;
        }
    }
}

#[test]
fn a_lender_is_found_woken_and_its_system_fetched() {
    let desk = pairing(1, "desk");
    let lender_pairing = desk.clone();
    let (done, finished) = oneshot::channel::<()>();
    two_machines(
        move || async move {
            let known = [pairing(2, "other"), lender_pairing.clone()];
            let mut answerer = Answerer::open(
                "laptop".parse().unwrap(),
                &known,
                Box::new(|l| l.is_ethernet),
            )
            .unwrap();
            loop {
                match answerer.next().await.unwrap() {
                    Event::Wake { pairing, .. } => {
                        assert_eq!(pairing, lender_pairing.id);
                        break;
                    }
                    Event::Seen { pairing, .. } => assert_eq!(pairing, lender_pairing.id),
                    Event::OtherVersion { .. } => panic!("one version only"),
                }
            }
            answerer.set_standing(Standing::Offering);
            let mut requests = boot::start().unwrap();
            let mut accepted = vec![];
            let mut finished = finished;
            loop {
                tokio::select! {
                    event = answerer.next() => drop(event.unwrap()),
                    asked = requests.recv() => accepted.push(answer(
                        &mut answerer, &lender_pairing, asked.unwrap(), Answer::Grant(grant()),
                    )),
                    _ = &mut finished => break,
                }
            }
            assert_eq!(
                accepted,
                [true, false],
                "the second request was a repeated one"
            );
        },
        move || async move {
            let mut seeker = Seeker::open(&desk, Box::new(|l| l.is_ethernet)).unwrap();
            let found = until_found(&mut seeker, Standing::Offering).await;
            let Found::Lender {
                nonces, address, ..
            } = found
            else {
                unreachable!()
            };
            let fetched = fetch(address, &desk, nonces, |_, _| {}).await.unwrap();
            assert_eq!(fetched.grant, grant());
            let mut kernel = vec![];
            let mut initramfs = vec![];
            let (mut k, mut i) = (fetched.kernel, fetched.initramfs);
            k.read_to_end(&mut kernel).unwrap();
            i.rewind().unwrap();
            i.read_to_end(&mut initramfs).unwrap();
            assert!(kernel == vec![1; KERNEL_LEN]);
            let parts = [vec![2; STOCK_LEN], vec![0], vec![3; RAMDISK_LEN]].concat();
            assert!(initramfs == parts, "joined, and padded to 4 bytes");

            let again = fetch(address, &desk, nonces, |_, _| {}).await;
            assert!(matches!(again, Err(FetchError::NotAccepted)));
            done.send(()).unwrap();
        },
    );
}

#[test]
fn a_borrower_that_comes_second_is_told_who_has_the_disk() {
    let desk = pairing(1, "desk");
    let lender_pairing = desk.clone();
    let (done, mut finished) = oneshot::channel::<()>();
    two_machines(
        move || async move {
            let known = [lender_pairing.clone()];
            let mut answerer = Answerer::open(
                "laptop".parse().unwrap(),
                &known,
                Box::new(|l| l.is_ethernet),
            )
            .unwrap();
            answerer.set_standing(Standing::Offering);
            let to = "workstation".parse().unwrap();
            answerer.set_standing_of(lender_pairing.id, Standing::Lent { to });
            let mut requests = boot::start().unwrap();
            loop {
                let refused = Answer::Refused {
                    lent_to: Some("workstation".parse().unwrap()),
                    message: "lent to workstation".into(),
                };
                tokio::select! {
                    event = answerer.next() => drop(event.unwrap()),
                    asked = requests.recv() => {
                        assert!(answer(&mut answerer, &lender_pairing, asked.unwrap(), refused));
                    }
                    _ = &mut finished => break,
                }
            }
        },
        move || async move {
            let mut seeker = Seeker::open(&desk, Box::new(|l| l.is_ethernet)).unwrap();
            let to = "workstation".parse().unwrap();
            let found = until_found(&mut seeker, Standing::Lent { to }).await;
            let Found::Lender {
                nonces, address, ..
            } = found
            else {
                unreachable!()
            };
            match fetch(address, &desk, nonces, |_, _| {}).await {
                Err(FetchError::Refused { lent_to, message }) => {
                    assert_eq!(lent_to.unwrap().as_str(), "workstation");
                    assert_eq!(message, "lent to workstation");
                }
                Ok(_) => panic!("it got the bundle"),
                Err(error) => panic!("{error}"),
            }
            done.send(()).unwrap();
        },
    );
}
