//! logind: locks against suspending and shutting down, and the clean way down.

use super::{Doing, Farewell, Happening, Reporter, Session, Trouble};
use futures_util::StreamExt;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::time::Duration;
use stiefel_core::preflight::Inhibitor;
use zbus::zvariant;

/// What a hand-off must not be disturbed by.
const HELD: &str = "sleep:idle:handle-lid-switch";
/// The first number of a person's account (`UID_MIN` in login.defs); smaller ones but root's
/// are those of services.
const FIRST_PERSON: u32 = 1000;
/// `SD_LOGIND_ROOT_CHECK_INHIBITORS` and `SD_LOGIND_REBOOT_VIA_KEXEC` (src/systemd/sd-login.h).
const CHECKED_KEXEC: u64 = 1 | 2;
/// `SD_LOGIND_ROOT_CHECK_INHIBITORS` alone.
const CHECKED: u64 = 1;
/// logind announces a shutdown at once; a logind that is silent for so long will not.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(30);
/// logind tells everybody of it, and does nothing when it is due: shutting down is our own task,
/// which may be called off, or come sooner.
const ONLY_TOLD: &str = "dry-poweroff";

type RawSession = (String, u32, String, String, zvariant::OwnedObjectPath);
/// Id, uid, user, seat, leader, class, tty, idle, since when, path.
type FullSession = (
    String,
    u32,
    String,
    String,
    u32,
    String,
    String,
    bool,
    u64,
    zvariant::OwnedObjectPath,
);
type RawInhibitor = (String, String, String, String, u32, u32);

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1",
    gen_blocking = false
)]
trait Manager {
    fn inhibit(
        &self,
        what: &str,
        who: &str,
        why: &str,
        mode: &str,
    ) -> zbus::Result<zvariant::OwnedFd>;
    fn list_inhibitors(&self) -> zbus::Result<Vec<RawInhibitor>>;
    fn list_sessions(&self) -> zbus::Result<Vec<RawSession>>;
    fn list_sessions_ex(&self) -> zbus::Result<Vec<FullSession>>;
    #[zbus(signal)]
    fn session_new(&self, id: &str, path: zvariant::ObjectPath<'_>) -> zbus::Result<()>;
    #[zbus(signal)]
    fn session_removed(&self, id: &str, path: zvariant::ObjectPath<'_>) -> zbus::Result<()>;
    fn power_off_with_flags(&self, flags: u64) -> zbus::Result<()>;
    fn reboot_with_flags(&self, flags: u64) -> zbus::Result<()>;
    fn set_wall_message(&self, text: &str, enable: bool) -> zbus::Result<()>;
    fn schedule_shutdown(&self, kind: &str, at_usec: u64) -> zbus::Result<()>;
    fn cancel_scheduled_shutdown(&self) -> zbus::Result<bool>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn scheduled_shutdown(&self) -> zbus::Result<(String, u64)>;
    #[zbus(signal)]
    fn prepare_for_shutdown(&self, start: bool) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn preparing_for_shutdown(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn block_inhibited(&self) -> zbus::Result<String>;
}

/// The session service of systemd.
pub struct Logind {
    manager: ManagerProxy<'static>,
}

impl Logind {
    /// logind on this bus; it need not run yet.
    ///
    /// # Errors
    /// The bus is lost.
    pub async fn new(bus: &zbus::Connection) -> Result<Self, Trouble> {
        let manager = ManagerProxy::new(bus)
            .await
            .map_err(|error| Trouble::new("cannot reach logind", error))?;
        Ok(Self { manager })
    }

    async fn list(&self) -> zbus::Result<Vec<Inhibitor>> {
        let all = self.manager.list_inhibitors().await?;
        Ok(all
            .into_iter()
            .filter(|(what, _, _, mode, ..)| {
                // "block-weak" lets root pass.
                mode == "block" && what.split(':').any(|what| what == "shutdown")
            })
            .map(|(_, who, why, ..)| Inhibitor { who, why })
            .collect())
    }

    /// Everybody who is logged in, but for the greeter and its like.
    async fn users(&self) -> zbus::Result<Vec<String>> {
        let sessions: Vec<(u32, String)> = match self.manager.list_sessions_ex().await {
            // Since 256, also what runs for somebody who is not there ("lingers") is a session.
            Ok(all) => all
                .into_iter()
                .filter(|(_, _, _, _, _, class, ..)| class.starts_with("user"))
                .map(|(_, uid, user, ..)| (uid, user))
                .collect(),
            // Before 256.
            Err(zbus::Error::MethodError(..)) => {
                let all = self.manager.list_sessions().await?.into_iter();
                all.map(|(_, uid, user, ..)| (uid, user)).collect()
            }
            Err(error) => return Err(error),
        };
        let users: BTreeSet<String> = sessions
            .into_iter()
            .filter(|(uid, _)| *uid == 0 || *uid >= FIRST_PERSON)
            .map(|(_, user)| user)
            .collect();
        Ok(users.into_iter().collect())
    }

    async fn schedule(
        &self,
        farewell: Option<Farewell>,
        before: Option<Farewell>,
    ) -> zbus::Result<()> {
        let (kind, at_usec) = self.manager.scheduled_shutdown().await?;
        if !may_replace(&kind, at_usec, before.as_ref()) {
            return Ok(());
        }
        match farewell {
            None if kind.is_empty() => {}
            None => {
                self.manager.cancel_scheduled_shutdown().await?;
                self.manager.set_wall_message("", true).await?;
            }
            Some(Farewell { why, at_usec }) => {
                self.manager.set_wall_message(&why, true).await?;
                self.manager.schedule_shutdown(ONLY_TOLD, at_usec).await?;
            }
        }
        Ok(())
    }

    async fn watch_locks(&self, reporter: &Reporter) {
        // The stream begins with the present value.
        let mut changes = self.manager.receive_block_inhibited_changed().await;
        while changes.next().await.is_some() {
            match self.list().await {
                Ok(now) => {
                    if reporter.send(Happening::Inhibitors(now)).await.is_err() {
                        return;
                    }
                }
                Err(error) => tracing::warn!("cannot ask logind for its locks: {error}"),
            }
        }
    }

    async fn watch_users(&self, reporter: &Reporter) -> zbus::Result<()> {
        let come = self.manager.receive_session_new().await?;
        let gone = self.manager.receive_session_removed().await?;
        let mut changes = futures_util::stream::select(come.map(drop), gone.map(drop));
        loop {
            match self.users().await {
                Ok(now) => {
                    if reporter.send(Happening::Users(now)).await.is_err() {
                        return Ok(());
                    }
                }
                Err(error) => tracing::warn!("cannot ask logind who is logged in: {error}"),
            }
            if changes.next().await.is_none() {
                return Ok(());
            }
        }
    }
}

impl Session for Logind {
    fn hold_sleep(&self) -> Doing<'_, OwnedFd> {
        Box::pin(async {
            self.manager
                .inhibit(
                    HELD,
                    "Stiefelsystem",
                    "The disk is about to be lent",
                    "block",
                )
                .await
                .map(OwnedFd::from)
                .map_err(|error| Trouble::new("cannot keep the machine from suspending", error))
        })
    }

    fn inhibitors(&self) -> Doing<'_, Vec<Inhibitor>> {
        Box::pin(async {
            self.list()
                .await
                .map_err(|error| Trouble::new("cannot ask logind who forbids to shut down", error))
        })
    }

    fn reboot_by_kexec(&self) -> Doing<'_, Infallible> {
        Box::pin(async {
            let tried = "cannot reboot into the ramdisk";
            let trouble = |error: zbus::Error| Trouble::new(tried, error);
            // One subscription for all, or a shutdown that is given up at once would be missed.
            let signals = self
                .manager
                .receive_prepare_for_shutdown()
                .await
                .map_err(trouble)?;
            let mut starts = std::pin::pin!(
                signals.filter_map(async |signal| signal.args().ok().map(|args| args.start))
            );
            self.manager
                .reboot_with_flags(CHECKED_KEXEC)
                .await
                .map_err(trouble)?;
            let begun = starts.by_ref().any(async |start| start);
            if !matches!(
                tokio::time::timeout(ANNOUNCED_WITHIN, begun).await,
                Ok(true)
            ) {
                return Err(Trouble::new(tried, "logind did not begin to shut down"));
            }
            Err(match starts.any(async |start| !start).await {
                true => Trouble::new(tried, "the shutdown was given up"),
                false => Trouble::new(tried, "the bus is gone"),
            })
        })
    }

