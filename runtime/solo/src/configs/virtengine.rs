//! VirtEngine's own pallets. They know each other only through the seams that are filled here.

use crate::{
    configs::money::{Money, Wallets},
    currency::{deposit, UNITS},
    weights, *,
};
use frame_support::{
    parameter_types,
    traits::{
        fungible::HoldConsideration, ConstBool, ConstU128, ConstU32, ConstU64, Get,
        LinearStoragePrice,
    },
};
use frame_system::EnsureRoot;
use sp_runtime::Perbill;

parameter_types! {
    /// Deposit for whatever is stored, before its first byte.
    pub const StorageBaseDeposit: Balance = deposit(1, 0);
    /// Deposit for each byte that is stored.
    pub const StorageByteDeposit: Balance = deposit(0, 1);
}

/// What storage costs, held on whoever causes it until it is removed.
type StorageDeposit<Reason> = HoldConsideration<
    AccountId,
    Balances,
    Reason,
    LinearStoragePrice<StorageBaseDeposit, StorageByteDeposit, Balance>,
>;

impl pallet_accounts::Config for Runtime {
    type AdminOrigin = EnsureRoot<AccountId>;
    type WeightInfo = weights::pallet_accounts::WeightInfo<Runtime>;
}

parameter_types! {
    /// Why the deposit for an encryption key is held.
    pub const KeyDeposit: RuntimeHoldReason = RuntimeHoldReason::Keyring(pallet_keyring::HoldReason::KeyDeposit);
}

impl pallet_keyring::Config for Runtime {
    type Standing = Accounts;
    type Consideration = StorageDeposit<KeyDeposit>;
    type BlockNumberProvider = System;
    type MaxKeys = ConstU32<16>;
    // Half a year of six-second blocks: longer than anything that was sealed to the key can still be disputed.
    type Retention = ConstU32<2_628_000>;
    type WeightInfo = weights::pallet_keyring::WeightInfo<Runtime>;
}

impl pallet_providers::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Standing = Accounts;
    type Time = Timestamp;
    type BlockNumberProvider = System;
    type RequireRole = ConstBool<true>;
    type MinimumBond = ConstU128<{ 100 * UNITS }>;
    type MaxHotKeys = ConstU32<16>;
    type MaxSupportAgents = ConstU32<32>;
    type MaxAttributes = ConstU32<32>;
    type MaxAttestations = ConstU32<8>;
    type Treasury = pots::TreasuryAccount;
    type WeightInfo = weights::pallet_providers::WeightInfo<Runtime>;
}

impl pallet_escrow::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type Assets = Money;
    type WeightInfo = weights::pallet_escrow::WeightInfo<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkAssets = Wallets;
}

/// The dispute window a number of times over.
pub struct DisputeWindows<const TIMES: u32>;
impl<const TIMES: u32> Get<BlockNumber> for DisputeWindows<TIMES> {
    fn get() -> BlockNumber {
        parameters::DisputeWindow::<Runtime>::get().saturating_mul(TIMES)
    }
}

parameter_types! {
    /// Why the deposit for a dispute is held.
    pub const DisputeDepositReason: RuntimeHoldReason = RuntimeHoldReason::Billing(pallet_billing::HoldReason::DisputeDeposit);
    /// Why the deposit for an invoice is held.
    pub const InvoiceDepositReason: RuntimeHoldReason = RuntimeHoldReason::Billing(pallet_billing::HoldReason::InvoiceDeposit);
    /// The chain's share of what a provider is paid.
    pub const TakeRate: Perbill = Perbill::from_parts(25_000_000);
    /// The provider's share of a disputed amount that no arbiter decided on.
    pub const DefaultSplit: Perbill = Perbill::from_percent(50);
}

impl pallet_billing::Config for Runtime {
    type RuntimeHoldReason = RuntimeHoldReason;
    type Escrow = Escrow;
    type Assets = Wallets;
    type Providers = Providers;
    type Standing = Accounts;
    type OnSettled = Hpc;
    type Time = Timestamp;
    type BlockNumberProvider = System;
    type DisputeDeposit = StorageDeposit<DisputeDepositReason>;
    type InvoiceDeposit = StorageDeposit<InvoiceDepositReason>;
    type TakePot = pots::TakeAccount;
    type TakeRate = TakeRate;
    type DefaultSplit = DefaultSplit;
    type DisputeWindow = parameters::DisputeWindowOf<Runtime>;
    type EvidenceWindow = DisputeWindows<1>;
    type DecisionWindow = DisputeWindows<2>;
    // A minute: clocks of clusters and validators differ.
    type ReportTolerance = ConstU64<60_000>;
    // A week.
    type InvoiceGrace = ConstU64<{ 7 * 24 * 60 * 60 * 1_000 }>;
    type InvoiceRetention = ConstU32<24>;
    type PruneAfter = DisputeWindows<10>;
    type MaxBatch = ConstU32<50>;
    type WeightInfo = weights::pallet_billing::WeightInfo<Runtime>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = crate::benchmarks::Clock;
}

parameter_types! {
    /// Why the deposit for a job or a cluster is held.
    pub const JobDeposit: RuntimeHoldReason = RuntimeHoldReason::Hpc(pallet_hpc::HoldReason::StorageDeposit);
    /// What a customer gets of the bond of a provider that accepted and did not start.
    pub const SlashShare: Perbill = Perbill::from_percent(50);
}

impl pallet_hpc::Config for Runtime {
    type WeightInfo = weights::pallet_hpc::WeightInfo<Runtime>;
    type BlockNumberProvider = System;
    type Time = Timestamp;
    type Billing = Billing;
    type Providers = Providers;
    type Envelopes = Keyring;
    type Accounts = Accounts;
    // Nobody has proven who it is until the identity pallet is there: every score is 0, and clusters that ask for
    // more take no job.
    type Identity = ();
    type Consideration = StorageDeposit<JobDeposit>;
    type AcceptTimeout = ConstU32<60>;
    type CancelTimeout = ConstU32<60>;
    type MinStartWithin = ConstU32<10>;
    // Thirty days of six-second blocks.
    type MaxJobLife = ConstU32<432_000>;
    type BlockDuration = parameters::SlotDurationOf<Runtime>;
    type MaxTemplates = ConstU32<64>;
    type AcceptanceBond = ConstU128<{ 10 * UNITS }>;
    type SlashShare = SlashShare;
}
