//! The bundle's seal: AES-128-EAX in STREAM chunks ("Online Authenticated-Encryption
//! and its Nonce-Reuse Misuse-Resistance", Hoang, Reyhanitabar, Rogaway, Vizár 2015;
//! 32-bit counter and a last-block byte in the nonce).
//!
//! Every chunk is verified as it arrives, so memory stays flat and nothing
//! unverified is ever handed on. All chunks but the last have [`CHUNK_LEN`]
//! bytes of content; a stream that is cut, also between two chunks, has no
//! authentic last one.

use aead_stream::{DecryptorBE32, EncryptorBE32};
use aes::Aes128;
use eax::Eax;
use zeroize::Zeroizing;

/// Content of a chunk, bytes: large enough that the tag costs nothing, small beside any memory.
pub const CHUNK_LEN: usize = 64 << 10;
/// What the seal adds to each chunk, bytes.
pub const TAG_LEN: usize = 16;
/// A chunk on the wire, bytes.
pub const SEALED_LEN: usize = CHUNK_LEN + TAG_LEN;

/// Key and nonce prefix of one stream; never used for a second one.
pub struct SealKey(pub(crate) Zeroizing<[u8; 27]>);

impl SealKey {
    fn parts(&self) -> ([u8; 16], [u8; 11]) {
        let mut key = [0; 16];
        let mut nonce = [0; 11];
        key.copy_from_slice(&self.0[..16]);
        nonce.copy_from_slice(&self.0[16..]);
        (key, nonce)
    }
}

/// The seal is broken: something was altered, cut, reordered, or is of another exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the seal is broken: what arrived is not what the lender sent; nothing of it was used")]
pub struct Broken;

/// Seals a stream.
pub struct Sealer(EncryptorBE32<Eax<Aes128>>);

impl Sealer {
    /// Starts the stream.
    #[must_use]
    pub fn new(key: &SealKey) -> Self {
        use aead_stream::{KeyInit, NewStream, StreamBE32};
        let (key, nonce) = key.parts();
        let stream = StreamBE32::from_aead(Eax::new(&key.into()), &nonce.into());
        Self(EncryptorBE32::from_stream_primitive(stream))
    }

    /// Seals a chunk of exactly [`CHUNK_LEN`] bytes, in place.
    ///
    /// # Errors
    /// Another length, or more than 2^32 chunks.
    pub fn next(&mut self, chunk: &mut Vec<u8>) -> Result<(), Broken> {
        if chunk.len() != CHUNK_LEN {
            return Err(Broken);
        }
        self.0.encrypt_next_in_place(&[], chunk).map_err(|_| Broken)
    }

    /// Seals the last chunk of at most [`CHUNK_LEN`] bytes, in place.
    ///
    /// # Errors
    /// A longer chunk.
    pub fn last(self, chunk: &mut Vec<u8>) -> Result<(), Broken> {
        if chunk.len() > CHUNK_LEN {
            return Err(Broken);
        }
        self.0.encrypt_last_in_place(&[], chunk).map_err(|_| Broken)
    }
}

/// Opens a sealed stream, in pieces of any size.
pub struct Opener {
    stream: DecryptorBE32<Eax<Aes128>>,
    pending: Vec<u8>,
}

impl Opener {
    /// Starts at the beginning of the stream.
    #[must_use]
    pub fn new(key: &SealKey) -> Self {
        use aead_stream::{KeyInit, NewStream, StreamBE32};
        let (key, nonce) = key.parts();
        let stream = StreamBE32::from_aead(Eax::new(&key.into()), &nonce.into());
        Self {
            stream: DecryptorBE32::from_stream_primitive(stream),
            pending: Vec::with_capacity(SEALED_LEN + 1),
        }
    }

