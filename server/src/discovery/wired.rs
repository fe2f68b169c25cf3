//! The wired interfaces of this network namespace, as they come and go.

use std::io;
use stiefel_linux::links::{Link, Links, Monitor};
use tokio::io::unix::AsyncFd;

/// Which interfaces take part.
pub type LinkFilter = Box<dyn Fn(&Link) -> bool + Send>;

/// Lists the interfaces that take part, and tells when to list them again.
pub(super) struct Wired {
    monitor: AsyncFd<Monitor>,
    links: Links,
    filter: LinkFilter,
}

impl Wired {
    pub(super) fn open(filter: LinkFilter) -> io::Result<Self> {
        // The monitor comes first, so that no change is missed.
        let monitor = Monitor::open().map_err(io::Error::other)?;
        Ok(Self {
            monitor: watch(monitor)?,
            links: Links::open().map_err(io::Error::other)?,
            filter,
        })
    }

    pub(super) fn list(&mut self) -> io::Result<Vec<Link>> {
        let mut links = self.links.list().map_err(io::Error::other)?;
        links.retain(|link| link.up && (self.filter)(link));
        Ok(links)
    }

    /// Until something has changed.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.monitor.readable_mut().await?;
            let changed = ready.get_inner_mut().drain().map_err(io::Error::other)?;
            ready.clear_ready();
            if changed {
                return Ok(());
            }
        }
    }
}

#[allow(unsafe_code)]
fn watch(monitor: Monitor) -> io::Result<AsyncFd<Monitor>> {
    // SAFETY: a monitor owns its socket, and neither replaces nor closes it before it is dropped.
    Ok(unsafe { AsyncFd::register(monitor) }?)
}
