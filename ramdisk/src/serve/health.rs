//! Asks the lent disk how it is, now and then, from a thread on which nothing waits.

use std::time::Duration;

use stiefel_core::control::DiskStatus;
use stiefel_linux::block::Disk;
use stiefel_linux::health;
use tokio::sync::watch;

use crate::console;

/// Seldom enough to be no load, often enough to tell of a disk that gets hot.
const ASK_EVERY: Duration = Duration::from_secs(5 * 60);

/// Starts to ask. What a disk does not tell is `None` for ever.
///
/// # Errors
/// No memory for a thread.
pub fn watch(disk: Disk) -> std::io::Result<watch::Receiver<Option<DiskStatus>>> {
    let (told, known) = watch::channel(None);
    let ask = move || {
        let mut warned = false;
        while !told.is_closed() {
            match health::read(&disk) {
                Ok(Some(status)) => {
                    told.send_if_modified(|before| {
                        let news = before.as_ref() != Some(&status);
                        *before = Some(status);
                        news
                    });
                }
                Ok(None) => return,
                Err(error) if !warned => {
                    warned = true;
                    console::note(&format!("{error}."));
                }
                Err(_) => {}
            }
            std::thread::sleep(ASK_EVERY);
        }
    };
    std::thread::Builder::new()
        .name("health".into())
        .spawn(ask)?;
    Ok(known)
}
