//! Sorts the content of a bundle into its files as it arrives.

use super::FetchError;
use std::fs::File;
use std::io::{self, Seek, Write};
use stiefel_core::bundle::{Answer, Grant, MAX_ANSWER_LEN};
use stiefel_core::cpio::padding;
use stiefel_linux::memfd;

/// The files of a bundle, as far as they have arrived.
pub(super) struct Unpacked {
    head: Vec<u8>,
    grant: Option<Grant>,
    /// Which file is being filled (0 is the kernel), and how much of it is still to come.
    at: usize,
    left: u64,
    kernel: File,
    initramfs: File,
    taken: u64,
}

impl Unpacked {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            head: vec![],
            grant: None,
            at: 0,
            left: 0,
            kernel: memfd::create("stiefel-kernel").map_err(io::Error::other)?,
            initramfs: memfd::create("stiefel-initramfs").map_err(io::Error::other)?,
            taken: 0,
        })
    }

    /// Bytes so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes in all, once the lender has said it.
    pub(super) fn expected(&self) -> Option<u64> {
        let grant = self.grant.as_ref()?;
        Some(grant.kernel_len + grant.initramfs_lens.iter().sum::<u64>())
    }

    /// Takes in verified content.
    pub(super) fn take(&mut self, mut content: &[u8]) -> Result<(), FetchError> {
        if self.grant.is_none() {
            content = self.read_head(content)?;
        }
        while !content.is_empty() {
            if self.left == 0 {
                return Err(FetchError::Nonsense("it is longer than announced"));
            }
            let most = usize::try_from(self.left).unwrap_or(usize::MAX);
            let (now, later) = content.split_at(content.len().min(most));
            let file = match self.at {
                0 => &mut self.kernel,
                _ => &mut self.initramfs,
            };
            file.write_all(now)?;
            self.left -= now.len() as u64;
            self.taken += now.len() as u64;
            content = later;
            self.next_file()?;
        }
        Ok(())
    }

    /// Length and JSON come first; returns what follows them.
    fn read_head<'a>(&mut self, content: &'a [u8]) -> Result<&'a [u8], FetchError> {
        // Both fit into the first chunk or two, so this copies little.
        let had = self.head.len();
        self.head.extend_from_slice(content);
        let Some((len, json)) = self.head.split_first_chunk::<4>() else {
            return Ok(&[]);
        };
        let len = u32::from_be_bytes(*len) as usize;
        if len > MAX_ANSWER_LEN {
            return Err(FetchError::Nonsense("its header is too long"));
        }
        let Some(json) = json.get(..len) else {
            return Ok(&[]);
        };
        let answer = serde_json::from_slice(json)
            .map_err(|_| FetchError::Nonsense("its header cannot be read"))?;
        let grant = match answer {
            Answer::Grant(grant) if grant.is_sane() => grant,
            Answer::Grant(_) => return Err(FetchError::Nonsense("its lengths are not sane")),
            Answer::Refused { lent_to, message } => {
                return Err(FetchError::Refused { lent_to, message });
            }
        };
        self.left = grant.kernel_len;
        self.grant = Some(grant);
        Ok(&content[4 + len - had..])
    }

    /// Goes on to the next file that is not empty, once this one is complete.
    fn next_file(&mut self) -> io::Result<()> {
        let Some(grant) = &self.grant else {
            return Ok(());
        };
        while self.left == 0 && self.at < grant.initramfs_lens.len() {
            if self.at > 0 {
                pad(&mut self.initramfs, grant.initramfs_lens[self.at - 1])?;
            }
            self.left = grant.initramfs_lens[self.at];
            self.at += 1;
        }
        Ok(())
    }

    /// The files, if nothing is missing.
    pub(super) fn finish(mut self) -> Result<(Grant, File, File), FetchError> {
        let complete = |grant: &Grant| self.left == 0 && self.at == grant.initramfs_lens.len();
        let grant = self
            .grant
            .take()
            .filter(complete)
            .ok_or(FetchError::Nonsense("it is shorter than announced"))?;
        if let Some(last) = grant.initramfs_lens.last() {
            pad(&mut self.initramfs, *last)?;
        }
        self.kernel.rewind()?;
        Ok((grant, self.kernel, self.initramfs))
    }
}

/// The kernel reads several archives one after the other only from multiples of 4 bytes.
fn pad(file: &mut File, len: u64) -> io::Result<()> {
    file.write_all(&[0; 4][..padding(len)])
}
