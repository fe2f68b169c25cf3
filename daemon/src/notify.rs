//! What systemd is told, by a thread of its own: its socket may be full, and nobody shall
//! wait for that.

use sd_notify::NotifyState;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A systemd that has not heard our last words by then does not need them.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Tells systemd everything in its order.
pub struct Notifier {
    teller: Teller,
    told: oneshot::Receiver<()>,
}

/// Where others say what to tell.
#[derive(Clone)]
pub struct Teller(mpsc::Sender<NotifyState<'static>>);

impl Teller {
    /// Tells it, soon.
    pub fn tell(&self, state: NotifyState<'static>) {
        // Nobody listens outside of systemd.
        let _ = self.0.send(state);
    }
}

impl Notifier {
    /// Outside of systemd, it tells nobody.
    #[must_use]
    pub fn start() -> Self {
        let (to_tell, queue) = mpsc::channel();
        let (all_told, told) = oneshot::channel();
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            std::thread::spawn(move || {
                for state in queue {
                    // What cannot be told now cannot be told later.
                    let _ = sd_notify::notify(&[state]);
                }
                let _ = all_told.send(());
            });
        }
        Self {
            teller: Teller(to_tell),
            told,
        }
    }

    /// For somebody else; nobody may keep it longer than us.
    #[must_use]
    pub fn teller(&self) -> Teller {
        self.teller.clone()
    }

    /// Says that we end, and waits until all is told, but not for ever.
    pub async fn finish(self) {
        self.teller.tell(NotifyState::Stopping);
        drop(self.teller);
        let _ = tokio::time::timeout(LAST_WORDS, self.told).await;
    }
}
