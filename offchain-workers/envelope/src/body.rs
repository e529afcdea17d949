//! Bodies: segments under one content key. See the crate's documentation for the format.

use crate::{wrap::INFO, Binding, ContentKey, Error};
use aes_gcm::{aead::AeadInPlace, Aes256Gcm, KeyInit, Nonce, Tag};
use blake2::{digest::consts::U32, Blake2b, Digest};
use sha2::Sha256;
use std::io::{ErrorKind, Read, Write};
use zeroize::{Zeroize, Zeroizing};

/// Plaintext bytes of a segment.
pub const SEGMENT: usize = 1 << 20;
const TAG: usize = 16;
const SEALED_SEGMENT: usize = SEGMENT + TAG;
const COMMITMENT: usize = 32;
const SMALLEST_CLASS: usize = 256;
const CHUNK: usize = 64 << 10;

/// What is known of a body once it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedBody {
    /// Blake2b-256 of the ciphertext.
    pub hash: [u8; 32],
    /// Length of the ciphertext in bytes.
    pub length: u64,
    /// Length of the plaintext in bytes.
    pub plain_length: u64,
}

/// Length in bytes of the body that seals `plain` bytes: 32, then 1 MiB + 16 for each whole MiB, then 16 and the next
/// power of two above the rest, at least 256. `None` above 2^64.
pub fn sealed_length(plain: u64) -> Option<u64> {
    let whole = plain / SEGMENT as u64;
    let rest = size_class((plain % SEGMENT as u64) as usize);
    whole
        .checked_mul(SEALED_SEGMENT as u64)?
        .checked_add((COMMITMENT + rest + TAG) as u64)
}

/// Padded length of a last piece of `length` < [`SEGMENT`] bytes; one byte more at least, for the marker.
fn size_class(length: usize) -> usize {
    (length + 1).next_power_of_two().max(SMALLEST_CLASS)
}

fn commitment(key: &ContentKey) -> [u8; COMMITMENT] {
    Sha256::new()
        .chain_update(INFO)
        .chain_update(b" commitment")
        .chain_update(key.as_bytes())
        .finalize()
        .into()
}

fn nonce(counter: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0u8; 12];
    nonce[3..11].copy_from_slice(&counter.to_be_bytes());
    nonce[11] = last.into();
    nonce
}

struct Segments {
    cipher: Aes256Gcm,
    aad: Vec<u8>,
    counter: u64,
    hash: Blake2b<U32>,
    length: u64,
}

impl Segments {
    fn new(key: &ContentKey, binding: &Binding) -> Self {
        Self {
            cipher: Aes256Gcm::new(key.as_bytes().into()),
            aad: binding.aad(),
            counter: 0,
            hash: Blake2b::new(),
            length: 0,
        }
    }

    fn count(&mut self, ciphertext: &[u8]) {
        self.hash.update(ciphertext);
        self.length += ciphertext.len() as u64;
    }

    /// Encrypts `segment` in place and appends its tag.
    fn seal(&mut self, segment: &mut Vec<u8>, last: bool) -> Result<(), Error> {
        let nonce = nonce(self.counter, last);
        let tag = self
            .cipher
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &self.aad, segment)
            .map_err(|_| Error::Malformed("a segment is too long"))?;
        segment.extend_from_slice(&tag);
        self.counter += 1;
        Ok(())
    }

    /// Decrypts `segment` in place and removes its tag. On failure the segment is as it was.
    fn open(&mut self, segment: &mut Vec<u8>, last: bool) -> bool {
        let Some(at) = segment.len().checked_sub(TAG) else {
            return false;
        };
        let nonce = nonce(self.counter, last);
        let tag = Tag::clone_from_slice(&segment[at..]);
        let text = &mut segment[..at];
        // AES-GCM checks the tag before it decrypts, so a failure leaves the ciphertext untouched.
        if self
            .cipher
            .decrypt_in_place_detached(Nonce::from_slice(&nonce), &self.aad, text, &tag)
            .is_err()
        {
            return false;
        }
        segment.truncate(at);
        self.counter += 1;
        true
    }
}

/// Seals a body chunk by chunk, under a content key that it draws itself.
pub struct BodySealer {
    key: ContentKey,
    segments: Segments,
    pending: Zeroizing<Vec<u8>>,
    plain_length: u64,
    started: bool,
}

