//! What is measured, and what stock benchmarks need to know about our assets.

use crate::*;
use alloc::{string::String, vec::Vec};
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{
    fungible, fungibles, StorageInfo, StorageInfoTrait, WhitelistedStorageKeys,
};
use frame_system_benchmarking::{
    extensions::Pallet as SystemExtensionsBench, Pallet as SystemBench,
};
use sp_storage::TrackedStorageKey;
use virtengine_runtime_common::currency::UNITS;

frame_benchmarking::define_benchmarks!(
    [frame_benchmarking, BaselineBench::<Runtime>]
    [frame_system, SystemBench::<Runtime>]
    [frame_system_extensions, SystemExtensionsBench::<Runtime>]
    [pallet_timestamp, Timestamp]
    [pallet_scheduler, Scheduler]
    [pallet_preimage, Preimage]
    [pallet_migrations, Migrations]
    [pallet_sudo, Sudo]
    [pallet_balances, Balances]
    [pallet_transaction_payment, TransactionPayment]
    [pallet_asset_tx_payment, AssetTxPayment]
    [pallet_assets, Assets]
    [pallet_asset_rate, AssetRate]
    [pallet_babe, Babe]
    [virtengine_runtime_common::validators, Validators]
    [pallet_grandpa, Grandpa]
    [pallet_utility, Utility]
    [pallet_multisig, Multisig]
    [pallet_proxy, Proxy]
    [pallet_whitelist, Whitelist]
    [pallet_accounts, Accounts]
    [pallet_keyring, Keyring]
    [pallet_providers, Providers]
    [pallet_escrow, Escrow]
    [pallet_billing, Billing]
    [pallet_hpc, Hpc]
);

use frame_benchmarking::baseline::Pallet as BaselineBench;

impl frame_system_benchmarking::Config for Runtime {}
impl pallet_transaction_payment::BenchmarkConfig for Runtime {
    fn setup_benchmark_environment() {
        // The dearest case: the author, too, is paid.
        let digest = sp_runtime::DigestItem::PreRuntime(
            sp_consensus_babe::BABE_ENGINE_ID,
            codec::Encode::encode(&sp_consensus_babe::digests::PreDigest::SecondaryPlain(
                sp_consensus_babe::digests::SecondaryPlainPreDigest {
                    authority_index: 0,
                    slot: 0.into(),
                },
            )),
        );
        System::deposit_log(digest);
    }
}
impl frame_benchmarking::baseline::Config for Runtime {}

/// Lists benchmarks and storage.
pub fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::<BenchmarkList>::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Runs benchmarks.
pub fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist: Vec<TrackedStorageKey> = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::<BenchmarkBatch>::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}

/// Names assets for the benchmarks of the asset rate pallet.
pub struct AssetKinds;
impl pallet_asset_rate::AssetKindFactory<AssetKind> for AssetKinds {
    fn create_asset_kind(seed: u32) -> AssetKind {
        AssetKind::Asset(seed)
    }
}

/// Makes an account that can pay fees in an asset.
pub struct AssetFees;
impl pallet_asset_tx_payment::BenchmarkHelperTrait<AccountId, AssetId, AssetId> for AssetFees {
    fn create_asset_id_parameter(id: u32) -> (AssetId, AssetId) {
        (id.saturating_add(1_000), id.saturating_add(1_000))
    }

    fn setup_balances_and_pool(asset: AssetId, account: AccountId) {
        let _ = <Assets as fungibles::Create<AccountId>>::create(asset, account.clone(), true, 1);
        let _ = <Balances as fungible::Mutate<AccountId>>::mint_into(&account, 1_000 * UNITS);
        let _ = <Assets as fungibles::Mutate<AccountId>>::mint_into(asset, &account, 1_000 * UNITS);
        pallet_asset_rate::ConversionRateToNative::<Runtime>::insert(
            AssetKind::Asset(asset),
            sp_runtime::FixedU128::from_u32(1),
        );
    }
}

/// Sets the clock for the benchmarks of the billing pallet.
pub struct Clock;
impl pallet_billing::BenchmarkHelper for Clock {
    fn set_time(now: Moment) {
        pallet_timestamp::Now::<Runtime>::put(now);
    }
}
