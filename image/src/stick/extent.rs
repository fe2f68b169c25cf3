//! What lies where on a medium, before it is written.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::Error;

/// Bytes that are somewhere already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data<'a> {
    /// In memory.
    Bytes(Cow<'a, [u8]>),
    /// A whole file of this many bytes.
    File(PathBuf, u64),
    /// This many zeros.
    Zeros(u64),
}

/// Data and its place, bytes from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent<'a> {
    pub at: u64,
    pub data: Data<'a>,
}

impl<'a> Data<'a> {
    /// A file as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let metadata = path.metadata().map_err(Error::file("read", path))?;
        Ok(Self::File(path.to_owned(), metadata.len()))
    }

    /// Text or bytes of our own.
    pub fn owned(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Cow::Owned(bytes.into()))
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, len) | Self::Zeros(len) => *len,
        }
    }

    /// A reader of exactly [`Data::len`] bytes, or fewer if a file has shrunk.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(&'a self) -> Result<Box<dyn Read + 'a>, Error> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::File(path, len) => Box::new(
                File::open(path)
                    .map_err(Error::file("read", path))?
                    .take(*len),
            ),
            Self::Zeros(len) => Box::new(io::repeat(0).take(*len)),
        })
    }
}
