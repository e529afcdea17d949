//! A runtime with the real escrow, balances and assets pallets, and a registry of providers and roles in a few lines
//! of storage (so that it rolls back like everything else).

use crate as pallet_billing;
use frame_support::{
    derive_impl, parameter_types, storage_alias,
    traits::{
        fungible::{HoldConsideration, Mutate as _, UnionOf},
        tokens::Preservation,
        AsEnsureOriginWithArg, ConstU128, ConstU32, ConstU64, ConstantStoragePrice, Hooks as _,
    },
    weights::{Weight, WeightMeter},
    Twox64Concat,
};
use sp_runtime::{BuildStorage, DispatchError, DispatchResult, Perbill};
use virtengine_primitives::{
    billing::{
        Agreement, AgreementState, Allocation, Component, Fault, InvoiceKey, Month, PricePlan,
        Quantities, Rate, UsageReport,
    },
    traits::{AccountStanding, Billing as BillingSeam, OnAgreementEnded, ProviderRegistry},
    AgreementId, AssetKind, Balance, BlockNumber, Moment, NativeFromLeft, PlanId, ProviderId, Role,
};

pub use sp_core::H256;

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
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(2)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(3)]
    pub type Assets = pallet_assets;
    #[runtime::pallet_index(4)]
    pub type AssetsHolder = pallet_assets_holder;
    #[runtime::pallet_index(5)]
    pub type Escrow = pallet_escrow;
    #[runtime::pallet_index(6)]
    pub type Billing = pallet_billing;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {
    type MinimumPeriod = ConstU64<1>;
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

/// An organisation of the mock: owner, hot key, payout account, live agreements.
#[storage_alias]
pub type Organisations =
    StorageMap<Mock, Twox64Concat, ProviderId, (AccountId, AccountId, AccountId, u32)>;
#[storage_alias]
pub type Arbiters = StorageMap<Mock, Twox64Concat, AccountId, ()>;
#[storage_alias]
pub type Suspended = StorageMap<Mock, Twox64Concat, AccountId, ()>;
/// Agreements whose deadline was reached, although nobody has acted on it.
#[storage_alias]
pub type Overdue = StorageMap<Mock, Twox64Concat, AgreementId, ()>;
/// How often billing said that an agreement is settled.
#[storage_alias]
pub type SettledCount = StorageMap<Mock, Twox64Concat, AgreementId, u32>;

pub struct Registry;
impl ProviderRegistry<AccountId> for Registry {
    fn owned_by(who: &AccountId) -> Option<ProviderId> {
        Organisations::iter()
            .find(|(_, o)| o.0 == *who)
            .map(|(id, _)| id)
    }
    fn worker_of(who: &AccountId) -> Option<ProviderId> {
        Organisations::iter()
            .find(|(_, o)| o.1 == *who)
            .map(|(id, _)| id)
    }
    fn owner(provider: ProviderId) -> Option<AccountId> {
        Organisations::get(provider).map(|o| o.0)
    }
    fn payout(provider: ProviderId) -> Option<AccountId> {
        Organisations::get(provider).map(|o| o.2)
    }
    fn readers(provider: ProviderId) -> Vec<AccountId> {
        Organisations::get(provider).map_or(Vec::new(), |o| vec![o.0, o.1])
    }
    fn is_operational(provider: ProviderId) -> bool {
        Organisations::contains_key(provider)
    }
    fn agreement_opened(provider: ProviderId) -> DispatchResult {
        Organisations::try_mutate(provider, |o| {
            o.as_mut().ok_or(DispatchError::CannotLookup)?.3 += 1;
            Ok(())
        })
    }
    fn agreement_closed(provider: ProviderId) {
        Organisations::mutate(provider, |o| {
            if let Some(o) = o {
                o.3 -= 1;
            }
        })
    }
    fn lock_bond(_: ProviderId, _: AgreementId, _: Balance) -> DispatchResult {
        Ok(())
    }
    fn unlock_bond(_: ProviderId, _: AgreementId) {}
    fn slash_bond(_: ProviderId, _: AgreementId, _: Perbill, _: &AccountId) -> Balance {
        0
    }
    fn pay_from_bond(_: ProviderId, amount: Balance, beneficiary: &AccountId) -> DispatchResult {
        Balances::transfer(&BOND, beneficiary, amount, Preservation::Preserve).map(|_| ())
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_register(owner: &AccountId, worker: &AccountId) -> ProviderId {
        Organisations::insert(99, (*owner, *worker, *owner, 0));
        99
    }
}

pub struct Standing;
impl AccountStanding<AccountId> for Standing {
    fn ensure_active(who: &AccountId) -> DispatchResult {
        frame_support::ensure!(
            !Suspended::contains_key(who),
            DispatchError::Other("suspended")
        );
        Ok(())
    }
    fn has_role(who: &AccountId, role: Role) -> bool {
        role == Role::Arbiter && Arbiters::contains_key(who) && !Suspended::contains_key(who)
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_grant(who: &AccountId, _: Role) {
        Arbiters::insert(who, ());
    }
}

pub struct Ears;
impl OnAgreementEnded for Ears {
    fn on_settled(agreement: AgreementId) {
        SettledCount::mutate(agreement, |n| *n = Some(n.unwrap_or(0) + 1));
    }
    fn takes_usage(agreement: AgreementId) -> bool {
        !Overdue::contains_key(agreement)
    }
}

parameter_types! {
    pub const DisputeReason: RuntimeHoldReason =
        RuntimeHoldReason::Billing(pallet_billing::HoldReason::DisputeDeposit);
    pub const InvoiceReason: RuntimeHoldReason =
        RuntimeHoldReason::Billing(pallet_billing::HoldReason::InvoiceDeposit);
    pub const DefaultSplit: Perbill = Perbill::from_percent(60);
    pub const TakePot: AccountId = POT;
    pub static TakeRate: Perbill = Perbill::from_parts(25_000_000);
    pub static DisputeWindow: BlockNumber = 20;
}

impl pallet_billing::Config for Test {
    type RuntimeHoldReason = RuntimeHoldReason;
    type Escrow = Escrow;
    type Assets = UnionOf<Balances, Assets, NativeFromLeft, AssetKind, AccountId>;
    type Providers = Registry;
    type Standing = Standing;
    type OnSettled = Ears;
    type Time = Timestamp;
    type BlockNumberProvider = System;
    type DisputeDeposit = HoldConsideration<
        AccountId,
        Balances,
        DisputeReason,
        ConstantStoragePrice<ConstU128<DISPUTE_DEPOSIT>, Balance>,
    >;
    type InvoiceDeposit = HoldConsideration<
        AccountId,
        Balances,
        InvoiceReason,
        ConstantStoragePrice<ConstU128<INVOICE_DEPOSIT>, Balance>,
    >;
    type TakePot = TakePot;
    type TakeRate = TakeRate;
    type DefaultSplit = DefaultSplit;
    type DisputeWindow = DisputeWindow;
    type EvidenceWindow = ConstU32<10>;
    type DecisionWindow = ConstU32<15>;
    type ReportTolerance = ConstU64<60_000>;
    type InvoiceGrace = ConstU64<{ 7 * DAY }>;
    type InvoiceRetention = ConstU32<2>;
    type PruneAfter = ConstU32<100>;
    type MaxBatch = ConstU32<50>;
    type WeightInfo = ();
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = Clock;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct Clock;
#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper for Clock {
    fn set_time(now: Moment) {
        Timestamp::set_timestamp(now);
    }
}

pub const ED: Balance = 10;
pub const DISPUTE_DEPOSIT: Balance = 1_000;
pub const INVOICE_DEPOSIT: Balance = 500;
pub const START: Balance = 1_000_000_000;
pub const DAY: Moment = 86_400_000;
pub const HOUR: Moment = 3_600_000;

pub const NATIVE: AssetKind = AssetKind::Native;
pub const COIN: AssetKind = AssetKind::Asset(7);

pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
pub const ANYONE: AccountId = 3;
pub const OWNER: AccountId = 20;
pub const HOT: AccountId = 21;
pub const PAYOUT: AccountId = 22;
pub const OWNER2: AccountId = 30;
pub const HOT2: AccountId = 31;
pub const PAYOUT2: AccountId = 32;
pub const BOND: AccountId = 40;
pub const ISSUER: AccountId = 50;
pub const ARBITER: AccountId = 60;
pub const POT: AccountId = 70;

pub const PROVIDER: ProviderId = 1;
pub const PROVIDER2: ProviderId = 2;

/// Plans of the genesis: native and in the asset of the first provider, native of the second.
pub const PLAN: PlanId = 0;
pub const COIN_PLAN: PlanId = 1;
pub const PLAN2: PlanId = 2;

/// 2026-11-15 00:00 UTC, the first moment of every test.
pub const NOW: Moment = 1_794_700_800_000;
/// 2026-11.
pub const NOVEMBER: Month = 2026 * 12 + 10;

/// Price: 3 units per processor second, 1 unit per 1,000 MiB seconds; at least 100.
pub fn terms(asset: AssetKind) -> PricePlan {
    PricePlan {
        asset,
        rates: vec![
            Rate {
                component: Component::CpuSeconds,
                price_per_million: 3_000_000,
            },
            Rate {
                component: Component::MemoryMibSeconds,
                price_per_million: 1_000,
            },
        ]
        .try_into()
        .unwrap(),
        minimum_charge: 100,
    }
}

pub fn new_test_ext() -> sp_io::TestExternalities {
    let rich = [
        ALICE, BOB, ANYONE, OWNER, HOT, PAYOUT, OWNER2, HOT2, PAYOUT2, BOND, ISSUER, ARBITER, POT,
    ];
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
    ext.execute_with(|| {
        System::set_block_number(1);
        Timestamp::set_timestamp(NOW);
        Organisations::insert(PROVIDER, (OWNER, HOT, PAYOUT, 0));
        Organisations::insert(PROVIDER2, (OWNER2, HOT2, PAYOUT2, 0));
        Arbiters::insert(ARBITER, ());
        Billing::do_publish_plan(&OWNER, terms(NATIVE)).unwrap();
        Billing::do_publish_plan(&OWNER, terms(COIN)).unwrap();
        Billing::do_publish_plan(&OWNER2, terms(NATIVE)).unwrap();
    });
    ext
}

/// Runs a test, and checks every invariant of billing and escrow after it.
pub fn run(test: impl FnOnce()) {
    TakeRate::set(Perbill::from_parts(25_000_000));
    DisputeWindow::set(20);
    new_test_ext().execute_with(|| {
        test();
        check();
    });
}

pub fn check() {
    Escrow::do_try_state().unwrap();
    Billing::do_try_state().unwrap();
}

/// One block later, a second later, with `on_poll`.
pub fn next_block() {
    let block = System::block_number() + 1;
    System::set_block_number(block);
    Timestamp::set_timestamp(Timestamp::get() + 1_000);
    Billing::on_poll(block, &mut WeightMeter::with_limit(Weight::MAX));
}

/// Advances to a block, with `on_poll` in each.
pub fn go_to(block: BlockNumber) {
    while System::block_number() < block {
        next_block();
    }
}

/// Advances to a block without giving `on_poll` a chance.
pub fn jump_to(block: BlockNumber) {
    System::set_block_number(block);
}

pub fn set_time(now: Moment) {
    Timestamp::set_timestamp(now);
}

pub fn signed(who: AccountId) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}

pub fn set_frozen(frozen: bool) {
    if frozen {
        Assets::freeze_asset(signed(ISSUER), 7).unwrap();
    } else {
        Assets::thaw_asset(signed(ISSUER), 7).unwrap();
    }
}

pub fn cpu_mem(cpu: u128, mem: u128) -> Quantities {
    let both = [
        (Component::CpuSeconds, cpu),
        (Component::MemoryMibSeconds, mem),
    ];
    let some: Vec<_> = both.into_iter().filter(|(_, q)| *q > 0).collect();
    some.try_into().unwrap()
}

/// 4 processors and 2,000 MiB for `walltime` seconds: 14 units a second.
pub fn allocation(walltime: u64) -> Allocation {
    Allocation {
        per_second: cpu_mem(4, 2_000),
        walltime,
    }
}

/// Opens an agreement of ALICE with the first provider for up to 1,000 seconds and a ceiling of 14,000.
pub fn open(id: AgreementId) {
    <Billing as BillingSeam<_>>::open(id, &ALICE, PROVIDER, PLAN, 14_000, allocation(1_000))
        .unwrap();
}

/// Opens and starts an agreement now.
pub fn started(id: AgreementId) {
    open(id);
    <Billing as BillingSeam<_>>::start(id, Timestamp::get()).unwrap();
}

pub fn agreement(id: AgreementId) -> Agreement<AccountId> {
    Billing::agreement(id).unwrap()
}

/// The next report of an agreement: `seconds` after what is metered, all that is allocated.
pub fn full(id: AgreementId, seconds: u64) -> UsageReport {
    let a = agreement(id);
    let from = a.metered_until.max(a.started_at.unwrap());
    let s = u128::from(seconds);
    UsageReport {
        sequence: a.sequence + 1,
        from,
        until: from + seconds * 1_000,
        quantities: cpu_mem(4 * s, 2_000 * s),
        evidence: H256::repeat_byte(a.sequence as u8),
    }
}

/// Lets `seconds` pass and reports them in full.
pub fn use_seconds(id: AgreementId, seconds: u64) {
    let report = full(id, seconds);
    if Timestamp::get() < report.until {
        set_time(report.until);
    }
    Billing::report(signed(HOT), id, report).unwrap();
}

pub fn end(id: AgreementId, fault: Fault) {
    <Billing as BillingSeam<_>>::end(id, fault);
}

pub fn release_at(id: AgreementId) -> BlockNumber {
    match agreement(id).state {
        AgreementState::Ended { release_at } => release_at,
        other => panic!("not ended: {other:?}"),
    }
}

pub fn is_settled(id: AgreementId) -> bool {
    matches!(agreement(id).state, AgreementState::Settled { .. })
}

pub fn key(month: Month) -> InvoiceKey<AccountId> {
    InvoiceKey {
        payer: ALICE,
        provider: PROVIDER,
        asset: NATIVE,
        month,
    }
}

/// Free native balance less what everybody began with.
pub fn gain(who: AccountId) -> i128 {
    Balances::free_balance(who) as i128 - START as i128
}

/// Free balance of the asset less what everybody began with.
pub fn coin_gain(who: AccountId) -> i128 {
    Assets::balance(7, who) as i128 - START as i128
}
