//! A runtime of balances and this pallet.

use crate as pallet_keyring;
use frame_support::{
    assert_ok, derive_impl, parameter_types,
    traits::{fungible::HoldConsideration, ConstU128, ConstU32, Footprint},
};
use sp_runtime::{traits::Convert, BuildStorage, DispatchError, DispatchResult};
use virtengine_primitives::{traits::AccountStanding, Role};

pub type Block = frame_system::mocking::MockBlockU32<Test>;

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
    #[runtime::pallet_index(51)]
    pub type Keyring = pallet_keyring;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<u128>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<10>;
    type AccountStore = System;
    type RuntimeHoldReason = RuntimeHoldReason;
}

parameter_types! {
    pub const KeyDeposit: RuntimeHoldReason = RuntimeHoldReason::Keyring(pallet_keyring::HoldReason::KeyDeposit);
    /// Who may not act.
    pub static Suspended: Vec<u64> = Vec::new();
}

/// What one key costs.
pub const DEPOSIT: u128 = 100;

pub struct Price;
impl Convert<Footprint, u128> for Price {
    fn convert(footprint: Footprint) -> u128 {
        assert_eq!(footprint, pallet_keyring::footprint());
        DEPOSIT
    }
}

pub struct Standing;
impl AccountStanding<u64> for Standing {
    fn ensure_active(who: &u64) -> DispatchResult {
        match Suspended::get().contains(who) {
            true => Err(DispatchError::Other("suspended")),
            false => Ok(()),
        }
    }
    fn has_role(_: &u64, _: Role) -> bool {
        false
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_grant(_: &u64, _: Role) {}
}

impl pallet_keyring::Config for Test {
    type Standing = Standing;
    type Consideration = HoldConsideration<u64, Balances, KeyDeposit, Price>;
    type BlockNumberProvider = System;
    type MaxKeys = ConstU32<4>;
    type Retention = ConstU32<10>;
    type WeightInfo = ();
}

pub const ALICE: u64 = 1;
pub const BOB: u64 = 2;
pub const CAROL: u64 = 3;
/// Cannot pay for a single key.
pub const POOR: u64 = 4;

pub fn new_test_ext() -> sp_io::TestExternalities {
    Suspended::set(Vec::new());
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: vec![
            (ALICE, 10_000),
            (BOB, 10_000),
            (CAROL, 10_000),
            (POOR, DEPOSIT),
        ],
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// This pallet's invariants, and the one that only a runtime can check: what is held is what the keys cost.
pub fn check() {
    assert_ok!(Keyring::do_try_state());
    let mut keys = std::collections::BTreeMap::<u64, u128>::new();
    for entry in pallet_keyring::Keys::<Test>::iter_values() {
        *keys.entry(entry.owner).or_default() += 1;
    }
    for who in [ALICE, BOB, CAROL, POOR] {
        use frame_support::traits::fungible::InspectHold;
        let held = Balances::balance_on_hold(&KeyDeposit::get(), &who);
        assert_eq!(held, keys.get(&who).copied().unwrap_or_default() * DEPOSIT);
    }
}

/// Runs a test and then every invariant.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        check();
    });
}

pub fn last_event() -> RuntimeEvent {
    System::events().pop().expect("an event").event
}

#[cfg(feature = "runtime-benchmarks")]
pub fn new_bench_ext() -> sp_io::TestExternalities {
    new_test_ext()
}
