//! A runtime with the real balances, assets and assets-holder pallets.

use crate as pallet_escrow;
use frame_support::{
    derive_impl,
    traits::{fungible::UnionOf, AsEnsureOriginWithArg, ConstU128},
};
use sp_runtime::BuildStorage;
use virtengine_primitives::{AssetKind, Balance, NativeFromLeft};

pub type AccountId = u64;
type Block = frame_system::mocking::MockBlockU32<Test>;

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
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(2)]
    pub type Assets = pallet_assets;
    #[runtime::pallet_index(3)]
    pub type AssetsHolder = pallet_assets_holder;
    #[runtime::pallet_index(4)]
    pub type Escrow = pallet_escrow;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type AccountStore = System;
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<ED>;
}

#[derive_impl(pallet_assets::config_preludes::TestDefaultConfig)]
impl pallet_assets::Config for Test {
    type Currency = Balances;
    type Balance = Balance;
    type CreateOrigin = AsEnsureOriginWithArg<frame_system::EnsureSigned<AccountId>>;
    type ForceOrigin = frame_system::EnsureRoot<AccountId>;
    type Holder = AssetsHolder;
}

impl pallet_assets_holder::Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeEvent = RuntimeEvent;
}

impl pallet_escrow::Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type Assets = UnionOf<Balances, AssetsHolder, NativeFromLeft, AssetKind, AccountId>;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkAssets = UnionOf<Balances, Assets, NativeFromLeft, AssetKind, AccountId>;
}

/// Existential deposit of the native token, and least balance of the asset.
pub const ED: Balance = 10;
pub const NATIVE: AssetKind = AssetKind::Native;
pub const COIN: AssetKind = AssetKind::Asset(7);
pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
pub const CAROL: AccountId = 3;
/// Has nothing.
pub const NOBODY: AccountId = 9;
/// Owns, issues and freezes the asset.
pub const ISSUER: AccountId = 50;
pub const START: Balance = 1_000_000;

pub fn new_test_ext() -> sp_io::TestExternalities {
    let rich = [ALICE, BOB, CAROL, ISSUER];
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: rich.iter().map(|who| (*who, START)).collect(),
            ..Default::default()
        },
        assets: pallet_assets::GenesisConfig {
            assets: vec![(7, ISSUER, true, ED)],
            accounts: rich.iter().map(|who| (7, *who, START)).collect(),
            ..Default::default()
        },
        system: Default::default(),
    }
    .build_storage()
    .unwrap();
    let mut ext = sp_io::TestExternalities::from(storage);
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs a test and checks every invariant after it.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        Escrow::do_try_state().unwrap();
    });
}

pub fn set_frozen(frozen: bool) {
    let origin = RuntimeOrigin::signed(ISSUER);
    if frozen {
        Assets::freeze_asset(origin, 7).unwrap();
    } else {
        Assets::thaw_asset(origin, 7).unwrap();
    }
}
