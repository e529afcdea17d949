//! Registration, settings, hot keys, support agents, leaving.

use super::*;

#[test]
fn register_should_hold_the_bond_when_approved() {
    run(|| {
        System::set_block_number(7);
        assert_ok!(Providers::register(signed(ALICE), name("Iron Works"), BOB));
        assert_eq!(
            last_event(),
            Event::Registered {
                provider: 0,
                owner: ALICE,
                payout: BOB,
                name: name("Iron Works"),
                bond: MINIMUM
            }
            .into()
        );
        let provider = Providers::provider(0).unwrap();
        assert_eq!(
            (provider.owner, provider.payout, provider.bond),
            (ALICE, BOB, MINIMUM)
        );
        assert_eq!((provider.locked, provider.live_agreements), (0, 0));
        assert_eq!(provider.registered_at, 7);
        assert_eq!(held(ALICE), MINIMUM);
        assert_eq!(Providers::provider_of(ALICE), Some(0));
        assert_eq!(Providers::owned_by(&ALICE), Some(0));
        assert_eq!(Providers::worker_of(&ALICE), None);
        assert_eq!(Providers::owner(0), Some(ALICE));
        assert_eq!(Providers::payout(0), Some(BOB));
        assert!(Providers::is_operational(0));
        assert_eq!(organisation(BOB), 1);
    });
}

#[test]
fn register_should_refuse_when_account_may_not_own() {
    run(|| {
        let register = |who| Providers::register(signed(who), name("x"), who);
        assert_noop!(register(DAVE), Error::<Test>::RoleRequired);
        assert_noop!(register(POOR), TokenError::FundsUnavailable);
        organisation(ALICE);
        assert_noop!(register(ALICE), Error::<Test>::AlreadyOwner);
        assert_ok!(Providers::add_hot_key(signed(ALICE), BOB));
        assert_noop!(register(BOB), Error::<Test>::OwnerIsHotKey);
        suspend(CAROL);
        assert_noop!(register(CAROL), SUSPENDED);
        for origin in [RuntimeOrigin::root(), RuntimeOrigin::none()] {
            assert_noop!(
                Providers::register(origin, name("x"), BOB),
                DispatchError::BadOrigin
            );
        }
    });
}

#[test]
fn register_should_refuse_when_name_cannot_be_shown() {
    run(|| {
        organisation(BOB);
        for bad in [&b""[..], b"\xff\xfe", b"Iron\nWorks", b"\x1b[2J"] {
            let bad: Name = bad.to_vec().try_into().unwrap();
            assert_noop!(
                Providers::register(signed(ALICE), bad.clone(), ALICE),
                Error::<Test>::InvalidName
            );
            assert_noop!(
                Providers::set_name(signed(BOB), bad),
                Error::<Test>::InvalidName
            );
        }
    });
}

#[test]
fn register_should_refuse_when_numbers_are_used_up() {
    run(|| {
        NextProviderId::<Test>::put(u32::MAX);
        assert_noop!(
            Providers::register(signed(ALICE), name("x"), ALICE),
            sp_runtime::ArithmeticError::Overflow
        );
    });
}

#[test]
fn settings_should_change_when_owner_asks() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::set_payout(signed(ALICE), CAROL));
        assert_eq!(
            last_event(),
            Event::PayoutSet {
                provider: 0,
                payout: CAROL
            }
            .into()
        );
        assert_eq!(Providers::payout(0), Some(CAROL));
        assert_ok!(Providers::set_name(signed(ALICE), name("Steel Works")));
        assert_eq!(
            last_event(),
            Event::NameSet {
                provider: 0,
                name: name("Steel Works")
            }
            .into()
        );
        assert_eq!(Providers::provider(0).unwrap().name, name("Steel Works"));
    });
}

/// A call of an owner.
type Call = (
    &'static str,
    fn(u64) -> frame_support::dispatch::DispatchResult,
);