    /// Takes in what arrived and hands each verified chunk to `sink`.
    ///
    /// # Errors
    /// The seal is broken; what came before is authentic but not complete.
    pub fn feed<E: From<Broken>>(
        &mut self,
        mut bytes: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            // A full chunk is opened only when another byte follows: it may be the last.
            if self.pending.len() == SEALED_LEN {
                self.stream
                    .decrypt_next_in_place(&[], &mut self.pending)
                    .map_err(|_| Broken)?;
                sink(&self.pending)?;
                self.pending.clear();
            }
            let take = bytes.len().min(SEALED_LEN - self.pending.len());
            let (now, later) = bytes.split_at(take);
            self.pending.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Opens the last chunk: only now the stream is known to be whole.
    ///
    /// # Errors
    /// The stream was cut or its end altered.
    pub fn finish<E: From<Broken>>(
        mut self,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stream
            .decrypt_last_in_place(&[], &mut self.pending)
            .map_err(|_| Broken)?;
        sink(&self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey(Zeroizing::new([byte; 27]))
    }

    fn seal(content: &[u8]) -> Vec<Vec<u8>> {
        let mut sealer = Sealer::new(&key(1));
        let mut chunks: Vec<Vec<u8>> = content.chunks(CHUNK_LEN).map(<[u8]>::to_vec).collect();
        let mut last = chunks.pop().unwrap_or_default();
        for chunk in &mut chunks {
            sealer.next(chunk).unwrap();
        }
        sealer.last(&mut last).unwrap();
        chunks.push(last);
        chunks
    }

    fn open(key: &SealKey, sealed: &[u8], piece: usize) -> Result<Vec<u8>, Broken> {
        let mut opener = Opener::new(key);
        let mut content = vec![];
        let mut sink = |chunk: &[u8]| -> Result<(), Broken> {
            content.extend_from_slice(chunk);
            Ok(())
        };
        for piece in sealed.chunks(piece) {
            opener.feed(piece, &mut sink)?;
        }
        opener.finish(&mut sink)?;
        Ok(content)
    }

    #[test]
    fn comes_back_whatever_the_sizes() {
        for len in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN] {
            let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let sealed = seal(&content).concat();
            for piece in [1000, SEALED_LEN, SEALED_LEN + 1, usize::MAX] {
                assert_eq!(
                    open(&key(1), &sealed, piece),
                    Ok(content.clone()),
                    "{len} {piece}"
                );
            }
        }
    }

    #[test]
    fn cut_reordered_doubled_flipped_or_foreign_is_refused() {
        let chunks = seal(&vec![5; 3 * CHUNK_LEN + 10]);
        let whole = chunks.concat();
        assert!(open(&key(1), &whole, 4096).is_ok());
        for len in [
            0,
            10,
            SEALED_LEN,
            2 * SEALED_LEN,
            3 * SEALED_LEN,
            whole.len() - 1,
        ] {
            assert_eq!(
                open(&key(1), &whole[..len], 4096),
                Err(Broken),
                "cut at {len}"
            );
        }
        let order = |order: &[usize]| -> Vec<u8> {
            order.iter().flat_map(|at| chunks[*at].clone()).collect()
        };
        for wrong in [
            [1, 0, 2, 3].as_slice(),
            &[0, 0, 1, 2, 3],
            &[0, 2, 3],
            &[0, 1, 2, 3, 3],
        ] {
            assert_eq!(open(&key(1), &order(wrong), 4096), Err(Broken), "{wrong:?}");
        }
        for at in [0, CHUNK_LEN, SEALED_LEN - 1, SEALED_LEN, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert_eq!(
                open(&key(1), &flipped, 4096),
                Err(Broken),
                "flipped at {at}"
            );
        }
        assert_eq!(open(&key(2), &whole, 4096), Err(Broken));
    }

    #[test]
    fn nothing_unverified_is_handed_on() {
        let mut sealed = seal(&vec![5; 2 * CHUNK_LEN]).concat();
        sealed[SEALED_LEN + 7] ^= 1;
        let mut seen = 0;
        let mut opener = Opener::new(&key(1));
        let mut sink = |chunk: &[u8]| -> Result<(), Broken> {
            seen += chunk.len();
            Ok(())
        };
        let fed = opener.feed(&sealed, &mut sink);
        assert!(fed.and_then(|()| opener.finish(&mut sink)).is_err());
        assert_eq!(seen, CHUNK_LEN);
    }
}