impl BodySealer {
    /// Begins a body.
    pub fn new(binding: &Binding) -> Result<Self, Error> {
        let key = ContentKey::generate()?;
        let segments = Segments::new(&key, binding);
        Ok(Self {
            key,
            segments,
            pending: Zeroizing::default(),
            plain_length: 0,
            started: false,
        })
    }

    /// The content key of this body.
    pub fn key(&self) -> &ContentKey {
        &self.key
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            let commitment = commitment(&self.key);
            self.segments.count(&commitment);
            out.extend_from_slice(&commitment);
        }
    }

    /// Takes more plaintext and appends what can already be sealed to `out` (whole segments, so often nothing).
    pub fn update(&mut self, mut plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.start(out);
        self.plain_length += plaintext.len() as u64;
        while !plaintext.is_empty() {
            let (now, later) =
                plaintext.split_at(plaintext.len().min(SEGMENT - self.pending.len()));
            self.pending.extend_from_slice(now);
            plaintext = later;
            if self.pending.len() == SEGMENT {
                self.flush(false, out)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), Error> {
        self.segments.seal(&mut self.pending, last)?;
        self.segments.count(&self.pending);
        out.extend_from_slice(&self.pending);
        self.pending.clear();
        Ok(())
    }

    /// Seals the rest, padded to its size class, and says what the body is.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(ContentKey, SealedBody), Error> {
        self.start(out);
        let class = size_class(self.pending.len());
        self.pending.push(0x80);
        self.pending.resize(class, 0);
        self.flush(true, out)?;
        let sealed = SealedBody {
            hash: self.segments.hash.finalize().into(),
            length: self.segments.length,
            plain_length: self.plain_length,
        };
        Ok((self.key, sealed))
    }
}

/// Opens a body chunk by chunk.
///
/// Every byte that is handed out was authenticated, but only [`BodyOpener::finish`] knows that nothing is missing: do
/// not act on the plaintext before it returned `Ok`.
pub struct BodyOpener {
    commitment: [u8; COMMITMENT],
    segments: Segments,
    seen: Vec<u8>,
    pending: Zeroizing<Vec<u8>>,
    plain_length: u64,
}

impl BodyOpener {
    /// Begins to open a body that `key` sealed.
    pub fn new(key: &ContentKey, binding: &Binding) -> Self {
        Self {
            commitment: commitment(key),
            segments: Segments::new(key, binding),
            seen: Vec::with_capacity(COMMITMENT),
            pending: Zeroizing::default(),
            plain_length: 0,
        }
    }

    /// Goes on with a body of which the first `plain` bytes of plaintext, a whole number of [`SEGMENT`]s, were opened
    /// before: feed it the ciphertext from the returned offset on. `None` if `plain` is no such number.
    ///
    /// Counter and final flag of the segments make sure that what follows is what belongs there, to its end. Hash and
    /// lengths that [`BodyOpener::finish`] returns are those of the ciphertext that this opener was fed.
    pub fn resume(key: &ContentKey, binding: &Binding, plain: u64) -> Option<(Self, u64)> {
        let mut opener = Self::new(key, binding);
        if plain == 0 {
            return Some((opener, 0));
        }
        let segments = plain / SEGMENT as u64;
        if !plain.is_multiple_of(SEGMENT as u64) {
            return None;
        }
        opener.seen = opener.commitment.to_vec();
        opener.segments.counter = segments;
        let offset = segments.checked_mul(SEALED_SEGMENT as u64)?;
        Some((opener, offset.checked_add(COMMITMENT as u64)?))
    }

    /// Takes more ciphertext and appends the plaintext of every segment that is now complete to `out`.
    pub fn update(&mut self, mut ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.segments.count(ciphertext);
        if self.seen.len() < COMMITMENT {
            let (now, later) =
                ciphertext.split_at(ciphertext.len().min(COMMITMENT - self.seen.len()));
            self.seen.extend_from_slice(now);
            ciphertext = later;
            if self.seen.len() == COMMITMENT && self.seen != self.commitment {
                return Err(Error::WrongContentKey);
            }
        }
        while !ciphertext.is_empty() {
            // A full segment is not the last one exactly if something follows it.
            if self.pending.len() == SEALED_SEGMENT {
                if !self.segments.open(&mut self.pending, false) {
                    return Err(Error::Tampered(self.segments.counter));
                }
                self.emit(out);
            }
            let (now, later) =
                ciphertext.split_at(ciphertext.len().min(SEALED_SEGMENT - self.pending.len()));
            self.pending.extend_from_slice(now);
            ciphertext = later;
        }
        Ok(())
    }

