//! Registration, rotation, revocation, forgetting.

use super::*;

#[test]
fn register_key_should_store_and_hold_when_sound() {
    run(|| {
        let key = register(ALICE, 1);
        assert_eq!(
            last_event(),
            Event::KeyRegistered {
                who: ALICE,
                key,
                public: public(1),
                label: label()
            }
            .into()
        );
        assert_eq!(Keyring::key_owner(key), Some(ALICE));
        let expected = EncryptionKey {
            public: public(1),
            label: label(),
            registered_at: 1,
            revoked_at: None,
        };
        assert_eq!(Keyring::keys(ALICE), vec![(key, expected)]);
        assert_eq!(Balances::balance(&ALICE), 10_000 - DEPOSIT);
    });
}

#[test]
fn register_key_should_refuse_when_registered_by_anybody() {
    run(|| {
        register(ALICE, 1);
        for who in [ALICE, BOB] {
            assert_noop!(
                Keyring::register_key(signed(who), public(1), label()),
                Error::<Test>::AlreadyRegistered
            );
        }
        // Nor while it is only revoked.
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        assert_noop!(
            Keyring::register_key(signed(BOB), public(1), label()),
            Error::<Test>::AlreadyRegistered
        );
    });
}

#[test]
fn register_key_should_refuse_when_label_cannot_be_shown() {
    run(|| {
        for label in [&b"\xff"[..], b"a\nb", b"\x1b[31m"] {
            let label: Name = label.to_vec().try_into().unwrap();
            assert_noop!(
                Keyring::register_key(signed(ALICE), public(1), label),
                Error::<Test>::InvalidLabel
            );
        }
        assert_ok!(Keyring::register_key(
            signed(ALICE),
            public(1),
            Name::default()
        ));
    });
}

#[test]
fn register_key_should_refuse_when_the_account_has_the_most() {
    run(|| {
        (0..4).for_each(|seed| {
            register(ALICE, seed);
        });
        assert_noop!(
            Keyring::register_key(signed(ALICE), public(9), label()),
            Error::<Test>::TooManyKeys
        );
        // Rotation stays possible, and revoking makes room.
        assert_ok!(Keyring::rotate_key(
            signed(ALICE),
            id(0),
            public(9),
            label()
        ));
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        register(ALICE, 10);
        assert_eq!(Keyring::keys(ALICE).len(), 4);
    });
}

#[test]
fn register_key_should_refuse_when_suspended_poor_or_unsigned() {
    run(|| {
        assert_noop!(
            Keyring::register_key(signed(POOR), public(1), label()),
            sp_runtime::TokenError::FundsUnavailable
        );
        Suspended::set(vec![ALICE]);
        assert_noop!(
            Keyring::register_key(signed(ALICE), public(1), label()),
            DispatchError::Other("suspended")
        );
        for origin in [RuntimeOrigin::root, RuntimeOrigin::none] {
            let bad = DispatchError::BadOrigin;
            assert_noop!(Keyring::register_key(origin(), public(1), label()), bad);
            let bad = DispatchError::BadOrigin;
            assert_noop!(
                Keyring::rotate_key(origin(), id(1), public(2), label()),
                bad
            );
            let bad = DispatchError::BadOrigin;
            assert_noop!(Keyring::revoke_key(origin(), id(1)), bad);
            let bad = DispatchError::BadOrigin;
            assert_noop!(Keyring::forget_key(origin(), id(1)), bad);
        }
    });
}

#[test]
fn rotate_key_should_revoke_and_register_at_once() {
    run(|| {
        register(ALICE, 1);
        System::set_block_number(5);
        assert_ok!(Keyring::rotate_key(
            signed(ALICE),
            id(1),
            public(2),
            label()
        ));
        let keys = Keyring::keys(ALICE);
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].0, id(2));
        assert_eq!(keys[0].1.registered_at, 5);
        assert_eq!(Keys::<Test>::get(id(1)).unwrap().key.revoked_at, Some(5));
        assert_eq!(Keyring::key_owner(id(1)), Some(ALICE));
        let events: Vec<_> = System::events().into_iter().map(|r| r.event).collect();
        assert!(events.contains(
            &Event::KeyRevoked {
                who: ALICE,
                key: id(1),
                forgettable_at: 15
            }
            .into()
        ));
    });
}

