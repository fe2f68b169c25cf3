//! Makes ramdisks in a process of its own: a daemon that has made one is not
//! larger for it afterwards, and one that dies leaves nothing half-done.
//!
//! The maker is this program once more. It tells how far it is on its standard
//! output, a number per line, what went wrong on its error output, and breaks off
//! when its standard input ends: when we drop our end, or are dead.

use super::{Happening, Maker, Progress, Reporter, Running, Trouble};
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The argument that makes a maker of this program.
pub const ARGUMENT: &str = "--make-image";
/// What a maker may say about a failure, bytes.
const MAX_COMPLAINT: u64 = 4096;

/// Makes the ramdisk of this kernel.
pub struct ImageMaker {
    /// Release of the running kernel.
    pub release: String,
}

impl Maker for ImageMaker {
    fn start(&self, number: u32, reporter: Reporter) -> Result<Running, Trouble> {
        let mut child = Command::new("/proc/self/exe")
            .args([ARGUMENT, &self.release])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Trouble::new("cannot start to make the ramdisk", error))?;
        let stdin = child.stdin.take();
        std::thread::spawn(move || follow(child, number, &reporter));
        Ok(Box::new(stdin))
    }
}

fn follow(mut child: Child, number: u32, reporter: &Reporter) {
    let told = child.stdout.take().map(BufReader::new);
    for line in told.into_iter().flat_map(BufReader::lines) {
        let progress = line.ok().and_then(|line| line.parse().ok());
        if let Some(progress) = progress {
            // The loop that is gone has dropped the other end, too: the maker ends.
            let _ = reporter.blocking_send(Happening::Progressed(number, Progress::of(progress)));
        }
    }
    let mut complaint = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(MAX_COMPLAINT).read_to_string(&mut complaint);
    }
    let end = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if complaint.trim().is_empty() => Err(Trouble(format!(
            "the ramdisk was not made: its maker ended with {status}"
        ))),
        Ok(_) => Err(Trouble(complaint.trim().to_owned())),
        Err(error) => Err(Trouble::new("cannot wait for the ramdisk", error)),
    };
    let _ = reporter.blocking_send(Happening::Ended(number, end));
}

/// What the maker does.
///
/// # Errors
/// What `stiefel_image` says.
pub fn make(release: &str) -> anyhow::Result<()> {
    let end = Arc::new(AtomicBool::new(false));
    let ending = Arc::clone(&end);
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        ending.store(true, Ordering::Relaxed);
    });
    let options = stiefel_image::Options::new(Path::new("/"), release);
    let mut last = None;
    stiefel_image::build_watched(&options, &mut |share| {
        let percent = (share * 100.0).floor();
        if last.replace(percent) != Some(percent) {
            let mut stdout = std::io::stdout().lock();
            let _ = writeln!(stdout, "{share}").and_then(|()| stdout.flush());
        }
        match end.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(())
}
