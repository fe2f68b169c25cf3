//! The one error of this crate: what was tried, on what, and what the kernel said.

use std::io;

/// A kernel interface refused. The text is a full sentence for a person;
/// [`Error::errno`] is for code that decides.
#[derive(Debug, thiserror::Error)]
#[error("{tried}: {cause}")]
pub struct Error {
    tried: String,
    cause: io::Error,
}

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with the words for what was tried, on what.
    pub fn new(tried: impl Into<String>, cause: impl Into<io::Error>) -> Self {
        Self {
            tried: tried.into(),
            cause: cause.into(),
        }
    }

    /// The kernel's error number, where it was the kernel who refused.
    pub fn errno(&self) -> Option<i32> {
        self.cause.raw_os_error()
    }

    /// The kind of the cause, in the standard library's terms.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    /// Whether the kernel answered with this error number.
    pub fn is(&self, errno: rustix::io::Errno) -> bool {
        self.errno() == Some(errno.raw_os_error())
    }
}

/// Adds to an I/O result what was tried.
pub(crate) trait Tried<T> {
    fn tried(self, tried: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Tried<T> for std::result::Result<T, E> {
    fn tried(self, tried: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::new(tried(), cause))
    }
}
