//! The loan, as the supervisor of the lent disk tells it over its socket, and as the kernel
//! counts what goes over the disk. What the lender says comes through the supervisor, too:
//! only that one is in the tunnel.

use super::loan::{Cable, Health, Hold, LenderNow, Loan, Traffic};
use super::{Happening, Reporter};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stiefel_core::control::{self, DiskHealth};
use stiefel_core::supervisor::{Answer, LINE_LIMIT, Question, SOCKET_NAME, Status};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Between two measurements while somebody watches, and while nobody does.
const LIVE: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(60);
/// Between two tries to ask somebody who did not answer.
const AGAIN: Duration = Duration::from_secs(2);
/// Who takes the place of a supervisor that was killed does so sooner than it is asked so often.
const GONE_AFTER: u32 = 3;
/// Unit of the counters, whatever the disk's own block size is (Documentation/block/stat.rst).
const SECTOR: u64 = 512;

/// Where the supervisor is heard, and the disk counted.
#[derive(Debug, Clone)]
pub struct Place {
    /// Name of the socket in the abstract name space.
    pub socket: String,
    /// The kernel's counters of the disk.
    pub stat: PathBuf,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            socket: SOCKET_NAME.into(),
            stat: "/sys/block/nbd0/stat".into(),
        }
    }
}

/// What was heard and counted so far.
struct Heard {
    loan: Loan,
    /// When it was counted last, on CLOCK_MONOTONIC.
    counted: Option<Duration>,
}

/// Reports the loan and all changes, until the loop is gone; measures it each second while it
/// is `watched`.
pub async fn watch(place: Place, mut watched: watch::Receiver<bool>, reporter: Reporter) {
    let mut heard = Heard {
        loan: Loan::unheard(),
        counted: None,
    };
    let mut following = Following::default();
    let mut news = 0;
    let mut lender = std::pin::pin!(ask_lender(&place, news));
    let mut next = Instant::now();
    loop {
        let live = *watched.borrow_and_update();
        let before = heard.loan.clone();
        tokio::select! {
            told = follow(&place, &mut following) => match told {
                Some(status) => heard.follow(&status),
                None => heard.loan.unguarded = true,
            },
            answer = &mut lender => {
                if let Some(status) = answer {
                    news = status.news;
                    heard.lender(&status);
                }
                lender.set(ask_lender(&place, news));
            }
            () = sleep_until(next) => {
                next = Instant::now() + if live { LIVE } else { SELDOM };
                heard.count(&place.stat);
                if live && let Some(Answer::Status(status)) = ask(&place, &Question::Status).await {
                    heard.loan.traffic.latency_usec = status.latency_usec.into();
                }
            }
            changed = watched.changed() => {
                if changed.is_err() {
                    return;
                }
                next = Instant::now();
            }
        }
        if heard.loan != before {
            let now = Happening::Loan(Box::new(heard.loan.clone()));
            if reporter.send(now).await.is_err() {
                return;
            }
        }
    }
}

type Lines = tokio::io::Lines<BufReader<UnixStream>>;

/// A supervisor that tells by itself how it is.
#[derive(Default)]
struct Following {
    lines: Option<Lines>,
    /// It was there.
    heard: bool,
    /// How often nobody was there since.
    missed: u32,
}

/// The next thing that the supervisor tells by itself; `None`, once, when it was there and is
/// gone for good.
async fn follow(place: &Place, following: &mut Following) -> Option<Status> {
    loop {
        if following.lines.is_none() {
            match open(place, &Question::Follow).await {
                Ok(stream) => following.lines = Some(BufReader::new(stream).lines()),
                Err(_) => following.missed = following.missed.saturating_add(1),
            }
        }
        let line = match &mut following.lines {
            Some(lines) => lines.next_line().await.ok().flatten(),
            None if following.heard && following.missed == GONE_AFTER => {
                following.missed += 1;
                return None;
            }
            None => None,
        };
        match line.map(|line| serde_json::from_str(&line)) {
            Some(Ok(Answer::Status(status))) => {
                (following.heard, following.missed) = (true, 0);
                return Some(status);
            }
            Some(_) => {}
            None => {
                following.lines = None;
                sleep(AGAIN).await;
            }
        }
    }
}

