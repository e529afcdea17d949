//! A runtime of balances and this pallet.

use crate as pallet_providers;
use frame_support::{
    assert_ok, derive_impl, parameter_types,
    traits::{fungible::InspectHold, ConstU128, ConstU32, UnixTime},
};
use sp_runtime::{BuildStorage, DispatchError, DispatchResult};
use std::collections::BTreeSet;
use virtengine_primitives::{traits::AccountStanding, Name, ProviderId, Role};

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
    #[runtime::pallet_index(52)]
    pub type Providers = pallet_providers;
}

/// Existential deposit.
pub const ED: u128 = 10;
/// Least bond of an organisation.
pub const MINIMUM: u128 = 1_000;
/// What everybody has in the beginning.
pub const RICH: u128 = 100_000;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<u128>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<ED>;
    type AccountStore = System;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type FreezeIdentifier = u8;
    type MaxFreezes = ConstU32<2>;
}

parameter_types! {
    /// Who may not act.
    pub static Suspended: BTreeSet<u64> = BTreeSet::new();
    /// Who holds the role of a provider.
    pub static Approved: BTreeSet<u64> = BTreeSet::new();
    /// Who holds the role of an attestor.
    pub static Attestors: BTreeSet<u64> = BTreeSet::new();
    /// Who decides disputes.
    pub static Arbiters: BTreeSet<u64> = BTreeSet::new();
    /// Milliseconds.
    pub static Now: u64 = 1_000;
    pub const RequireRole: bool = true;
    pub static Treasury: u64 = POT;
}

pub struct Clock;
impl UnixTime for Clock {
    fn now() -> core::time::Duration {
        core::time::Duration::from_millis(Now::get())
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
    fn has_role(who: &u64, role: Role) -> bool {
        !Suspended::get().contains(who)
            && match role {
                Role::Provider => Approved::get().contains(who),
                Role::Attestor => Attestors::get().contains(who),
                Role::Arbiter => Arbiters::get().contains(who),
                _ => false,
            }
    }
    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_grant(who: &u64, role: Role) {
        match role {
            Role::Provider => Approved::mutate(|all| all.insert(*who)),
            Role::Attestor => Attestors::mutate(|all| all.insert(*who)),
            _ => true,
        };
    }
}

impl pallet_providers::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Standing = Standing;
    type Time = Clock;
    type BlockNumberProvider = System;
    type RequireRole = RequireRole;
    type MinimumBond = ConstU128<MINIMUM>;
    type MaxHotKeys = ConstU32<3>;
    type MaxSupportAgents = ConstU32<2>;
    type MaxAttributes = ConstU32<3>;
    type MaxAttestations = ConstU32<2>;
    type Treasury = Treasury;
    type WeightInfo = ();
}

/// May own organisations.
pub const ALICE: u64 = 1;
/// May own organisations.
pub const BOB: u64 = 2;
/// May own organisations.
pub const CAROL: u64 = 3;
/// Has not been approved.
pub const DAVE: u64 = 4;
/// Approved, but cannot pay the bond.
pub const POOR: u64 = 5;
/// Workers.
pub const WORKERS: [u64; 4] = [11, 12, 13, 14];
/// Attestors.
pub const WITNESSES: [u64; 3] = [21, 22, 23];
/// Exists not.
pub const NOBODY: u64 = 99;
pub const POT: u64 = 100;

pub fn new_test_ext() -> sp_io::TestExternalities {
    Suspended::set(BTreeSet::new());
    Approved::set([ALICE, BOB, CAROL, POOR].into());
    Attestors::set(WITNESSES.into());
    Arbiters::set(BTreeSet::new());
    Now::set(1_000);
    Treasury::set(POT);
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_balances::GenesisConfig::<Test> {
        balances: vec![
            (ALICE, RICH),
            (BOB, RICH),
            (CAROL, RICH),
            (DAVE, RICH),
            (POOR, MINIMUM),
            (POT, ED),
        ],
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| System::set_block_number(1));
    ext
}

/// Runs a test and then every invariant.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        assert_ok!(Providers::do_try_state());
    });
}

pub fn name(text: &str) -> Name {
    text.as_bytes().to_vec().try_into().unwrap()
}

pub fn signed(who: u64) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}

/// Registers an organisation with the minimum bond.
pub fn organisation(owner: u64) -> ProviderId {
    let id = pallet_providers::NextProviderId::<Test>::get();
    assert_ok!(Providers::register(
        signed(owner),
        name("Iron Works"),
        owner
    ));
    id
}

pub fn held(who: u64) -> u128 {
    let reason = RuntimeHoldReason::Providers(pallet_providers::HoldReason::Bond);
    Balances::balance_on_hold(&reason, &who)
}

pub fn last_event() -> RuntimeEvent {
    System::events().pop().expect("an event").event
}

#[cfg(feature = "runtime-benchmarks")]
pub fn new_bench_ext() -> sp_io::TestExternalities {
    new_test_ext()
}