/// What only an owner in good standing may do.
fn owners_calls() -> Vec<Call> {
    vec![
        ("set_payout", |who| Providers::set_payout(signed(who), who)),
        ("set_name", |who| {
            Providers::set_name(signed(who), name("x"))
        }),
        ("add_hot_key", |who| {
            Providers::add_hot_key(signed(who), NOBODY)
        }),
        ("bond_more", |who| Providers::bond_more(signed(who), 1)),
        ("offer_transfer", |who| {
            Providers::offer_transfer(signed(who), NOBODY)
        }),
        ("set_attribute", |who| {
            Providers::set_attribute(signed(who), key("a"), value("a"))
        }),
        ("add_support_agent", |who| {
            Providers::add_support_agent(signed(who), NOBODY)
        }),
    ]
}

/// What an owner may do while suspended, too: give up and withdraw.
fn withdrawals() -> Vec<Call> {
    vec![
        ("withdraw_bond", |who| {
            Providers::withdraw_bond(signed(who), 1)
        }),
        ("cancel_transfer", |who| {
            Providers::cancel_transfer(signed(who))
        }),
        ("clear_attribute", |who| {
            Providers::clear_attribute(signed(who), key("domain"))
        }),
        ("remove_support_agent", |who| {
            Providers::remove_support_agent(signed(who), DAVE)
        }),
        ("leave", |who| Providers::leave(signed(who))),
    ]
}

fn complete_organisation() {
    organisation(ALICE);
    assert_ok!(Providers::add_hot_key(signed(ALICE), WORKERS[0]));
    assert_ok!(Providers::bond_more(signed(ALICE), 500));
    assert_ok!(Providers::offer_transfer(signed(ALICE), BOB));
    assert_ok!(Providers::set_attribute(
        signed(ALICE),
        key("domain"),
        value("iron.example")
    ));
    assert_ok!(Providers::add_support_agent(signed(ALICE), DAVE));
}

#[test]
fn owners_calls_should_refuse_when_signer_is_not_the_owner() {
    run(|| {
        complete_organisation();
        // Neither a stranger, nor the hot key, nor the one to whom it was offered, nor a support agent.
        for who in [CAROL, WORKERS[0], BOB, DAVE] {
            for (name, call) in owners_calls().into_iter().chain(withdrawals()) {
                assert_eq!(
                    call(who),
                    Err(Error::<Test>::NotOwner.into()),
                    "{name} by {who}"
                );
            }
        }
        for origin in [RuntimeOrigin::root, RuntimeOrigin::none] {
            let bad = Err(DispatchError::BadOrigin);
            assert_eq!(Providers::set_payout(origin(), BOB), bad);
            assert_eq!(Providers::set_name(origin(), name("x")), bad);
            assert_eq!(Providers::add_hot_key(origin(), NOBODY), bad);
            assert_eq!(Providers::remove_hot_key(origin(), WORKERS[0]), bad);
            assert_eq!(Providers::bond_more(origin(), 1), bad);
            assert_eq!(Providers::withdraw_bond(origin(), 1), bad);
            assert_eq!(Providers::offer_transfer(origin(), CAROL), bad);
            assert_eq!(Providers::cancel_transfer(origin()), bad);
            assert_eq!(Providers::accept_transfer(origin(), 0), bad);
            assert_eq!(Providers::leave(origin()), bad);
            assert_eq!(
                Providers::set_attribute(origin(), key("a"), value("a")),
                bad
            );
            assert_eq!(Providers::clear_attribute(origin(), key("domain")), bad);
            let hash = blake2_256(b"iron.example");
            assert_eq!(
                Providers::attest(origin(), 0, key("domain"), hash, 2_000),
                bad
            );
            assert_eq!(
                Providers::revoke_attestation(origin(), 0, key("domain")),
                bad
            );
            assert_eq!(Providers::add_support_agent(origin(), CAROL), bad);
            assert_eq!(Providers::remove_support_agent(origin(), DAVE), bad);
        }
    });
}

