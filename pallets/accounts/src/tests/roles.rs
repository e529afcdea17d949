//! Nomination, revocation, resignation, self-service.

use super::*;

#[test]
fn chain_spec_should_grant_roles_once_when_named_twice() {
    new_test_ext().execute_with(|| {
        let config = GenesisConfig::<Test> {
            genesis_accounts: vec![GENESIS, BOB, BOB],
            roles: vec![(BOB, Role::Genesis), (BOB, Role::Customer)],
        };
        frame_support::traits::BuildGenesisConfig::build(&config);
        assert_eq!(ActiveGenesis::<Test>::get(), 2);
        assert_eq!(
            Holders::<Test>::get(Role::Customer, BOB),
            Some(Authority::ChainSpec)
        );
        assert_ok!(Accounts::do_try_state());
    });
}

#[test]
fn nominate_should_follow_the_table_when_signed_by_anybody() {
    // Who may nominate for what, complete.
    for (signer, role, allowed) in [GENESIS, ADMIN, MODERATOR, ALICE]
        .into_iter()
        .flat_map(|signer| ALL.into_iter().map(move |role| (signer, role)))
        .map(|(signer, role)| {
            let allowed = match role {
                Role::Genesis | Role::Customer => false,
                Role::Administrator => signer == GENESIS,
                _ => signer == ADMIN,
            };
            (signer, role, allowed)
        })
    {
        run(|| {
            if allowed {
                assert_ok!(Accounts::nominate(signed(signer), BOB, role));
                assert!(Accounts::has_role(&BOB, role));
                let by = Authority::Account(signer);
                assert_eq!(Holders::<Test>::get(role, BOB), Some(by.clone()));
                assert_eq!(
                    last_event(),
                    Event::RoleGranted {
                        who: BOB,
                        role,
                        by: by.clone()
                    }
                    .into()
                );
                assert_ok!(Accounts::revoke(signed(signer), BOB, role));
                assert_eq!(
                    last_event(),
                    Event::RoleRevoked { who: BOB, role, by }.into()
                );
                assert_eq!(Accounts::account(BOB), (AccountState::Active, vec![]));
            } else {
                assert_noop!(
                    Accounts::nominate(signed(signer), BOB, role),
                    Error::<Test>::NotAuthorized
                );
                assert_noop!(
                    Accounts::revoke(signed(signer), BOB, role),
                    Error::<Test>::NotAuthorized
                );
            }
        });
    }
}

#[test]
fn nominate_should_grant_every_role_when_governance_asks() {
    run(|| {
        for role in ALL {
            assert_ok!(Accounts::nominate(RuntimeOrigin::root(), BOB, role));
        }
        assert_eq!(Accounts::account(BOB), (AccountState::Active, ALL.to_vec()));
        assert_eq!(ActiveGenesis::<Test>::get(), 2);
        for role in ALL {
            assert_ok!(Accounts::revoke(RuntimeOrigin::root(), BOB, role));
        }
        assert_eq!(Accounts::account(BOB), (AccountState::Active, vec![]));
    });
}

#[test]
fn nominate_should_refuse_when_unsigned() {
    run(|| {
        let none = RuntimeOrigin::none;
        assert_noop!(
            Accounts::nominate(none(), BOB, Role::Arbiter),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Accounts::revoke(none(), BOB, Role::Arbiter),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Accounts::resign(none(), Role::Arbiter),
            DispatchError::BadOrigin
        );
        assert_noop!(Accounts::register(none()), DispatchError::BadOrigin);
        assert_noop!(Accounts::unregister(none()), DispatchError::BadOrigin);
        assert_noop!(
            Accounts::suspend(none(), BOB, reason()),
            DispatchError::BadOrigin
        );
        assert_noop!(Accounts::reactivate(none(), BOB), DispatchError::BadOrigin);
        assert_noop!(
            Accounts::terminate(none(), BOB, reason()),
            DispatchError::BadOrigin
        );
        // Governance is no account: what is done for oneself needs a signature.
        let root = RuntimeOrigin::root;
        assert_noop!(
            Accounts::resign(root(), Role::Arbiter),
            DispatchError::BadOrigin
        );
        assert_noop!(Accounts::register(root()), DispatchError::BadOrigin);
        assert_noop!(Accounts::unregister(root()), DispatchError::BadOrigin);
    });
}

