//! The folder of the configuration: every change in it is noticed.

use super::{Happening, Reporter, Trouble};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use std::mem::MaybeUninit;
use std::path::Path;

/// What changes a file for whoever reads it.
const CHANGES: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO);

/// Reports each change of the folder, also that it was made or replaced; blocks for ever.
///
/// # Errors
/// Neither the folder nor the one that it is in can be watched.
pub fn watch(folder: &Path, reporter: &Reporter) -> Result<(), Trouble> {
    let tried = |error| Trouble::new(format!("cannot watch {}", folder.display()), error);
    let above = folder.parent().unwrap_or(folder);
    loop {
        let watch = inotify::init(CreateFlags::CLOEXEC).map_err(tried)?;
        let ends = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        let there = inotify::add_watch(&watch, folder, CHANGES | ends | WatchFlags::ONLYDIR);
        if there.is_err() {
            let comes = WatchFlags::CREATE | WatchFlags::MOVED_TO;
            inotify::add_watch(&watch, above, comes | WatchFlags::ONLYDIR).map_err(tried)?;
            // It may have come between the two.
            if folder.is_dir() {
                continue;
            }
        }
        // Whatever changed before we watched.
        if reporter.blocking_send(Happening::Reload).is_err() {
            return Ok(());
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&watch, &mut buffer);
        loop {
            let mut again = false;
            // All that one read gives are one change.
            loop {
                let event = events.next().map_err(tried)?;
                let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED;
                again |= there.is_err() || event.events().intersects(gone);
                if events.is_buffer_empty() {
                    break;
                }
            }
            if again {
                break;
            }
            if reporter.blocking_send(Happening::Reload).is_err() {
                return Ok(());
            }
        }
    }
}