#[test]
fn rotate_key_should_change_nothing_when_either_half_fails() {
    run(|| {
        register(ALICE, 1);
        register(BOB, 2);
        let rotate = |who, old, new| Keyring::rotate_key(signed(who), old, new, label());
        assert_noop!(rotate(ALICE, id(9), public(3)), Error::<Test>::NotFound);
        assert_noop!(rotate(ALICE, id(2), public(3)), Error::<Test>::NotOwner);
        assert_noop!(
            rotate(ALICE, id(1), public(2)),
            Error::<Test>::AlreadyRegistered
        );
        assert_noop!(
            rotate(ALICE, id(1), public(1)),
            Error::<Test>::AlreadyRegistered
        );
        assert_noop!(rotate(ALICE, id(1), [0; 32]), Error::<Test>::UnsoundKey);
        let bad: Name = vec![0xff].try_into().unwrap();
        assert_noop!(
            Keyring::rotate_key(signed(ALICE), id(1), public(3), bad),
            Error::<Test>::InvalidLabel
        );
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        assert_noop!(
            rotate(ALICE, id(1), public(3)),
            Error::<Test>::AlreadyRevoked
        );
        Suspended::set(vec![BOB]);
        assert_noop!(
            rotate(BOB, id(2), public(3)),
            DispatchError::Other("suspended")
        );
    });
}

#[test]
fn revoke_key_should_work_when_suspended() {
    run(|| {
        register(ALICE, 1);
        Suspended::set(vec![ALICE]);
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        assert_eq!(
            last_event(),
            Event::KeyRevoked {
                who: ALICE,
                key: id(1),
                forgettable_at: 11
            }
            .into()
        );
        assert!(Keyring::keys(ALICE).is_empty());
        assert_eq!(RevokedOf::<Test>::get(ALICE, id(1)), Some(11));
        // And the deposit comes back in time, too.
        System::set_block_number(11);
        assert_ok!(Keyring::forget_key(signed(ALICE), id(1)));
        assert_eq!(Balances::balance(&ALICE), 10_000);
    });
}

#[test]
fn revoke_key_should_refuse_when_unknown_foreign_or_revoked() {
    run(|| {
        register(ALICE, 1);
        assert_noop!(
            Keyring::revoke_key(signed(ALICE), id(2)),
            Error::<Test>::NotFound
        );
        assert_noop!(
            Keyring::revoke_key(signed(BOB), id(1)),
            Error::<Test>::NotOwner
        );
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        assert_noop!(
            Keyring::revoke_key(signed(ALICE), id(1)),
            Error::<Test>::AlreadyRevoked
        );
    });
}

#[test]
fn forget_key_should_return_the_deposit_when_exactly_at_the_block() {
    run(|| {
        register(ALICE, 1);
        assert_noop!(
            Keyring::forget_key(signed(BOB), id(2)),
            Error::<Test>::NotFound
        );
        assert_noop!(
            Keyring::forget_key(signed(BOB), id(1)),
            Error::<Test>::NotRevoked
        );
        assert_ok!(Keyring::revoke_key(signed(ALICE), id(1)));
        System::set_block_number(10);
        assert_noop!(
            Keyring::forget_key(signed(BOB), id(1)),
            Error::<Test>::RetentionNotOver
        );
        System::set_block_number(11);
        assert_ok!(Keyring::forget_key(signed(BOB), id(1)));
        assert_eq!(
            last_event(),
            Event::KeyForgotten {
                who: ALICE,
                key: id(1)
            }
            .into()
        );
        assert_eq!(Balances::balance(&ALICE), 10_000);
        assert_eq!(Keyring::key_owner(id(1)), None);
        assert_eq!(
            RevokedOf::<Test>::iter().count() + KeyCount::<Test>::iter().count(),
            0
        );
    });
}

#[test]
fn try_state_should_fail_when_storage_is_corrupt() {
    let broken = |corrupt: fn()| {
        new_test_ext().execute_with(|| {
            register(ALICE, 1);
            register(ALICE, 2);
            assert_ok!(Keyring::revoke_key(signed(ALICE), id(2)));
            corrupt();
            assert!(Keyring::do_try_state().is_err());
        })
    };
    broken(|| KeysOf::<Test>::remove(ALICE, id(1)));
    broken(|| KeysOf::<Test>::insert(BOB, id(1), ()));
    broken(|| KeysOf::<Test>::insert(ALICE, id(2), ()));
    broken(|| RevokedOf::<Test>::remove(ALICE, id(2)));
    broken(|| RevokedOf::<Test>::insert(ALICE, id(7), 1));
    broken(|| KeyCount::<Test>::insert(ALICE, 2));
    broken(|| KeyCount::<Test>::insert(BOB, 0));
    broken(|| KeyCount::<Test>::remove(ALICE));
    broken(|| Keys::<Test>::swap(id(1), id(2)));
    broken(|| Keys::<Test>::mutate(id(1), |e| e.as_mut().unwrap().key.public = [0; 32]));
}