#[test]
fn nominate_should_refuse_when_role_is_held() {
    run(|| {
        assert_ok!(Accounts::nominate(signed(ADMIN), BOB, Role::Provider));
        assert_noop!(
            Accounts::nominate(signed(ADMIN2), BOB, Role::Provider),
            Error::<Test>::AlreadyHasRole
        );
    });
}

#[test]
fn nominate_should_refuse_when_either_side_is_not_active() {
    run(|| {
        assert_ok!(Accounts::suspend(signed(ADMIN), BOB, reason()));
        assert_noop!(
            Accounts::nominate(signed(ADMIN), BOB, Role::Provider),
            Error::<Test>::AccountSuspended
        );
        assert_ok!(Accounts::terminate(signed(ADMIN), BOB, reason()));
        assert_noop!(
            Accounts::nominate(signed(ADMIN), BOB, Role::Provider),
            Error::<Test>::AccountTerminated
        );
        assert_ok!(Accounts::suspend(signed(GENESIS), ADMIN2, reason()));
        assert_noop!(
            Accounts::nominate(signed(ADMIN2), ALICE, Role::Provider),
            Error::<Test>::AccountSuspended
        );
        assert_noop!(
            Accounts::revoke(signed(ADMIN2), MODERATOR, Role::Moderator),
            Error::<Test>::AccountSuspended
        );
    });
}

#[test]
fn revoke_should_refuse_when_role_is_not_held() {
    run(|| {
        assert_noop!(
            Accounts::revoke(signed(ADMIN), BOB, Role::Moderator),
            Error::<Test>::RoleNotHeld
        );
    });
}

#[test]
fn revoke_should_work_when_holder_is_suspended() {
    run(|| {
        assert_ok!(Accounts::suspend(signed(ADMIN), MODERATOR, reason()));
        assert_ok!(Accounts::revoke(signed(ADMIN), MODERATOR, Role::Moderator));
        assert_eq!(
            Accounts::account(MODERATOR),
            (AccountState::Suspended, vec![])
        );
    });
}

#[test]
fn last_genesis_account_should_stay_when_anybody_removes_it() {
    run(|| {
        let last = Error::<Test>::LastGenesisAccount;
        let root = RuntimeOrigin::root;
        assert_noop!(Accounts::resign(signed(GENESIS), Role::Genesis), last);
        let last = Error::<Test>::LastGenesisAccount;
        assert_noop!(Accounts::revoke(root(), GENESIS, Role::Genesis), last);
        let last = Error::<Test>::LastGenesisAccount;
        assert_noop!(Accounts::suspend(root(), GENESIS, reason()), last);
        let last = Error::<Test>::LastGenesisAccount;
        assert_noop!(Accounts::terminate(root(), GENESIS, reason()), last);

        assert_ok!(Accounts::nominate(root(), BOB, Role::Genesis));
        assert_ok!(Accounts::suspend(root(), GENESIS, reason()));
        assert_eq!(ActiveGenesis::<Test>::get(), 1);
        let last = Error::<Test>::LastGenesisAccount;
        assert_noop!(Accounts::resign(signed(BOB), Role::Genesis), last);
        // The suspended one is not counted and may go.
        assert_ok!(Accounts::resign(signed(GENESIS), Role::Genesis));
        assert_eq!(ActiveGenesis::<Test>::get(), 1);
    });
}