    fn power_off(&self, force: bool) -> Doing<'_, ()> {
        Box::pin(async move {
            let flags = if force { 0 } else { CHECKED };
            self.manager
                .power_off_with_flags(flags)
                .await
                .map_err(|error| Trouble::new("cannot shut this system down", error))
        })
    }

    fn announce(&self, farewell: Option<Farewell>, before: Option<Farewell>) -> Doing<'_, ()> {
        Box::pin(async move {
            self.schedule(farewell, before)
                .await
                .map_err(|error| Trouble::new("cannot tell who works at a terminal", error))
        })
    }

    fn going_down(&self) -> Doing<'_, bool> {
        Box::pin(async {
            self.manager
                .preparing_for_shutdown()
                .await
                .map_err(|error| Trouble::new("cannot ask logind whether it shuts down", error))
        })
    }

    fn watch(&self, reporter: Reporter) -> Doing<'_, ()> {
        Box::pin(async move {
            let users = async {
                if let Err(error) = self.watch_users(&reporter).await {
                    tracing::warn!("cannot watch who is logged in: {error}");
                }
            };
            futures_util::future::join(self.watch_locks(&reporter), users).await;
            Ok(())
        })
    }
}

/// Whether there is no plan to shut down, or only ours. Of a person's everybody is told already.
fn may_replace(kind: &str, at_usec: u64, ours: Option<&Farewell>) -> bool {
    kind.is_empty() || ours.is_some_and(|ours| ours.at_usec == at_usec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shutdown_that_a_person_has_planned_stays() {
        let ours = Farewell {
            why: String::new(),
            at_usec: 7,
        };
        assert!(may_replace("", u64::MAX, None));
        assert!(may_replace("", 0, Some(&ours)));
        assert!(may_replace("poweroff", 7, Some(&ours)));
        assert!(!may_replace("poweroff", 8, Some(&ours)));
        assert!(!may_replace("poweroff", 7, None));
    }
}
