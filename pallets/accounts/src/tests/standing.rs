//! Suspension, reactivation, termination.

use super::*;

#[test]
fn suspend_should_disable_roles_and_reactivate_should_restore_them() {
    run(|| {
        assert_ok!(Accounts::nominate(signed(ADMIN), ALICE, Role::Provider));
        assert_ok!(Accounts::suspend(signed(MODERATOR), ALICE, reason()));
        assert_eq!(
            last_event(),
            Event::Suspended {
                who: ALICE,
                by: Authority::Account(MODERATOR),
                reason: reason()
            }
            .into()
        );
        assert!(!Accounts::has_role(&ALICE, Role::Provider));
        assert_noop!(
            Accounts::ensure_active(&ALICE),
            Error::<Test>::AccountSuspended
        );
        assert_eq!(
            Accounts::account(ALICE),
            (AccountState::Suspended, vec![Role::Provider])
        );

        assert_ok!(Accounts::reactivate(signed(ADMIN), ALICE));
        assert_eq!(
            last_event(),
            Event::Reactivated {
                who: ALICE,
                by: Authority::Account(ADMIN)
            }
            .into()
        );
        assert!(Accounts::has_role(&ALICE, Role::Provider));
        assert_ok!(Accounts::ensure_active(&ALICE));
        assert!(!States::<Test>::contains_key(ALICE));
    });
}

#[test]
fn suspend_should_follow_ranks_when_signed_by_anybody() {
    let rank = |who| match who {
        GENESIS => 3,
        ADMIN | ADMIN2 => 2,
        MODERATOR | MODERATOR2 => 1,
        _ => 0,
    };
    let everybody = [GENESIS, ADMIN, ADMIN2, MODERATOR, MODERATOR2, ALICE, BOB];
    for signer in everybody {
        for who in everybody {
            run(|| {
                // Another one, so that the rule of the last does not interfere.
                assert_ok!(Accounts::nominate(RuntimeOrigin::root(), 7, Role::Genesis));
                let outranks = rank(signer) > rank(who);
                let suspended = Accounts::suspend(signed(signer), who, reason());
                match rank(signer) {
                    0 => assert_eq!(suspended, Err(Error::<Test>::NotAuthorized.into())),
                    _ if outranks => assert_eq!(suspended, Ok(())),
                    _ => assert_eq!(suspended, Err(Error::<Test>::RankTooLow.into())),
                }
                if suspended.is_err() && signer != who {
                    assert_ok!(Accounts::suspend(RuntimeOrigin::root(), who, reason()));
                }
                for after in [
                    Accounts::reactivate(signed(signer), who),
                    Accounts::terminate(signed(signer), who, reason()),
                ] {
                    match rank(signer) {
                        0 | 1 => assert_eq!(after, Err(Error::<Test>::NotAuthorized.into())),
                        _ if outranks => assert_eq!(after, Ok(())),
                        _ => assert_eq!(after, Err(Error::<Test>::RankTooLow.into())),
                    }
                }
            });
        }
    }
}

#[test]
fn suspend_should_refuse_when_not_active_or_without_reason() {
    run(|| {
        let nothing = Reason::default();
        let noise: Reason = vec![0xff, 0xfe].try_into().unwrap();
        for wrong in [nothing, noise] {
            assert_noop!(
                Accounts::suspend(signed(ADMIN), ALICE, wrong.clone()),
                Error::<Test>::InvalidReason
            );
            assert_noop!(
                Accounts::terminate(signed(ADMIN), ALICE, wrong),
                Error::<Test>::InvalidReason
            );
        }
        assert_ok!(Accounts::suspend(signed(ADMIN), ALICE, reason()));
        assert_noop!(
            Accounts::suspend(signed(ADMIN), ALICE, reason()),
            Error::<Test>::AccountSuspended
        );
        assert_ok!(Accounts::terminate(signed(ADMIN), ALICE, reason()));
        assert_noop!(
            Accounts::suspend(signed(ADMIN), ALICE, reason()),
            Error::<Test>::AccountTerminated
        );
    });
}

#[test]
fn suspend_should_disarm_when_the_signer_is_suspended() {
    run(|| {
        assert_ok!(Accounts::suspend(signed(GENESIS), ADMIN, reason()));
        assert_noop!(
            Accounts::suspend(signed(ADMIN), ALICE, reason()),
            Error::<Test>::AccountSuspended
        );
        assert_noop!(
            Accounts::reactivate(signed(ADMIN), ADMIN),
            Error::<Test>::AccountSuspended
        );
        assert_noop!(
            Accounts::terminate(signed(ADMIN), ALICE, reason()),
            Error::<Test>::AccountSuspended
        );
    });
}

#[test]
fn reactivate_should_refuse_when_active_or_terminated() {
    run(|| {
        assert_noop!(
            Accounts::reactivate(signed(ADMIN), ALICE),
            Error::<Test>::NotSuspended
        );
        assert_ok!(Accounts::terminate(signed(ADMIN), ALICE, reason()));
        assert_noop!(
            Accounts::reactivate(RuntimeOrigin::root(), ALICE),
            Error::<Test>::AccountTerminated
        );
    });
}

#[test]
fn reactivate_should_count_genesis_accounts_again() {
    run(|| {
        assert_ok!(Accounts::nominate(
            RuntimeOrigin::root(),
            BOB,
            Role::Genesis
        ));
        assert_ok!(Accounts::suspend(RuntimeOrigin::root(), BOB, reason()));
        assert_eq!(ActiveGenesis::<Test>::get(), 1);
        assert_ok!(Accounts::reactivate(RuntimeOrigin::root(), BOB));
        assert_eq!(ActiveGenesis::<Test>::get(), 2);
    });
}

#[test]
fn terminate_should_take_every_role_when_account_has_them() {
    run(|| {
        assert_ok!(Accounts::register(signed(BOB)));
        for role in ALL.into_iter().filter(|role| *role != Role::Customer) {
            assert_ok!(Accounts::nominate(RuntimeOrigin::root(), BOB, role));
        }
        assert_ok!(Accounts::terminate(RuntimeOrigin::root(), BOB, reason()));
        assert_eq!(
            last_event(),
            Event::Terminated {
                who: BOB,
                by: Authority::Governance,
                reason: reason()
            }
            .into()
        );
        assert_eq!(Accounts::account(BOB), (AccountState::Terminated, vec![]));
        assert_eq!(System::consumers(&BOB), 0);
        assert_eq!(ActiveGenesis::<Test>::get(), 1);
        assert_noop!(
            Accounts::terminate(RuntimeOrigin::root(), BOB, reason()),
            Error::<Test>::AccountTerminated
        );
        let revoked = System::events()
            .into_iter()
            .filter(|r| matches!(r.event, RuntimeEvent::Accounts(Event::RoleRevoked { .. })))
            .count();
        assert_eq!(revoked, ALL.len());
    });
}

#[test]
fn try_state_should_fail_when_storage_is_corrupt() {
    let broken = |corrupt: fn()| {
        new_test_ext().execute_with(|| {
            corrupt();
            assert!(Accounts::do_try_state().is_err());
        })
    };
    broken(|| States::<Test>::insert(ALICE, AccountState::Active));
    broken(|| States::<Test>::insert(ADMIN, AccountState::Terminated));
    broken(|| States::<Test>::insert(GENESIS, AccountState::Suspended));
    broken(|| ActiveGenesis::<Test>::put(2));
    broken(|| Holders::<Test>::insert(Role::Customer, ALICE, Authority::Account(ALICE)));
}
