//! The VirtEngine runtime on a chain of its own: BABE, GRANDPA, and the pallets that make up the network.
//!
//! One file per concern: `configs/` says how each pallet is configured, `apis.rs` answers questions from outside,
//! `genesis_config_presets.rs` holds the presets of chain specs, `weights/` what calls weigh, `benchmarks.rs` what is measured.

#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "512"]
#![allow(missing_docs)] // The macros of FRAME generate public items without documentation.

extern crate alloc;

#[cfg(feature = "std")]
mod wasm {
    include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
}
#[cfg(feature = "std")]
pub use wasm::*;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
pub mod configs;
pub mod genesis_config_presets;
pub mod weights;

use alloc::{borrow::Cow, vec::Vec};
use pallet_session::historical as pallet_session_historical;
use sp_runtime::{generic, impl_opaque_keys};
use sp_version::RuntimeVersion;
use virtengine_runtime_common::{parameters, validators};

pub use configs::{consensus::EPOCH_CONFIG, ProxyType};
pub use virtengine_runtime_common::{
    currency, pots, AccountId, Address, AssetId, AssetKind, Balance, BlockNumber, Hash, Hashing,
    Header, Moment, Nonce, Signature,
};

/// What names this runtime to nodes and wallets.
///
/// Raise `spec_version` with every release whose state transition differs, and `transaction_version` when a call or an
/// extension changes its encoding.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("virtengine"),
    impl_name: Cow::Borrowed("virtengine"),
    authoring_version: 1,
    spec_version: 1_001,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

impl_opaque_keys! {
    /// Keys with which a validator takes part in consensus.
    pub struct SessionKeys {
        /// Authors blocks.
        pub babe: Babe,
        /// Votes on finality.
        pub grandpa: Grandpa,
    }
}

/// The stock transaction extensions in their stock order: a wallet needs to know nothing of ours.
pub type TxExtension = (
    frame_system::AuthorizeCall<Runtime>,
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_asset_tx_payment::ChargeAssetTxPayment<Runtime>,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);

/// A transaction as it travels.
pub type UncheckedExtrinsic =
    generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What a signature signs.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// Executes blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

// Indices are part of every encoded call and event: they are never changed and never used again.
//
//  0.. 9  base          (7, 8 reserved: safe mode, transaction pause)
// 10..19  money         (16..19 reserved: asset freezes, vesting, treasury, conversion)
// 20..34  consensus     (27 im-online, 28 authority discovery, 29 bridges, 30..34 reserved: staking and elections)
// 35..39  accounts' tools
// 40..49  governance    (41..49 reserved: origins, referenda, voting, collectives)
// 50..69  VirtEngine    (50..55 this release; 56..69 reserved: veid, mfa, marketplace, support, reputation,
//                        attestation, ramp)
//
// The order is also the order of genesis and hooks: `Parameters` before everything that reads the clock, `Validators`
// before `Session`.
#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    /// The runtime.
    pub struct Runtime;

    #[runtime::pallet_index(0)]
    pub type System = frame_system::Pallet<Runtime>;
    #[runtime::pallet_index(1)]
    pub type Parameters = parameters::Pallet<Runtime>;
    #[runtime::pallet_index(2)]
    pub type Timestamp = pallet_timestamp::Pallet<Runtime>;
    #[runtime::pallet_index(3)]
    pub type Scheduler = pallet_scheduler::Pallet<Runtime>;
    #[runtime::pallet_index(4)]
    pub type Preimage = pallet_preimage::Pallet<Runtime>;
    #[runtime::pallet_index(5)]
    pub type Migrations = pallet_migrations::Pallet<Runtime>;
    #[runtime::pallet_index(6)]
    pub type Sudo = pallet_sudo::Pallet<Runtime>;

    #[runtime::pallet_index(10)]
    pub type Balances = pallet_balances::Pallet<Runtime>;
    #[runtime::pallet_index(11)]
    pub type TransactionPayment = pallet_transaction_payment::Pallet<Runtime>;
    #[runtime::pallet_index(12)]
    pub type AssetTxPayment = pallet_asset_tx_payment::Pallet<Runtime>;
    #[runtime::pallet_index(13)]
    pub type Assets = pallet_assets::Pallet<Runtime>;
    #[runtime::pallet_index(14)]
    pub type AssetsHolder = pallet_assets_holder::Pallet<Runtime>;
    #[runtime::pallet_index(15)]
    pub type AssetRate = pallet_asset_rate::Pallet<Runtime>;

    #[runtime::pallet_index(20)]
    pub type Babe = pallet_babe::Pallet<Runtime>;
    #[runtime::pallet_index(21)]
    pub type Authorship = pallet_authorship::Pallet<Runtime>;
    #[runtime::pallet_index(22)]
    pub type Validators = validators::Pallet<Runtime>;
    #[runtime::pallet_index(23)]
    pub type Offences = pallet_offences::Pallet<Runtime>;
    #[runtime::pallet_index(24)]
    pub type Historical = pallet_session_historical::Pallet<Runtime>;
    #[runtime::pallet_index(25)]
    pub type Session = pallet_session::Pallet<Runtime>;
    #[runtime::pallet_index(26)]
    pub type Grandpa = pallet_grandpa::Pallet<Runtime>;

    #[runtime::pallet_index(35)]
    pub type Utility = pallet_utility::Pallet<Runtime>;
    #[runtime::pallet_index(36)]
    pub type Multisig = pallet_multisig::Pallet<Runtime>;
    #[runtime::pallet_index(37)]
    pub type Proxy = pallet_proxy::Pallet<Runtime>;

    #[runtime::pallet_index(40)]
    pub type Whitelist = pallet_whitelist::Pallet<Runtime>;

    #[runtime::pallet_index(50)]
    pub type Accounts = pallet_accounts::Pallet<Runtime>;
    #[runtime::pallet_index(51)]
    pub type Keyring = pallet_keyring::Pallet<Runtime>;
    #[runtime::pallet_index(52)]
    pub type Providers = pallet_providers::Pallet<Runtime>;
    #[runtime::pallet_index(53)]
    pub type Escrow = pallet_escrow::Pallet<Runtime>;
    #[runtime::pallet_index(54)]
    pub type Billing = pallet_billing::Pallet<Runtime>;
    #[runtime::pallet_index(55)]
    pub type Hpc = pallet_hpc::Pallet<Runtime>;
}

/// Names of the transaction extensions in order, as the metadata shows them.
pub fn extension_names() -> Vec<&'static str> {
    use sp_runtime::traits::TransactionExtension;
    <TxExtension as TransactionExtension<RuntimeCall>>::metadata()
        .into_iter()
        .map(|extension| extension.identifier)
        .collect()
}
