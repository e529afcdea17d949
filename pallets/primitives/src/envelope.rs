//! The header of a sealed envelope: all that the chain keeps of a secret.
//!
//! The body (AES-256-GCM, segments of 1 MiB) lies in an artifact store under the hash of its ciphertext. The
//! content key is wrapped to every recipient with HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256, AES-256-GCM). Sealing and opening are done off chain (`offchain-workers/envelope`).

use crate::*;

/// Name of a registered public encryption key: the first 16 bytes of Blake2b-256 of the 32-byte X25519 public key.
pub type KeyId = [u8; 16];

/// Most recipients of one envelope.
pub const MAX_RECIPIENTS: u32 = 32;

/// How an envelope was sealed. The space of numbers leaves room for a hybrid post-quantum suite.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Algorithm {
    /// HPKE base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; body AES-256-GCM in segments.
    #[codec(index = 0)]
    X25519Aes256Gcm,
}

/// One recipient: whose key, and the content key wrapped to it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Recipient {
    /// The registered key that opens it.
    pub key: KeyId,
    /// HPKE encapsulated key (32 bytes).
    pub encapsulated: [u8; 32],
    /// The 32-byte content key, sealed: 32 bytes and a tag of 16.
    pub wrapped: BoundedVec<u8, ConstU32<48>>,
}

/// All that the chain knows of a sealed body.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct EnvelopeHeader {
    /// Version of this header: 1.
    pub version: u8,
    /// How it was sealed.
    pub algorithm: Algorithm,
    /// To whom it was sealed, sorted by key, without repetition.
    pub recipients: BoundedVec<Recipient, ConstU32<MAX_RECIPIENTS>>,
    /// Blake2b-256 of the ciphertext, which is also its name in the artifact store.
    pub hash: H256,
    /// Length of the ciphertext in bytes.
    pub length: u64,
}

impl EnvelopeHeader {
    /// The version that this code writes and reads.
    pub const VERSION: u8 = 1;

    /// Whether the header is well formed by itself: known version, at least one recipient, sorted and distinct.
    pub fn is_well_formed(&self) -> bool {
        self.version == Self::VERSION
            && !self.recipients.is_empty()
            && self
                .recipients
                .iter()
                .zip(self.recipients.iter().skip(1))
                .all(|(a, b)| a.key < b.key)
            && self.recipients.iter().all(|r| r.wrapped.len() == 48)
    }
}

/// The registered name of an X25519 public key.
pub fn key_id(public: &[u8; 32]) -> KeyId {
    let mut id = KeyId::default();
    id.iter_mut()
        .zip(blake2_256(public).0)
        .for_each(|(to, from)| *to = from);
    id
}

/// A public encryption key as `keyring` stores it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct EncryptionKey {
    /// The 32-byte X25519 public key.
    pub public: [u8; 32],
    /// What its owner calls it ("laptop", "worker 1").
    pub label: Name,
    /// Since when.
    pub registered_at: BlockNumber,
    /// A revoked key opens what was sealed to it but satisfies no policy any more.
    pub revoked_at: Option<BlockNumber>,
}
