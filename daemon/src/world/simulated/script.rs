//! The script: what happens in a simulated world, a command per line.
//!
//! Words are separated by blanks; a word in `"` may have blanks in it; what comes
//! after a word that begins with `#` is for people. On the socket, a command is answered
//! by `ok` and maybe a text, or by `error` and the reason, after the daemon's loop was told
//! of it.

use super::loan::SimulatedLoan;
use super::{Levers, commands};
use crate::request::{Answer, Call, Request};
use crate::view::View;
use crate::world::{Ends, Happening, PowerNow, Reporter};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stiefel_core::pairing::PairingId;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};

pub(super) fn listen(folder: &Path) -> std::io::Result<UnixListener> {
    let socket = folder.join("script");
    let _ = fs::remove_file(&socket);
    UnixListener::bind(socket)
}

/// Who obeys a script.
#[derive(Clone)]
pub(super) struct Stage {
    pub levers: Levers,
    pub reporter: Reporter,
    pub audience: watch::Receiver<Option<crate::world::searches::Audience>>,
    /// Whether anybody watches the loan.
    pub watched: watch::Receiver<bool>,
    shown: watch::Receiver<Arc<View>>,
}

impl Stage {
    pub(super) fn new(levers: Levers, ends: &Ends) -> Self {
        Self {
            levers,
            reporter: ends.reporter.clone(),
            audience: ends.audience.clone(),
            watched: ends.watched.clone(),
            shown: ends.shown.clone(),
        }
    }

    /// Obeys the lines of a file, then whoever connects. `ready` is told before the first
    /// wait, or at the end of the file.
    pub(super) async fn play(
        self,
        lines: Vec<String>,
        listener: UnixListener,
        ready: oneshot::Sender<()>,
    ) {
        let file = self.clone();
        tokio::spawn(async move {
            let mut ready = Some(ready);
            for (at, line) in lines.iter().enumerate() {
                let words = words(line);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                if let ["wait", ..] = words[..]
                    && ready.is_some()
                {
                    file.settle().await;
                    ready.take();
                }
                if let Err(why) = commands::obey(&file, &words).await {
                    tracing::error!("line {} of the script: {line}: {why}", at + 1);
                }
            }
            file.settle().await;
        });
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().read(stream));
        }
    }

    async fn read(self, stream: UnixStream) {
        let (from, mut to) = stream.into_split();
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let words = words(&line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let answer = match commands::obey(&self, &words).await {
                Ok(text) => format!("ok {text}\n"),
                Err(why) => format!("error {why}\n"),
            };
            if to.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    pub(super) async fn tell(&self, happening: Happening) {
        // Nobody is left to be told when the daemon ends.
        let _ = self.reporter.send(happening).await;
    }

    /// Returns when everybody can see all that was told.
    async fn settle(&self) {
        // Nobody has no name.
        let _ = self.ask(Request::Unsubscribe(String::new())).await;
    }

    /// Asks what people ask, without asking whether they may.
    pub(super) async fn ask(&self, request: Request) -> Result<String, String> {
        let (reply, answer) = oneshot::channel();
        let over = |_| "the daemon is about to end".to_owned();
        self.tell(Happening::Asked(Call { request, reply })).await;
        match answer.await.map_err(|_| over(()))? {
            Ok(Answer::Paired(id)) => Ok(id.to_string()),
            Ok(Answer::Begun(job)) => Ok(job.to_string()),
            Ok(Answer::Done | Answer::Ticket(_)) => Ok(String::new()),
            Err(refused) => Err(refused.to_string()),
        }
    }

    /// A pairing, by its id or its name.
    pub(super) fn pairing(&self, text: &str) -> Result<PairingId, String> {
        let view = self.shown.borrow();
        let mut named = view.pairings.iter().filter(|(_, one)| one.name == text);
        match named.next() {
            Some((id, _)) => Ok(*id),
            None => text.parse().map_err(|error| format!("{error}")),
        }
    }

    /// The number of the job that goes on.
    pub(super) fn job(&self) -> Result<u32, String> {
        let view = self.shown.borrow();
        let running =
            |job: &crate::view::JobView| job.state == stiefel_dbus::words::JobState::Running;
        let jobs: &BTreeMap<_, _> = &view.jobs;
        let mut numbers = jobs.iter().filter(|(_, job)| running(job));
        let (number, _) = numbers.next().ok_or("no job goes on")?;
        Ok(*number)
    }

    pub(super) async fn loan(&self, words: &[&str]) -> Result<(), String> {
        let mut done = Ok(());
        self.levers.loan.send_modify(|loan| {
            done = match loan {
                Some(loan) => loan.command(words),
                None => Err("there is no loan; try: loan begin NAME".into()),
            };
        });
        done?;
        self.tell_loan().await;
        Ok(())
    }

    pub(super) async fn begin_loan(&self, lender: &str) -> Result<String, String> {
        let loan = SimulatedLoan::begin(lender);
        self.levers.loan.send_replace(Some(loan));
        self.tell_loan().await;
        self.levers.said.send_modify(|said| said.borrowed = true);
        self.ask(Request::Refresh).await
    }

    async fn tell_loan(&self) {
        let now = self
            .levers
            .loan
            .borrow()
            .as_ref()
            .map(|now| now.loan.clone());
        if let Some(loan) = now {
            self.tell(Happening::Loan(Box::new(loan))).await;
        }
    }
}

/// The words of a line.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// Battery and mains, as a script says them.
pub(super) fn power(percent: &str, source: &str, more: &[&str]) -> Result<PowerNow, String> {
    let (warning, empty_in_secs) = match more {
        [] => ("none", 0),
        [warning] => (*warning, 0),
        [warning, secs, ..] => (*warning, secs.parse().map_err(|_| "no seconds")?),
    };
    Ok(PowerNow {
        battery_percent: percent.parse().ok(),
        on_mains: source == "mains",
        warning: super::loan::warning(warning)?,
        empty_in_secs,
    })
}

/// So many seconds ago, in microseconds since the epoch.
pub(super) fn usec_ago(secs: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let then = now
        .unwrap_or_default()
        .saturating_sub(Duration::from_secs(secs));
    u64::try_from(then.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_may_be_quoted_and_lines_may_be_for_people() {
        assert_eq!(
            words("  pair  \"My desk\" ask # why"),
            ["pair", "My desk", "ask"]
        );
        assert_eq!(words("pair \"open"), ["pair", "open"]);
        assert!(words("# nothing").is_empty() && words("").is_empty());
    }
}
