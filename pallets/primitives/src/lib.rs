//! What every pallet, the runtime and the off-chain workers agree on: identifiers, money, the shapes that go over
//! the wire, and the seams ([`traits`]) through which pallets know each other.
//!
//! Invariant: this crate knows no pallet and holds no storage.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

pub mod apis;
pub mod billing;
pub mod calendar;
pub mod envelope;
pub mod escrow;
pub mod hpc;
pub mod mmr;
pub mod providers;
pub mod traits;

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, H256};
use sp_runtime::{traits::Convert, BoundedVec, Either};

/// Money: the smallest unit of an asset. One VE is 10^12 units.
pub type Balance = u128;
/// Height of a block. Deadlines are heights: an action is valid iff `now < deadline`, an expiry iff `now >= deadline`.
pub type BlockNumber = u32;
/// Unix time in milliseconds, UTC. Billing periods are moments.
pub type Moment = u64;
/// What money hangs on; also the number of the job (later: of the lease) that it pays for.
pub type AgreementId = u64;
/// Number of an asset of the assets pallet.
pub type AssetId = u32;
/// A provider organisation.
pub type ProviderId = u32;
/// A cluster that a provider registered.
pub type ClusterId = u32;
/// One immutable version of a price plan. A changed price is a new plan.
pub type PlanId = u32;
/// Blake2b-256 of a template's canonical form: its identity on chain and off.
pub type TemplateHash = H256;
/// A short human-readable name, UTF-8.
pub type Name = BoundedVec<u8, ConstU32<64>>;

/// In what a price, an agreement, a line or an event is denominated.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum AssetKind {
    /// The chain's own token.
    #[default]
    #[codec(index = 0)]
    Native,
    /// An asset of the assets pallet.
    #[codec(index = 1)]
    Asset(AssetId),
}

/// Sends [`AssetKind::Native`] to the left (balances) and [`AssetKind::Asset`] to the right (assets): the criterion by
/// which `UnionOf` makes one family of the two.
pub struct NativeFromLeft;
impl Convert<AssetKind, Either<(), AssetId>> for NativeFromLeft {
    fn convert(kind: AssetKind) -> Either<(), AssetId> {
        match kind {
            AssetKind::Native => Either::Left(()),
            AssetKind::Asset(id) => Either::Right(id),
        }
    }
}

/// What an account may do beyond what every account may. See the `accounts` pallet for who grants which.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Role {
    /// Set at genesis; may nominate administrators. Cannot be granted by anybody.
    #[codec(index = 0)]
    Genesis,
    /// Nominates moderators, arbiters, attestors and support agents; suspends and terminates accounts.
    #[codec(index = 1)]
    Administrator,
    /// Suspends accounts.
    #[codec(index = 2)]
    Moderator,
    /// Approved to register a provider organisation.
    #[codec(index = 3)]
    Provider,
    /// Reads and answers support tickets.
    #[codec(index = 4)]
    SupportAgent,
    /// Buys. Every account in good standing may take this role itself.
    #[codec(index = 5)]
    Customer,
    /// Runs a validator.
    #[codec(index = 6)]
    Validator,
    /// Decides disputes.
    #[codec(index = 7)]
    Arbiter,
    /// Attests attributes of provider organisations.
    #[codec(index = 8)]
    Attestor,
}

impl Role {
    /// Every role, in order.
    pub const ALL: [Role; 9] = [
        Role::Genesis,
        Role::Administrator,
        Role::Moderator,
        Role::Provider,
        Role::SupportAgent,
        Role::Customer,
        Role::Validator,
        Role::Arbiter,
        Role::Attestor,
    ];
}

/// Whether an account may act.
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
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum AccountState {
    /// May act. The state of every account that nobody has spoken about.
    #[default]
    #[codec(index = 0)]
    Active,
    /// May withdraw and read, and nothing else, until reactivated.
    #[codec(index = 1)]
    Suspended,
    /// As suspended, for ever; holds no role.
    #[codec(index = 2)]
    Terminated,
}

/// Content hash as the chain uses it everywhere: Blake2b-256.
pub fn blake2_256(bytes: &[u8]) -> H256 {
    H256(sp_crypto_hashing::blake2_256(bytes))
}