#[test]
fn suspended_owner_should_only_withdraw_when_calling() {
    run(|| {
        complete_organisation();
        suspend(ALICE);
        assert!(!Providers::is_operational(0));
        for (name, call) in owners_calls() {
            assert_eq!(call(ALICE), Err(SUSPENDED), "{name}");
        }
        assert_ok!(Providers::remove_hot_key(signed(ALICE), WORKERS[0]));
        for (name, call) in withdrawals() {
            assert_eq!(call(ALICE), Ok(()), "{name}");
        }
        assert_eq!(Balances::balance(&ALICE), RICH);
    });
}

#[test]
fn arbiter_should_not_be_shut_out_by_making_it_a_hot_key() {
    run(|| {
        organisation(ALICE);
        Arbiters::set([DAVE].into());
        assert_noop!(
            Providers::add_hot_key(signed(ALICE), DAVE),
            Error::<Test>::HotKeyIsArbiter
        );
        Arbiters::set(Default::default());
        assert_ok!(Providers::add_hot_key(signed(ALICE), DAVE));
    });
}

#[test]
fn hot_key_should_serve_one_organisation_when_added() {
    run(|| {
        organisation(ALICE);
        organisation(BOB);
        assert_ok!(Providers::add_hot_key(signed(ALICE), WORKERS[0]));
        assert_eq!(
            last_event(),
            Event::HotKeyAdded {
                provider: 0,
                who: WORKERS[0]
            }
            .into()
        );
        assert_eq!(Providers::worker_of(&WORKERS[0]), Some(0));
        assert_eq!(Providers::owned_by(&WORKERS[0]), None);
        assert_eq!(Providers::provider_of(WORKERS[0]), Some(0));
        let add = |owner, who| Providers::add_hot_key(signed(owner), who);
        assert_noop!(add(ALICE, WORKERS[0]), Error::<Test>::HotKeyInUse);
        assert_noop!(add(BOB, WORKERS[0]), Error::<Test>::HotKeyInUse);
        assert_noop!(add(ALICE, ALICE), Error::<Test>::HotKeyIsOwner);
        assert_noop!(add(ALICE, BOB), Error::<Test>::HotKeyIsOwner);
        assert_ok!(add(ALICE, WORKERS[1]));
        assert_ok!(add(ALICE, WORKERS[2]));
        assert_noop!(add(ALICE, WORKERS[3]), Error::<Test>::TooManyHotKeys);
        assert_eq!(Providers::hot_keys(0), WORKERS[..3].to_vec());
        assert_eq!(
            Providers::readers(0),
            vec![ALICE, WORKERS[0], WORKERS[1], WORKERS[2]]
        );
        assert_eq!(Providers::readers(1), vec![BOB]);
        assert!(Providers::readers(9).is_empty());
    });
}

#[test]
fn hot_key_should_be_free_again_when_removed() {
    run(|| {
        organisation(ALICE);
        organisation(BOB);
        for worker in &WORKERS[..2] {
            assert_ok!(Providers::add_hot_key(signed(ALICE), *worker));
        }
        let remove = |signer, who| Providers::remove_hot_key(signed(signer), who);
        assert_noop!(remove(ALICE, CAROL), Error::<Test>::HotKeyNotFound);
        assert_noop!(remove(BOB, WORKERS[0]), Error::<Test>::NotAuthorized);
        assert_noop!(remove(WORKERS[1], WORKERS[0]), Error::<Test>::NotAuthorized);
        assert_noop!(remove(CAROL, WORKERS[0]), Error::<Test>::NotAuthorized);
        // By itself, for nobody asked it; then by its owner.
        assert_ok!(remove(WORKERS[0], WORKERS[0]));
        assert_eq!(
            last_event(),
            Event::HotKeyRemoved {
                provider: 0,
                who: WORKERS[0]
            }
            .into()
        );
        assert_ok!(Providers::add_hot_key(signed(BOB), WORKERS[0]));
        assert_ok!(remove(ALICE, WORKERS[1]));
        assert!(!HotKeys::<Test>::contains_key(0));
    });
}

