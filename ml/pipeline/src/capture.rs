//! What the metadata of a capture prove: which program took the pictures, for whom, for which request, and when.
//!
//! The capture program makes a [`Capture`] and signs [`Capture::payload`] with its own key; the account holder's key signs
//! the same bytes. Nothing else about a picture says where it comes from: a file without these is a file from anywhere.
//!
//! The payload is, in this order: the 20 bytes `virtengine/capture/1`, the kind of the client's key (0 sr25519, 1
//! ed25519) and its 32 bytes, 32 bytes of salt, 32 bytes of challenge, the time in milliseconds since 1970 as 8 bytes
//! little-endian, the number of files as one byte, and for each file the BLAKE2b-256 digest of its bytes.

use crate::{
    features::{Features, Slot},
    reasons::Reason,
    stages::{blake2_256, Digest},
};

/// What every payload begins with, so that no signature for something else is one for this.
const DOMAIN: &[u8] = b"virtengine/capture/1";
/// How long a capture may wait, and how far ahead its clock may be.
const MAX_AGE_MINUTES: i64 = 60;
const MAX_AHEAD_MS: i64 = 2 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;

/// A public key, of the kinds that the chain's accounts have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicKey {
    /// Schnorr signatures over Ristretto, in the signing context `substrate`.
    Sr25519([u8; 32]),
    /// Ed25519 by the rules of ZIP 215.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// Whether the signature is the key's, over these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            Self::Sr25519(key) => {
                let parsed = schnorrkel::PublicKey::from_bytes(key)
                    .and_then(|key| Ok((key, schnorrkel::Signature::from_bytes(signature)?)));
                parsed.is_ok_and(|(key, signature)| {
                    key.verify_simple(b"substrate", message, &signature).is_ok()
                })
            }
            Self::Ed25519(key) => ed25519_zebra::VerificationKey::try_from(*key)
                .is_ok_and(|key| key.verify(&(*signature).into(), message).is_ok()),
        }
    }

    fn bytes(&self) -> [u8; 33] {
        let (kind, key) = match self {
            Self::Sr25519(key) => (0, key),
            Self::Ed25519(key) => (1, key),
        };
        let mut bytes = [kind; 33];
        bytes[1..].copy_from_slice(key);
        bytes
    }
}

/// The metadata of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Key of the program that took the pictures.
    pub client: PublicKey,
    /// Salt of the request.
    pub salt: [u8; 32],
    /// Challenge of the request.
    pub challenge: [u8; 32],
    /// When the pictures were taken, in milliseconds since 1970.
    pub taken_ms: u64,
    /// BLAKE2b-256 of each file's bytes, in the order of [`crate::Evidence::files`].
    pub files: Vec<Digest>,
    /// The program's signature.
    pub client_signature: [u8; 64],
    /// The account holder's signature.
    pub user_signature: [u8; 64],
}

/// What a capture is held against; all of it comes from the chain.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Keys of approved capture programs.
    pub clients: &'a [PublicKey],
    /// Key of the account that asks.
    pub user: PublicKey,
    /// Salt of the request.
    pub salt: [u8; 32],
    /// Challenge of the request.
    pub challenge: [u8; 32],
    /// Time of the request, in milliseconds since 1970.
    pub now_ms: u64,
    /// Digests of files that were uploaded before, for any request.
    pub seen: &'a [Digest],
}

impl Capture {
    /// The bytes that are signed.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = DOMAIN.to_vec();
        payload.extend(self.client.bytes());
        payload.extend(self.salt);
        payload.extend(self.challenge);
        payload.extend(self.taken_ms.to_le_bytes());
        payload.push(self.files.len().min(255) as u8);
        payload.extend(self.files.iter().flatten());
        payload
    }
}

/// Judges the metadata of uploaded files. A signature over other files than these proves nothing about these.
pub fn judge(
    capture: Option<&Capture>,
    files: &[&[u8]],
    expected: &Expected,
    features: &mut Features,
    reasons: &mut Vec<Reason>,
) {
    let files: Vec<Digest> = files.iter().map(|file| blake2_256(file)).collect();
    if files.iter().any(|file| expected.seen.contains(file)) {
        features.set(Slot::CaptureReplayed, 1);
        reasons.push(Reason::UploadReplayed);
    }
    let Some(capture) = capture else {
        reasons.push(Reason::CaptureMissing);
        return;
    };
    let payload = capture.payload();
    let covers = capture.files == files;
    let client = covers
        && expected.clients.contains(&capture.client)
        && capture.client.verify(&payload, &capture.client_signature);
    let user = covers && expected.user.verify(&payload, &capture.user_signature);
    let mut flag = |slot, holds: bool, otherwise| {
        features.set(slot, i64::from(holds));
        if !holds {
            reasons.push(otherwise);
        }
    };
    flag(Slot::CaptureClient, client, Reason::CaptureClientUnproven);
    flag(Slot::CaptureUser, user, Reason::CaptureUserUnproven);
    // What nobody signed for proves nothing.
    let signed = client && user;
    flag(
        Slot::CaptureSalt,
        signed && capture.salt == expected.salt,
        Reason::CaptureForAnotherRequest,
    );
    flag(
        Slot::CaptureChallenge,
        signed && capture.challenge == expected.challenge,
        Reason::CaptureOtherChallenge,
    );
    let age = age_minutes(capture.taken_ms, expected.now_ms);
    if signed {
        features.set(Slot::CaptureAge, age.unwrap_or(-1));
    }
    if age.is_none_or(|minutes| minutes > MAX_AGE_MINUTES) {
        reasons.push(Reason::CaptureTooOld);
    }
}

/// Whole minutes since the capture; `None` when it lies in the future by more than clocks differ.
fn age_minutes(taken_ms: u64, now_ms: u64) -> Option<i64> {
    let age = i128::from(now_ms) - i128::from(taken_ms);
    (age >= -i128::from(MAX_AHEAD_MS)).then(|| {
        let minutes = age.max(0) / i128::from(MINUTE_MS);
        minutes.min(i128::from(i16::MAX)) as i64
    })
}
