//! What every VirtEngine runtime shares: account and block types, money, pots, fees, block limits, and the two small
//! pallets that only a runtime needs ([`parameters`], [`validators`]).
//!
//! Invariant: nothing here knows a concrete runtime, so a parachain runtime can reuse all of it.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod assets;
pub mod currency;
pub mod fees;
pub mod limits;
pub mod parameters;
pub mod pots;
pub mod validators;

use sp_runtime::{
    generic,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
    MultiAddress, MultiSignature, OpaqueExtrinsic,
};

pub use virtengine_primitives::{AssetId, AssetKind, Balance, BlockNumber, Moment};

/// How an account signs: sr25519, ed25519 or ecdsa.
pub type Signature = MultiSignature;
/// An account: the 32 bytes behind an SS58 address.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How an account may be named in a call.
pub type Address = MultiAddress<AccountId, ()>;
/// How many transactions an account has sent.
pub type Nonce = u32;
/// Blake2b-256.
pub type Hash = sp_core::H256;
/// What hashes blocks and tries.
pub type Hashing = BlakeTwo256;
/// Header of a block.
pub type Header = generic::Header<BlockNumber, Hashing>;
/// A block whose extrinsics are not decoded: what the node works with.
pub type OpaqueBlock = generic::Block<Header, OpaqueExtrinsic>;
