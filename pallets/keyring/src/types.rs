//! Shapes that only this pallet stores, and which public keys are worth storing.

use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::traits::Footprint;
use scale_info::TypeInfo;
use virtengine_primitives::envelope::{EncryptionKey, KeyId};

/// A registered key, whose it is, and what was held for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Registration<AccountId, Ticket> {
    /// Who can open what is sealed to the key.
    pub owner: AccountId,
    /// The key.
    pub key: EncryptionKey,
    /// The deposit, returned when the key is forgotten.
    pub ticket: Ticket,
}

/// What a registration takes of the chain's state. The same for every key, so that its price is known beforehand.
pub fn footprint() -> Footprint {
    let index = KeyId::max_encoded_len();
    // The record and one entry of an index by account.
    Footprint::from_parts(
        1,
        EncryptionKey::max_encoded_len()
            .saturating_add(index.saturating_mul(2))
            .saturating_add(64),
    )
}

/// `p - 1` for the field prime `p = 2^255 - 19`, little-endian (RFC 7748, section 4.1).
const P_MINUS_1: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xec;
    bytes[31] = 0x7f;
    bytes
};

/// The two abscissae of order 8 on Curve25519, little-endian.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];

/// Whether an X25519 public key is worth sealing to.
///
/// Refused are points of low order (0, 1, -1 and the two of order 8: every shared secret with them is zero, which
/// RFC 9180 section 7.1.4 forbids) and encodings that are not reduced modulo `p` (a second name for another key).
pub fn is_sound(public: &[u8; 32]) -> bool {
    // Little-endian numbers compare from the last byte.
    let canonical = public.iter().rev().le(P_MINUS_1.iter().rev());
    let zero_or_one = public.iter().skip(1).all(|byte| *byte == 0)
        && public.first().is_some_and(|byte| *byte <= 1);
    canonical && !zero_or_one && *public != P_MINUS_1 && !ORDER_8.contains(public)
}