/// How the lender is, when its news are others than these; `None` after a while without an answer.
async fn ask_lender(place: &Place, news: u64) -> Option<control::Status> {
    match ask(place, &Question::Lender { news }).await {
        Some(Answer::Lender(status)) => Some(*status),
        _ => {
            sleep(AGAIN).await;
            None
        }
    }
}

async fn ask(place: &Place, question: &Question) -> Option<Answer> {
    let stream = open(place, question).await.ok()?;
    let mut line = Vec::new();
    let mut limited = stream.take(LINE_LIMIT as u64);
    limited.read_to_end(&mut line).await.ok()?;
    serde_json::from_slice(&line).ok()
}

async fn open(place: &Place, question: &Question) -> std::io::Result<UnixStream> {
    let address = SocketAddr::from_abstract_name(&place.socket)?;
    let stream = std::os::unix::net::UnixStream::connect_addr(&address)?;
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(stream)
}

impl Heard {
    fn follow(&mut self, status: &Status) {
        let now = crate::now();
        let ago = |secs: u64| now.wall_usec.saturating_sub(secs.saturating_mul(1_000_000));
        let loan = &mut self.loan;
        loan.unguarded = false;
        loan.lender = status.lender.to_string();
        // Told with each change, and each time a little differently.
        if loan.since_usec == 0 && status.held_secs > 0 {
            loan.since_usec = ago(status.held_secs);
        }
        loan.cable = match (status.card, status.carrier) {
            (false, _) => Cable::NoCard,
            (true, false) => Cable::Unplugged,
            (true, true) => Cable::Connected,
        };
        let waited = status.waiting_secs.unwrap_or(0);
        loan.hold = match (status.lost, status.connected, loan.hold) {
            (true, ..) => Hold::Lost,
            (false, true, _) => Hold::Held,
            (false, false, already @ Hold::Frozen { .. }) => already,
            (false, false, Hold::Held | Hold::Lost) => Hold::Frozen {
                since_usec: ago(waited),
                until: (status.patience_secs > 0).then(|| {
                    let left = status.patience_secs.saturating_sub(waited);
                    now.monotonic + Duration::from_secs(left)
                }),
            },
        };
        if status.speed_mbps > 0 {
            loan.link_speed_mbps = status.speed_mbps;
        }
    }

    fn lender(&mut self, status: &control::Status) {
        let now = crate::now();
        let loan = &mut self.loan;
        loan.lender = status.lender.to_string();
        if loan.since_usec == 0 {
            let held = status.held_secs.saturating_mul(1_000_000);
            loan.since_usec = now.wall_usec.saturating_sub(held);
        }
        if status.link_speed_mbps > 0 {
            loan.link_speed_mbps = status.link_speed_mbps;
        }
        loan.asked = match (status.asked_back_secs, loan.asked) {
            (None, _) => None,
            // The seconds pass, and are whole ones; only a much earlier end is another one.
            (Some(0), already) => Some(already.flatten()),
            (Some(secs), already) => {
                let new = now.monotonic + Duration::from_secs(secs);
                let known = already.flatten().filter(|old| *old < new + AGAIN);
                Some(Some(known.unwrap_or(new)))
            }
        };
        let disk = status.disk.as_ref();
        loan.lender_now = LenderNow {
            battery_percent: status.battery_percent,
            on_mains: status.on_ac,
            warning: status.battery_level.warning(),
            empty_in_secs: status.empty_in_secs,
            celsius: status.celsius,
            disk: match disk.map(|disk| disk.health) {
                None => Health::Unknown,
                Some(DiskHealth::Good) => Health::Good,
                Some(DiskHealth::Worn) => Health::Worn,
                Some(DiskHealth::Failing) => Health::Failing,
            },
            disk_detail: disk.map_or_else(String::new, |disk| disk.detail.clone()),
            disk_celsius: disk.and_then(|disk| disk.celsius),
        };
    }

