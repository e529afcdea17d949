//! Shapes that only this pallet stores.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{pallet_prelude::ConstU32, BoundedVec};
use scale_info::TypeInfo;

/// Why somebody was suspended or terminated, for people to read: UTF-8, at most 256 bytes.
pub type Reason = BoundedVec<u8, ConstU32<256>>;

/// On whose word something was done.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub enum Authority<AccountId> {
    /// It was so in the first block.
    #[codec(index = 0)]
    ChainSpec,
    /// The chain's governance.
    #[codec(index = 1)]
    Governance,
    /// An account that may; for a role that one takes oneself, the account itself.
    #[codec(index = 2)]
    Account(AccountId),
}

/// How accounts stand to one another: nobody acts upon an account of the same or a higher rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Everybody else.
    Member,
    /// Holds [`virtengine_primitives::Role::Moderator`].
    Moderator,
    /// Holds [`virtengine_primitives::Role::Administrator`].
    Administrator,
    /// Holds [`virtengine_primitives::Role::Genesis`].
    Genesis,
}
