//! Envelopes: how everything secret travels.
//!
//! An envelope is a **header** ([`EnvelopeHeader`], which the chain keeps) and a **body** (ciphertext, which lies in
//! an artifact store under its Blake2b-256). One random 32-byte content key seals the body; HPKE (RFC 9180, base mode,
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM) wraps that key to every recipient.
//!
//! # What is bound
//!
//! A [`Binding`] (genesis hash, domain, item, number) is the additional data of every segment and of every wrapped
//! key: an envelope opened under another chain, domain, item or number fails. The HPKE info string is [`INFO`].
//!
//! # The body
//!
//! ```text
//! commitment   32 bytes   SHA-256(INFO ++ " commitment" ++ content key)
//! segment 0    1 MiB + 16
//! segment 1    1 MiB + 16
//! ...
//! final        2^k + 16, k in 8..=20
//! ```
//!
//! Every segment is AES-256-GCM under the content key, its 12-byte nonce `0x000000 ++ counter as u64 big-endian ++ f`
//! with `f` = 1 for the final segment and 0 for all others. Dropping, repeating, exchanging or appending segments
//! therefore fails, and memory stays constant however long the body is. A content key seals exactly one body: no
//! function of this crate seals under a key that it did not draw itself.
//!
//! The commitment makes all recipients see the same plaintext: AES-GCM alone would let a sender craft one body that
//! opens to two different texts under two keys, which would make evidence worthless before an arbiter.
//!
//! The last piece of plaintext (0 to 2^20 - 1 bytes) is followed by one byte 0x80 and zeros up to the next power of
//! two, at least 256. So a body shorter than 1 MiB shows only its size class; see [`sealed_length`].
//!
//! # Use
//!
//! ```
//! use ve_envelope::*;
//! let alice = SecretKey::generate()?;
//! let binding = Binding::payload([7; 32], &[1; 32]);
//! let (header, body) = seal(b"steps=5000", &[alice.public()], &binding)?;
//! assert_eq!(open(&header, &body, &alice, &binding)?, b"steps=5000");
//! assert!(open(&header, &body, &alice, &Binding::payload([8; 32], &[1; 32])).is_err());
//! # Ok::<(), Error>(())
//! ```
//!
//! For what does not fit into memory: [`seal_stream`]/[`open_stream`] over `Read`/`Write`, or [`Sealer`]/[`Opener`],
//! which are fed chunk by chunk and so fit any asynchronous source.

mod binding;
mod body;
mod envelope;
mod error;
pub mod frame;
mod keys;
mod wrap;

pub use binding::Binding;
pub use body::{
    open_stream_with_key, open_with_key, seal_stream_with_key, seal_with_key, sealed_length,
    BodyOpener, BodySealer, SealedBody, SEGMENT,
};
pub use envelope::{content_key, open, open_stream, rewrap, seal, seal_stream, Opener, Sealer};
pub use error::Error;
pub use keys::{ContentKey, PublicKey, SecretKey};
pub use virtengine_primitives::envelope::{
    Algorithm, EnvelopeHeader, KeyId, Recipient, MAX_RECIPIENTS,
};
pub use wrap::{hpke_open, hpke_seal, INFO};