#[test]
fn resign_should_work_when_suspended_and_refuse_when_role_is_not_held() {
    run(|| {
        assert_ok!(Accounts::suspend(signed(ADMIN), MODERATOR, reason()));
        assert_ok!(Accounts::resign(signed(MODERATOR), Role::Moderator));
        let by = Authority::Account(MODERATOR);
        assert_eq!(
            last_event(),
            Event::RoleRevoked {
                who: MODERATOR,
                role: Role::Moderator,
                by
            }
            .into()
        );
        assert_noop!(
            Accounts::resign(signed(MODERATOR), Role::Moderator),
            Error::<Test>::RoleNotHeld
        );
    });
}

#[test]
fn register_should_keep_the_account_alive_when_customer() {
    run(|| {
        assert_ok!(Accounts::register(signed(ALICE)));
        assert!(Accounts::has_role(&ALICE, Role::Customer));
        assert_eq!(System::consumers(&ALICE), 1);
        assert_noop!(
            Accounts::register(signed(ALICE)),
            Error::<Test>::AlreadyHasRole
        );
        assert_ok!(Accounts::unregister(signed(ALICE)));
        assert_eq!(System::consumers(&ALICE), 0);
        assert_noop!(
            Accounts::unregister(signed(ALICE)),
            Error::<Test>::RoleNotHeld
        );
        // Resigning is the same.
        assert_ok!(Accounts::register(signed(ALICE)));
        assert_ok!(Accounts::resign(signed(ALICE), Role::Customer));
        assert_eq!(System::consumers(&ALICE), 0);
    });
}

#[test]
fn register_should_refuse_when_account_is_empty_or_not_active() {
    run(|| {
        assert_noop!(
            Accounts::register(signed(99)),
            Error::<Test>::AccountNotFunded
        );
        assert_ok!(Accounts::suspend(signed(ADMIN), ALICE, reason()));
        assert_noop!(
            Accounts::register(signed(ALICE)),
            Error::<Test>::AccountSuspended
        );
        assert_ok!(Accounts::terminate(signed(ADMIN), ALICE, reason()));
        assert_noop!(
            Accounts::register(signed(ALICE)),
            Error::<Test>::AccountTerminated
        );
    });
}

#[test]
fn unregister_should_work_when_suspended() {
    run(|| {
        assert_ok!(Accounts::register(signed(ALICE)));
        assert_ok!(Accounts::suspend(signed(MODERATOR), ALICE, reason()));
        assert_ok!(Accounts::unregister(signed(ALICE)));
        assert_eq!(System::consumers(&ALICE), 0);
    });
}

#[test]
fn with_role_should_list_every_holder_once_when_there_are_several_pages() {
    run(|| {
        let page = virtengine_primitives::apis::PAGE as usize;
        let mut expected: Vec<u64> = (1_000..1_000 + 2 * page as u64 + 7).collect();
        for who in &expected {
            assert_ok!(Accounts::nominate(signed(ADMIN), *who, Role::Arbiter));
        }
        assert_ok!(Accounts::suspend(signed(ADMIN), expected[3], reason()));
        let mut found: Vec<(u64, AccountState)> = Vec::new();
        loop {
            let part = Accounts::with_role(Role::Arbiter, found.last().map(|(who, _)| *who));
            assert!(part.len() <= page);
            if part.is_empty() {
                break;
            }
            found.extend(part);
        }
        let suspended: Vec<u64> = found
            .iter()
            .filter(|(_, state)| *state == AccountState::Suspended)
            .map(|(who, _)| *who)
            .collect();
        assert_eq!(suspended, [expected[3]]);
        let mut who: Vec<u64> = found.into_iter().map(|(who, _)| who).collect();
        who.sort_unstable();
        expected.sort_unstable();
        assert_eq!(who, expected);
        // From where somebody was who has lost the role meanwhile, it goes on all the same.
        let first = Accounts::with_role(Role::Arbiter, None)[0].0;
        let next = Accounts::with_role(Role::Arbiter, Some(first));
        assert_ok!(Accounts::revoke(signed(ADMIN), first, Role::Arbiter));
        assert_eq!(Accounts::with_role(Role::Arbiter, Some(first)), next);
        assert_eq!(Accounts::with_role(Role::Attestor, None), []);
    });
}
