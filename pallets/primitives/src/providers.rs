//! Provider organisations.

use crate::*;

/// A provider organisation.
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
pub struct Provider<AccountId> {
    /// The cold account: owns the organisation and its bond.
    pub owner: AccountId,
    /// Where money is paid to.
    pub payout: AccountId,
    /// What people call it.
    pub name: Name,
    /// Held on the owner's account. `locked` of it backs accepted work.
    pub bond: Balance,
    /// The part of the bond that backs accepted work: the sum of its bond locks.
    pub locked: Balance,
    /// Agreements that have not been settled.
    pub live_agreements: u32,
    /// Since when.
    pub registered_at: BlockNumber,
}

/// An attribute that an attestor vouched for, for a time.
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
pub struct Attestation<AccountId> {
    /// Who vouched.
    pub attestor: AccountId,
    /// Blake2b-256 of the value that was vouched for; void when the value changes.
    pub value_hash: H256,
    /// Not valid from this moment on.
    pub expires_at: Moment,
}
