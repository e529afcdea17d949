//! From one storage version to the next.

use super::*;
use crate::migrations::v2::{Roles, RolesByRole};
use frame_support::{
    migrations::{SteppedMigration, SteppedMigrationError},
    traits::{GetStorageVersion, StorageVersion},
    weights::{Weight, WeightMeter},
};

/// Every role as version 1 would have kept it.
fn as_version_1() -> Vec<(u64, Role, Authority<u64>)> {
    for who in 100..140 {
        frame_system::Pallet::<Test>::inc_providers(&who);
        assert_ok!(Accounts::do_register(who));
    }
    let mut all: Vec<_> = Holders::<Test>::drain()
        .map(|(role, who, by)| (who, role, by))
        .collect();
    for (who, role, by) in &all {
        Roles::<Test>::insert(who, role, by);
    }
    StorageVersion::new(1).put::<Accounts>();
    all.sort_by_key(|(who, role, _)| (*who, *role));
    all
}

fn now() -> Vec<(u64, Role, Authority<u64>)> {
    let mut all: Vec<_> = Holders::<Test>::iter()
        .map(|(role, who, by)| (who, role, by))
        .collect();
    all.sort_by_key(|(who, role, _)| (*who, *role));
    all
}

/// Weight of moving one role.
fn each() -> Weight {
    match RolesByRole::<Test>::step(None, &mut WeightMeter::with_limit(Weight::zero())) {
        Err(SteppedMigrationError::InsufficientWeight { required }) => required,
        other => panic!("it does something for nothing: {other:?}"),
    }
}

#[test]
fn roles_should_all_be_moved_when_a_block_has_room_for_only_some() {
    run(|| {
        let before = as_version_1();
        let (mut cursor, mut blocks) = (None, 0);
        loop {
            let mut meter = WeightMeter::with_limit(each() * 10);
            cursor = RolesByRole::<Test>::step(cursor, &mut meter).unwrap();
            blocks += 1;
            let moved = Holders::<Test>::iter().count();
            assert!(moved <= 10 * blocks, "{moved} in {blocks} blocks");
            if cursor.is_none() {
                break;
            }
            assert_eq!(Accounts::on_chain_storage_version(), 1);
        }
        assert!(blocks > 4);
        assert_eq!(now(), before);
        assert_eq!(Roles::<Test>::iter().count(), 0);
        assert_eq!(Accounts::on_chain_storage_version(), 2);
    });
}

#[test]
fn roles_should_stay_as_they_are_when_the_migration_runs_again() {
    run(|| {
        let before = now();
        // A later version must not be taken back either.
        StorageVersion::new(3).put::<Accounts>();
        for _ in 0..2 {
            let mut meter = WeightMeter::new();
            assert_eq!(RolesByRole::<Test>::step(None, &mut meter), Ok(None));
        }
        assert_eq!(now(), before);
        assert_eq!(Accounts::on_chain_storage_version(), 3);
        StorageVersion::new(2).put::<Accounts>();
    });
}
