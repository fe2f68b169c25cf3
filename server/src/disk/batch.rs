//! Replies that leave together.

/// Longest read that is copied; from here on, splicing wins over copying (measured).
pub(super) const SMALL_BYTES: usize = 64 << 10;

/// Room for the answers to a queue of 32 reads of 4 KiB.
const BATCH_BYTES: usize = 32 * (4096 + 32);

/// Replies that were not sent yet.
pub(super) struct Batch {
    bytes: Box<[u8]>,
    end: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BATCH_BYTES].into(),
            end: 0,
        }
    }

    pub(super) fn replies(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    pub(super) fn clear(&mut self) {
        self.end = 0;
    }

    /// The next `length` free bytes; `None` if there are not so many. They are part of
    /// the batch only after [`Batch::keep`].
    pub(super) fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        self.bytes[self.end..].get_mut(..length)
    }

    /// Keeps the first `length` bytes of the room.
    pub(super) fn keep(&mut self, length: usize) {
        self.end += length;
    }

    /// Adds a reply; false if there is no room.
    pub(super) fn push(&mut self, reply: &[u8]) -> bool {
        let Some(room) = self.room(reply.len()) else {
            return false;
        };
        room.copy_from_slice(reply);
        self.keep(reply.len());
        true
    }
}

// The longest small reply fits an empty batch.
const _: () = assert!(SMALL_BYTES + 32 <= BATCH_BYTES);