    fn count(&mut self, stat: &Path) {
        let text = std::fs::read_to_string(stat).unwrap_or_default();
        let Some((rx_bytes, tx_bytes)) = counted(&text) else {
            return;
        };
        let now = crate::now().monotonic;
        let traffic = &mut self.loan.traffic;
        let elapsed = self
            .counted
            .map(|then| now.saturating_sub(then).as_secs_f64());
        let rate = |now: u64, then: u64| match elapsed {
            // A float that is too large becomes the largest number.
            Some(elapsed) if elapsed > 0.0 => (now.saturating_sub(then) as f64 / elapsed) as u64,
            Some(_) | None => 0,
        };
        *traffic = Traffic {
            latency_usec: traffic.latency_usec,
            rx_bytes,
            tx_bytes,
            rx_per_sec: rate(rx_bytes, traffic.rx_bytes),
            tx_per_sec: rate(tx_bytes, traffic.tx_bytes),
        };
        self.counted = Some(now);
    }
}

/// Bytes read and written, of the kernel's counters of a disk: the third and the seventh.
fn counted(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.split_ascii_whitespace();
    let sectors = |field: Option<&str>| field?.parse::<u64>().ok();
    let read = sectors(fields.nth(2))?;
    let written = sectors(fields.nth(3))?;
    Some((read.saturating_mul(SECTOR), written.saturating_mul(SECTOR)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, Write};
    use std::os::unix::net::UnixListener;
    use stiefel_core::preflight::BatteryWarning;
    use tokio::sync::mpsc;

    const STATUS: &str = r#"{"answer":"status","lender":"laptop","epoch":1,"connected":CONNECTED,
        "waiting_secs":WAITING,"carrier":CARRIER,"released":false,"card":true,"lost":LOST,
        "patience_secs":600,"held_secs":100,"speed_mbps":0,"latency_usec":321}"#;

    fn status(connected: bool, carrier: bool, lost: bool) -> String {
        let waiting = if connected { "null" } else { "7" };
        STATUS
            .replace("CONNECTED", &connected.to_string())
            .replace("WAITING", waiting)
            .replace("CARRIER", &carrier.to_string())
            .replace("LOST", &lost.to_string())
            .replace('\n', "")
    }

    /// A supervisor that tells followers what the test says, and that has one piece of news.
    fn supervisor(name: &str) -> std::sync::mpsc::Sender<String> {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let (tell, told) = std::sync::mpsc::channel::<String>();
        std::thread::spawn(move || {
            let mut told = Some(told);
            let mut waiting = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                std::io::BufReader::new(&stream)
                    .read_line(&mut line)
                    .unwrap();
                match serde_json::from_str(&line).unwrap() {
                    Question::Follow => {
                        let told = told.take().expect("one follower");
                        std::thread::spawn(move || {
                            for line in told {
                                writeln!(stream, "{line}").unwrap();
                            }
                        });
                    }
                    Question::Lender { news: 0 } => {
                        let news = r#"{"answer":"lender","lender":"laptop","loan":"held","epoch":1,
                            "held_secs":100,"battery_percent":4.0,"battery_level":"critical","on_ac":false,"read_bytes":0,
                            "written_bytes":0,"memory_bytes":0,"link_speed_mbps":2500,
                            "celsius":55.5,"asked_back_secs":60,"news":9,
                            "disk":{"health":"worn","detail":"old","celsius":null}}"#;
                        writeln!(stream, "{}", news.replace('\n', "")).unwrap();
                    }
                    // Nothing new, for as long as it takes.
                    Question::Lender { news } => {
                        assert_eq!(news, 9);
                        waiting.push(stream);
                    }
                    Question::Status => writeln!(stream, "{}", status(true, true, false)).unwrap(),
                    Question::Release { .. } => panic!("nobody gives it back"),
                }
            }
        });
        tell
    }

    #[tokio::test]
    async fn a_supervisor_that_is_gone_for_good_is_told_of_once() {
        let place = Place {
            socket: format!("stiefeld-test-gone-{}", std::process::id()),
            ..Place::default()
        };
        let address = SocketAddr::from_abstract_name(&place.socket).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let mut following = Following::default();
        let killed = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Whoever hangs up before that was never there.
            let mut question = String::new();
            std::io::BufReader::new(&stream)
                .read_line(&mut question)
                .unwrap();
            writeln!(stream, "{}", status(true, true, false)).unwrap();
        });
        assert!(follow(&place, &mut following).await.is_some());
        killed.join().unwrap();
        // Each look is one after a while of its own.
        following.missed = GONE_AFTER - 1;
        assert_eq!(follow(&place, &mut following).await, None);
        let later = tokio::time::timeout(Duration::ZERO, follow(&place, &mut following));
        assert!(later.await.is_err(), "it was told twice");
    }

    #[tokio::test]
    async fn what_supervisor_lender_and_kernel_say_becomes_the_loan() {
        let folder = tempfile::tempdir().unwrap();
        let stat = folder.path().join("stat");
        std::fs::write(&stat, "10 0 2000 5 20 0 400 9 0 14 14 0 0 0 0\n").unwrap();
        let place = Place {
            socket: format!("stiefeld-test-{}", std::process::id()),
            stat: stat.clone(),
        };
        let tell = supervisor(&place.socket);
        let (watched, watching) = watch::channel(false);
        let (reporter, mut happenings) = mpsc::channel(64);
        tokio::spawn(watch(place, watching, reporter));
        let mut until = async |fits: &dyn Fn(&Loan) -> bool| loop {
            match happenings.recv().await {
                Some(Happening::Loan(loan)) if fits(&loan) => return *loan,
                Some(Happening::Loan(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        tell.send(status(true, true, false)).unwrap();
        let loan = until(&|loan| {
            loan.since_usec > 0 && loan.link_speed_mbps > 0 && loan.traffic.rx_bytes > 0
        })
        .await;
        assert_eq!((loan.lender.as_str(), loan.hold), ("laptop", Hold::Held));
        assert_eq!(
            (loan.traffic.rx_bytes, loan.traffic.tx_bytes),
            (2000 * 512, 400 * 512)
        );
        assert_eq!(loan.lender_now.warning, BatteryWarning::Critical);
        assert_eq!(
            (loan.lender_now.disk, loan.lender_now.celsius),
            (Health::Worn, Some(55.5))
        );
        assert!(matches!(loan.asked, Some(Some(_))));

        tell.send(status(false, false, false)).unwrap();
        let frozen = until(&|loan| loan.hold != Hold::Held).await;
        assert_eq!(frozen.cable, Cable::Unplugged);
        let Hold::Frozen {
            until: Some(end), ..
        } = frozen.hold
        else {
            panic!("{frozen:?}");
        };
        let left = end.saturating_sub(crate::now().monotonic);
        assert!(left <= Duration::from_secs(593), "{left:?}");
        tell.send(status(false, true, false)).unwrap();
        let still = until(&|loan| loan.cable == Cable::Connected).await;
        assert_eq!(still.hold, frozen.hold, "the end of the patience moved");
        tell.send(status(false, true, true)).unwrap();
        until(&|loan| loan.hold == Hold::Lost).await;

        std::fs::write(&stat, "10 0 4000 5 20 0 400 9 0 14 14 0 0 0 0\n").unwrap();
        watched.send_replace(true);
        let measured = until(&|loan| loan.traffic.latency_usec > 0).await;
        assert_eq!(measured.traffic.latency_usec, 321);
        assert_eq!(measured.traffic.rx_bytes, 4000 * 512);
        assert!(measured.traffic.rx_per_sec > 0);
    }

    #[test]
    fn counters_are_read_where_they_are() {
        assert_eq!(counted("1 2 3 4 5 6 7 8"), Some((3 * 512, 7 * 512)));
        assert_eq!(counted("1 2 3 4"), None);
        assert_eq!(counted(""), None);
    }
}