#[test]
fn support_agents_should_be_bounded_and_distinct_when_added() {
    run(|| {
        organisation(ALICE);
        organisation(BOB);
        assert_ok!(Providers::add_support_agent(signed(ALICE), CAROL));
        assert_eq!(
            last_event(),
            Event::SupportAgentAdded {
                provider: 0,
                who: CAROL
            }
            .into()
        );
        assert_ok!(Providers::add_support_agent(signed(BOB), CAROL));
        let add = |who| Providers::add_support_agent(signed(ALICE), who);
        let remove = |who| Providers::remove_support_agent(signed(ALICE), who);
        assert_noop!(add(CAROL), Error::<Test>::AlreadySupportAgent);
        assert_ok!(add(DAVE));
        assert_noop!(add(NOBODY), Error::<Test>::TooManySupportAgents);
        assert_noop!(remove(NOBODY), Error::<Test>::NotSupportAgent);
        assert_ok!(remove(CAROL));
        assert_eq!(
            last_event(),
            Event::SupportAgentRemoved {
                provider: 0,
                who: CAROL
            }
            .into()
        );
        assert_eq!(Providers::support_agents(0), vec![DAVE]);
        assert_ok!(remove(DAVE));
        assert!(!SupportAgents::<Test>::contains_key(0));
    });
}

#[test]
fn leave_should_remove_everything_and_release_the_bond() {
    run(|| {
        complete_organisation();
        let hash = blake2_256(b"iron.example");
        assert_ok!(Providers::attest(
            signed(WITNESSES[0]),
            0,
            key("domain"),
            hash,
            2_000
        ));
        assert_ok!(Providers::leave(signed(ALICE)));
        assert_eq!(
            last_event(),
            Event::Left {
                provider: 0,
                owner: ALICE,
                bond: MINIMUM + 500
            }
            .into()
        );
        assert_eq!(held(ALICE), 0);
        assert_eq!(Balances::balance(&ALICE), RICH);
        assert_eq!(Providers::provider(0), None);
        assert_eq!(Providers::provider_of(WORKERS[0]), None);
        assert!(!Providers::is_operational(0));
        assert!(Providers::attributes(0).is_empty());
        assert_eq!(Attestations::<Test>::iter().count(), 0);
        assert_eq!(Offers::<Test>::iter().count(), 0);
        // The number is not used again.
        assert_eq!(organisation(ALICE), 1);
    });
}

#[test]
fn leave_should_refuse_when_something_is_not_settled() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::agreement_opened(0));
        assert_ok!(Providers::agreement_opened(0));
        assert_noop!(
            Providers::leave(signed(ALICE)),
            Error::<Test>::LiveAgreements
        );
        Providers::agreement_closed(0);
        assert_noop!(
            Providers::leave(signed(ALICE)),
            Error::<Test>::LiveAgreements
        );
        assert_ok!(Providers::lock_bond(0, 5, 10));
        assert_ok!(Providers::lock_bond(0, 6, 0));
        Providers::agreement_closed(0);
        assert_noop!(Providers::leave(signed(ALICE)), Error::<Test>::BondLocked);
        Providers::unlock_bond(0, 5);
        assert_noop!(Providers::leave(signed(ALICE)), Error::<Test>::BondLocked);
        Providers::unlock_bond(0, 6);
        assert_ok!(Providers::leave(signed(ALICE)));
    });
}

#[test]
fn agreements_should_be_counted_without_underflow_or_overflow() {
    run(|| {
        organisation(ALICE);
        Providers::agreement_closed(0);
        Providers::agreement_closed(9);
        assert_eq!(Providers::provider(0).unwrap().live_agreements, 0);
        assert_noop!(Providers::agreement_opened(9), Error::<Test>::NotFound);
        Organisations::<Test>::mutate(0, |p| p.as_mut().unwrap().live_agreements = u32::MAX);
        assert_noop!(
            Providers::agreement_opened(0),
            sp_runtime::ArithmeticError::Overflow
        );
    });
}
