//! A runtime of this pallet alone.

use crate as pallet_accounts;
use frame_support::{assert_ok, derive_impl};
use frame_system::EnsureRoot;
use sp_runtime::BuildStorage;
use virtengine_primitives::Role;

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
    #[runtime::pallet_index(50)]
    pub type Accounts = pallet_accounts;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    // What migrations reckon with.
    type DbWeight = frame_support::weights::constants::ParityDbWeight;
}

impl pallet_accounts::Config for Test {
    type AdminOrigin = EnsureRoot<u64>;
    type WeightInfo = ();
}

/// Genesis account.
pub const GENESIS: u64 = 1;
/// Administrator.
pub const ADMIN: u64 = 2;
/// Another administrator.
pub const ADMIN2: u64 = 3;
/// Moderator.
pub const MODERATOR: u64 = 4;
/// Another moderator.
pub const MODERATOR2: u64 = 5;
/// Nobody in particular.
pub const ALICE: u64 = 10;
/// Nobody in particular.
pub const BOB: u64 = 11;

pub fn new_test_ext() -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default()
        .build_storage()
        .unwrap();
    pallet_accounts::GenesisConfig::<Test> {
        genesis_accounts: vec![GENESIS],
        roles: vec![
            (ADMIN, Role::Administrator),
            (ADMIN2, Role::Administrator),
            (MODERATOR, Role::Moderator),
            (MODERATOR2, Role::Moderator),
        ],
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut ext: sp_io::TestExternalities = storage.into();
    ext.execute_with(|| {
        System::set_block_number(1);
        for who in [GENESIS, ADMIN, ADMIN2, MODERATOR, MODERATOR2, ALICE, BOB] {
            System::inc_providers(&who);
        }
    });
    ext
}

/// Runs a test and then every invariant.
pub fn run(test: impl FnOnce()) {
    new_test_ext().execute_with(|| {
        test();
        assert_ok!(Accounts::do_try_state());
    });
}

pub fn last_event() -> RuntimeEvent {
    System::events().pop().expect("an event").event
}

#[cfg(feature = "runtime-benchmarks")]
pub fn new_bench_ext() -> sp_io::TestExternalities {
    new_test_ext()
}