    fn emit(&mut self, out: &mut Vec<u8>) {
        self.plain_length += self.pending.len() as u64;
        out.extend_from_slice(&self.pending);
        self.pending.zeroize();
        self.pending.clear();
    }

    /// Opens the last segment. Only now the plaintext is known to be whole.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<SealedBody, Error> {
        if self.seen.len() < COMMITMENT || self.pending.is_empty() {
            return Err(Error::Truncated);
        }
        if !self.segments.open(&mut self.pending, true) {
            let cut = self.pending.len() < SMALLEST_CLASS + TAG
                || self.segments.open(&mut self.pending, false);
            return Err(if cut {
                Error::Truncated
            } else {
                Error::Tampered(self.segments.counter)
            });
        }
        let class = self.pending.len();
        let marker = self.pending.iter().rposition(|byte| *byte != 0);
        match marker.filter(|at| self.pending.get(*at) == Some(&0x80) && size_class(*at) == class) {
            Some(at) => self.pending.truncate(at),
            None => {
                return Err(Error::Malformed(
                    "the last segment is not padded to its size class",
                ))
            }
        }
        self.emit(out);
        Ok(SealedBody {
            hash: self.segments.hash.finalize().into(),
            length: self.segments.length,
            plain_length: self.plain_length,
        })
    }
}

/// Reads `from` to its end in pieces and hands each to `each`.
pub(crate) fn pump(
    mut from: impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut chunk = Zeroizing::new(vec![0u8; CHUNK]);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) => each(chunk.get(..n).unwrap_or_default())?,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Seals an input: a body without recipients, under a key of its own that the payload will carry.
pub fn seal_with_key(
    plaintext: &[u8],
    binding: &Binding,
) -> Result<(ContentKey, SealedBody, Vec<u8>), Error> {
    let mut body = Vec::new();
    let (key, sealed) = seal_stream_with_key(plaintext, &mut body, binding)?;
    Ok((key, sealed, body))
}

/// As [`seal_with_key`], in constant memory.
pub fn seal_stream_with_key(
    plaintext: impl Read,
    mut body: impl Write,
    binding: &Binding,
) -> Result<(ContentKey, SealedBody), Error> {
    let mut sealer = BodySealer::new(binding)?;
    let mut out = Vec::new();
    pump(plaintext, |chunk| {
        sealer.update(chunk, &mut out)?;
        body.write_all(&out)?;
        out.clear();
        Ok(())
    })?;
    let done = sealer.finish(&mut out)?;
    body.write_all(&out)?;
    body.flush()?;
    Ok(done)
}

/// Opens an input with the key that its payload carried. Compare the returned hash and lengths with what was promised.
pub fn open_with_key(
    key: &ContentKey,
    body: &[u8],
    binding: &Binding,
) -> Result<(Vec<u8>, SealedBody), Error> {
    let mut plaintext = Vec::new();
    let sealed = open_stream_with_key(key, body, &mut plaintext, binding)?;
    Ok((plaintext, sealed))
}

/// As [`open_with_key`], in constant memory. Discard what was written when this fails.
pub fn open_stream_with_key(
    key: &ContentKey,
    body: impl Read,
    mut plaintext: impl Write,
    binding: &Binding,
) -> Result<SealedBody, Error> {
    let mut opener = BodyOpener::new(key, binding);
    let mut out = Zeroizing::new(Vec::new());
    pump(body, |chunk| {
        opener.update(chunk, &mut out)?;
        plaintext.write_all(&out)?;
        out.clear();
        Ok(())
    })?;
    let sealed = opener.finish(&mut out)?;
    plaintext.write_all(&out)?;
    plaintext.flush()?;
    Ok(sealed)
}
