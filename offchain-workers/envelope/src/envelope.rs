//! Envelopes: a body and its key, wrapped to each recipient.

use crate::{
    body::{pump, BodyOpener, BodySealer},
    wrap, Algorithm, Binding, ContentKey, EnvelopeHeader, Error, PublicKey, Recipient, SecretKey,
    MAX_RECIPIENTS,
};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

/// Wraps `key` to every public key of `to`, over what `known` already has.
fn recipients(
    key: &ContentKey,
    known: impl IntoIterator<Item = Recipient>,
    to: &[PublicKey],
    binding: &Binding,
) -> Result<Vec<Recipient>, Error> {
    let mut all: BTreeMap<_, _> = known.into_iter().map(|r| (r.key, r)).collect();
    for public in to {
        if let std::collections::btree_map::Entry::Vacant(free) = all.entry(public.key_id()) {
            free.insert(wrap::wrap(key, public, binding)?);
        }
    }
    match all.len() {
        0 => Err(Error::NoRecipients),
        n if n > MAX_RECIPIENTS as usize => Err(Error::TooManyRecipients(n)),
        _ => Ok(all.into_values().collect()),
    }
}

fn ensure_readable(header: &EnvelopeHeader) -> Result<(), Error> {
    match header.is_well_formed() {
        true => Ok(()),
        false if header.version != EnvelopeHeader::VERSION => Err(Error::Malformed(
            "the header has a version that this program does not read; update it",
        )),
        false => Err(Error::Malformed(
            "its recipients are missing, unsorted or repeated",
        )),
    }
}

/// Seals an envelope chunk by chunk.
///
/// ```
/// # use ve_envelope::*;
/// # let (key, binding) = (SecretKey::generate()?, Binding::result([0; 32], 42));
/// let mut sealer = Sealer::new(&[key.public()], &binding)?;
/// let mut body = Vec::new();
/// for chunk in [b"one ".as_slice(), b"two"] {
///     sealer.update(chunk, &mut body)?; // in real life: send `body` on and clear it
/// }
/// let header = sealer.finish(&mut body)?;
/// assert_eq!(open(&header, &body, &key, &binding)?, b"one two");
/// # Ok::<(), Error>(())
/// ```
pub struct Sealer {
    recipients: Vec<Recipient>,
    body: BodySealer,
}

impl Sealer {
    /// Begins an envelope to `recipients` (repetitions count once; 1 to 32 keys).
    pub fn new(to: &[PublicKey], binding: &Binding) -> Result<Self, Error> {
        let body = BodySealer::new(binding)?;
        let recipients = recipients(body.key(), [], to, binding)?;
        Ok(Self { recipients, body })
    }

    /// Takes more plaintext and appends what can already be sealed to `out`.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.body.update(plaintext, out)
    }

    /// Appends the rest of the body to `out` and returns the header.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<EnvelopeHeader, Error> {
        let count = self.recipients.len();
        let (_, sealed) = self.body.finish(out)?;
        Ok(EnvelopeHeader {
            version: EnvelopeHeader::VERSION,
            algorithm: Algorithm::X25519Aes256Gcm,
            recipients: self
                .recipients
                .try_into()
                .map_err(|_| Error::TooManyRecipients(count))?,
            hash: sealed.hash.into(),
            length: sealed.length,
        })
    }
}

/// Opens an envelope chunk by chunk. Do not act on the plaintext before [`Opener::finish`] returned `Ok`.
pub struct Opener {
    hash: [u8; 32],
    length: u64,
    read: u64,
    body: BodyOpener,
}

impl Opener {
    /// Begins to open the envelope with `header`; unwraps its content key.
    pub fn new(
        header: &EnvelopeHeader,
        secret: &SecretKey,
        binding: &Binding,
    ) -> Result<Self, Error> {
        let key = content_key(header, secret, binding)?;
        Ok(Self {
            hash: header.hash.0,
            length: header.length,
            read: 0,
            body: BodyOpener::new(&key, binding),
        })
    }

    /// Takes more ciphertext and appends the plaintext of every segment that is now complete to `out`.
    pub fn update(&mut self, ciphertext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        self.read += ciphertext.len() as u64;
        if self.read > self.length {
            return Err(Error::Length {
                expected: self.length,
                found: self.read,
            });
        }
        self.body.update(ciphertext, out)
    }

    /// Opens the last segment and checks length and hash.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.read < self.length {
            return Err(Error::Length {
                expected: self.length,
                found: self.read,
            });
        }
        let sealed = self.body.finish(out)?;
        if sealed.hash != self.hash {
            return Err(Error::Hash);
        }
        Ok(())
    }
}

/// Seals `plaintext` to `recipients`; returns the header and the body.
pub fn seal(
    plaintext: &[u8],
    recipients: &[PublicKey],
    binding: &Binding,
) -> Result<(EnvelopeHeader, Vec<u8>), Error> {
    let mut body = Vec::new();
    let header = seal_stream(plaintext, &mut body, recipients, binding)?;
    Ok((header, body))
}

/// Opens an envelope with the secret key of one of its recipients.
pub fn open(
    header: &EnvelopeHeader,
    body: &[u8],
    secret: &SecretKey,
    binding: &Binding,
) -> Result<Vec<u8>, Error> {
    let mut plaintext = Vec::new();
    open_stream(header, body, &mut plaintext, secret, binding)?;
    Ok(plaintext)
}

/// As [`seal`], in constant memory.
pub fn seal_stream(
    plaintext: impl Read,
    mut body: impl Write,
    recipients: &[PublicKey],
    binding: &Binding,
) -> Result<EnvelopeHeader, Error> {
    let mut sealer = Sealer::new(recipients, binding)?;
    let mut out = Vec::new();
    pump(plaintext, |chunk| {
        sealer.update(chunk, &mut out)?;
        body.write_all(&out)?;
        out.clear();
        Ok(())
    })?;
    let header = sealer.finish(&mut out)?;
    body.write_all(&out)?;
    body.flush()?;
    Ok(header)
}

/// As [`open`], in constant memory. Discard what was written when this fails.
pub fn open_stream(
    header: &EnvelopeHeader,
    body: impl Read,
    mut plaintext: impl Write,
    secret: &SecretKey,
    binding: &Binding,
) -> Result<(), Error> {
    let mut opener = Opener::new(header, secret, binding)?;
    let mut out = zeroize::Zeroizing::new(Vec::new());
    pump(body, |chunk| {
        opener.update(chunk, &mut out)?;
        plaintext.write_all(&out)?;
        out.clear();
        Ok(())
    })?;
    opener.finish(&mut out)?;
    plaintext.write_all(&out)?;
    plaintext.flush()?;
    Ok(())
}

/// The content key of an envelope, unwrapped with the secret key of one of its recipients.
pub fn content_key(
    header: &EnvelopeHeader,
    secret: &SecretKey,
    binding: &Binding,
) -> Result<ContentKey, Error> {
    ensure_readable(header)?;
    wrap::unwrap(&header.recipients, secret, binding)
}

/// The same envelope with more recipients. The body stays as it is; those who could open it still can.
pub fn rewrap(
    header: &EnvelopeHeader,
    secret: &SecretKey,
    more: &[PublicKey],
    binding: &Binding,
) -> Result<EnvelopeHeader, Error> {
    let key = content_key(header, secret, binding)?;
    let all = recipients(&key, header.recipients.iter().cloned(), more, binding)?;
    let count = all.len();
    Ok(EnvelopeHeader {
        recipients: all
            .try_into()
            .map_err(|_| Error::TooManyRecipients(count))?,
        ..header.clone()
    })
}
