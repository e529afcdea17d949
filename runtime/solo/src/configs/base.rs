//! System, clock, scheduler, preimages, migrations, sudo.

use crate::{currency::deposit, weights, *};
use frame_support::{
    derive_impl, parameter_types,
    traits::{
        fungible::HoldConsideration, ConstU16, ConstU32, EqualPrivilegeOnly, LinearStoragePrice,
    },
    weights::constants::ParityDbWeight,
};
use frame_system::EnsureRoot;
use sp_runtime::traits::AccountIdLookup;
use virtengine_runtime_common::limits::{RuntimeBlockLength, RuntimeBlockWeights, ServiceWeight};

/// Migrations of one block, in order, run by the first block of a new runtime. Add a migration together with the
/// storage version that it reaches, and take it out once every chain has passed it.
pub type SingleBlockMigrations = ();

parameter_types! {
    /// Hashes of so many blocks are kept, so mortal transactions live at most that long.
    pub const BlockHashCount: BlockNumber = 4_096;
    /// See [`VERSION`].
    pub const Version: sp_version::RuntimeVersion = VERSION;
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type Block = Block;
    type BlockWeights = RuntimeBlockWeights;
    type BlockLength = RuntimeBlockLength;
    type AccountId = AccountId;
    type Nonce = Nonce;
    type Hash = Hash;
    type Hashing = Hashing;
    type Lookup = AccountIdLookup<AccountId, ()>;
    type BlockHashCount = BlockHashCount;
    type DbWeight = ParityDbWeight;
    type Version = Version;
    type AccountData = pallet_balances::AccountData<Balance>;
    type SystemWeightInfo = weights::frame_system::WeightInfo<Runtime>;
    type ExtensionsWeightInfo = weights::frame_system_extensions::WeightInfo<Runtime>;
    type SS58Prefix = ConstU16<42>;
    type MaxConsumers = ConstU32<128>;
    type SingleBlockMigrations = SingleBlockMigrations;
    type MultiBlockMigrator = Migrations;
}

impl parameters::Config for Runtime {}

impl pallet_timestamp::Config for Runtime {
    type Moment = Moment;
    type OnTimestampSet = Babe;
    type MinimumPeriod = parameters::MinimumPeriodOf<Runtime>;
    type WeightInfo = weights::pallet_timestamp::WeightInfo<Runtime>;
}

impl pallet_scheduler::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type MaximumWeight = ServiceWeight;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type MaxScheduledPerBlock = ConstU32<64>;
    type WeightInfo = weights::pallet_scheduler::WeightInfo<Runtime>;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

parameter_types! {
    /// Deposit for a preimage, before its first byte.
    pub const PreimageBaseDeposit: Balance = deposit(2, 64);
    /// Deposit for each byte of a preimage.
    pub const PreimageByteDeposit: Balance = deposit(0, 1);
    /// Why the deposit for a preimage is held.
    pub const PreimageHoldReason: RuntimeHoldReason = RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
}

impl pallet_preimage::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = weights::pallet_preimage::WeightInfo<Runtime>;
    type Currency = Balances;
    type ManagerOrigin = EnsureRoot<AccountId>;
    type Consideration = HoldConsideration<
        AccountId,
        Balances,
        PreimageHoldReason,
        LinearStoragePrice<PreimageBaseDeposit, PreimageByteDeposit, Balance>,
    >;
}

impl pallet_migrations::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    // What may take more than one block. Upgrades of one block go to `SingleBlockMigrations` above.
    #[cfg(not(feature = "runtime-benchmarks"))]
    type Migrations = (pallet_accounts::migrations::v2::RolesByRole<Runtime>,);
    #[cfg(feature = "runtime-benchmarks")]
    type Migrations = pallet_migrations::mock_helpers::MockedMigrations;
    type CursorMaxLen = ConstU32<65_536>;
    type IdentifierMaxLen = ConstU32<256>;
    type MigrationStatusHandler = ();
    // Half-migrated money must not be touched: the chain waits for root.
    type FailedMigrationHandler = frame_support::migrations::FreezeChainOnFailedMigration;
    type MaxServiceWeight = ServiceWeight;
    type WeightInfo = weights::pallet_migrations::WeightInfo<Runtime>;
}

// Only development and test presets set a key. Without one no account can call it, and nobody can set one but root.
impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = weights::pallet_sudo::WeightInfo<Runtime>;
}
