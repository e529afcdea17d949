//! What calls weigh: one file per pallet, named as the benchmark that generates it, each with a type `WeightInfo`.
//!
//! Babe and grandpa have no file: their weights are formulas of their own over the number of validators. Nor has the
//! session pallet a benchmark here: upstream's needs the staking pallet.

pub mod frame_system;
pub mod frame_system_extensions;
pub mod pallet_accounts;
pub mod pallet_asset_rate;
pub mod pallet_asset_tx_payment;
pub mod pallet_assets;
pub mod pallet_balances;
pub mod pallet_billing;
pub mod pallet_escrow;
pub mod pallet_hpc;
pub mod pallet_keyring;
pub mod pallet_migrations;
pub mod pallet_multisig;
pub mod pallet_preimage;
pub mod pallet_providers;
pub mod pallet_proxy;
pub mod pallet_scheduler;
pub mod pallet_session;
pub mod pallet_sudo;
pub mod pallet_timestamp;
pub mod pallet_transaction_payment;
pub mod pallet_utility;
pub mod pallet_whitelist;
pub mod virtengine_runtime_common_validators;
