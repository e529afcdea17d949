//! The native token, assets, and how fees are paid.

use crate::{
    currency::{deposit, EXISTENTIAL_DEPOSIT, UNITS},
    weights, *,
};
use frame_support::{
    parameter_types,
    traits::{AsEnsureOriginWithArg, ConstU128, ConstU32, ConstU8, VariantCountOf},
};
use frame_system::{EnsureRoot, EnsureSigned};
use pallet_asset_tx_payment::FungiblesAdapter;
use pallet_transaction_payment::FungibleAdapter;
use virtengine_runtime_common::{
    assets::{FeeInAsset, NativeAndAssets},
    fees::{DivideAssetFees, DivideFees, FeeAdjustment, LengthFee, WeightFee},
};

/// The native token and all assets, with holds: what escrow works on.
pub type Money = NativeAndAssets<Balances, AssetsHolder>;
/// The native token and all assets, with transfers: what credit notes are paid from.
pub type Wallets = NativeAndAssets<Balances, Assets>;

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = weights::pallet_balances::WeightInfo<Runtime>;
    type Balance = Balance;
    // Dust is burned.
    type DustRemoval = ();
    type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, DivideFees<Runtime>>;
    type WeightToFee = WeightFee;
    type LengthToFee = LengthFee;
    type FeeMultiplierUpdate = FeeAdjustment<Runtime>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = weights::pallet_transaction_payment::WeightInfo<Runtime>;
}

impl pallet_asset_tx_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type Fungibles = Assets;
    type OnChargeAssetTransaction =
        FungiblesAdapter<FeeInAsset<AssetRate>, DivideAssetFees<Runtime>>;
    type WeightInfo = weights::pallet_asset_tx_payment::WeightInfo<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::AssetFees;
}

parameter_types! {
    /// Deposit for creating an asset.
    pub const AssetDeposit: Balance = 10 * UNITS;
    /// Deposit for an account in an asset whose holdings alone do not keep accounts alive.
    pub const AssetAccountDeposit: Balance = deposit(1, 16);
    /// Deposit for the name of an asset, before its first byte.
    pub const MetadataDepositBase: Balance = deposit(1, 68);
    /// Deposit for each byte of the name of an asset.
    pub const MetadataDepositPerByte: Balance = deposit(0, 1);
}

impl pallet_assets::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type Balance = Balance;
    type RemoveItemsLimit = ConstU32<1_000>;
    type AssetId = AssetId;
    type AssetIdParameter = codec::Compact<AssetId>;
    type ReserveData = ();
    type Currency = Balances;
    type CreateOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
    type ForceOrigin = EnsureRoot<AccountId>;
    type AssetDeposit = AssetDeposit;
    type AssetAccountDeposit = AssetAccountDeposit;
    type MetadataDepositBase = MetadataDepositBase;
    type MetadataDepositPerByte = MetadataDepositPerByte;
    type ApprovalDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
    type StringLimit = ConstU32<50>;
    type Freezer = ();
    type Holder = AssetsHolder;
    type Extra = ();
    type CallbackHandle = ();
    type AssetIdAllocator = ();
    type WeightInfo = weights::pallet_assets::WeightInfo<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = ();
}

impl pallet_assets_holder::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeEvent = RuntimeEvent;
}

impl pallet_asset_rate::Config for Runtime {
    type WeightInfo = weights::pallet_asset_rate::WeightInfo<Runtime>;
    type RuntimeEvent = RuntimeEvent;
    type CreateOrigin = EnsureRoot<AccountId>;
    type RemoveOrigin = EnsureRoot<AccountId>;
    type UpdateOrigin = EnsureRoot<AccountId>;
    type Currency = Balances;
    type AssetKind = AssetKind;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::AssetKinds;
}
