//! Every movement, its event and its refusal.

use crate::{mock::*, Error, Event, HoldReason, Ledgers, Standing};
use frame_support::{
    assert_noop, assert_ok,
    traits::{fungible::InspectHold as _, fungibles::InspectHold as _},
};
use sp_runtime::TokenError;
use virtengine_primitives::{traits::Escrow as _, AssetKind, Balance};

fn held(asset: AssetKind, who: AccountId) -> Balance {
    let reason = HoldReason::Agreement.into();
    match asset {
        AssetKind::Native => Balances::balance_on_hold(&reason, &who),
        AssetKind::Asset(id) => AssetsHolder::balance_on_hold(id, &reason, &who),
    }
}

fn numbers(agreement: u64) -> (Balance, Balance, Balance, Balance, Balance) {
    let l = Escrow::ledger(agreement).unwrap();
    (l.available, l.pending, l.credited, l.paid, l.refunded)
}

#[test]
fn open_should_hold_the_money_on_the_payers_account_when_it_is_there() {
    for asset in [NATIVE, COIN] {
        run(|| {
            assert_ok!(Escrow::open(1, &ALICE, asset, 1_000));
            assert_eq!(held(asset, ALICE), 1_000);
            assert_eq!(numbers(1), (1_000, 0, 0, 0, 0));
            System::assert_last_event(
                Event::Opened {
                    agreement: 1,
                    payer: ALICE,
                    asset,
                    amount: 1_000,
                }
                .into(),
            );
            assert_noop!(
                Escrow::open(1, &BOB, asset, 1),
                Error::<Test>::AlreadyExists
            );
        });
    }
}

#[test]
fn open_should_fail_without_effect_when_the_payer_has_too_little() {
    run(|| {
        for asset in [NATIVE, COIN] {
            assert_noop!(
                Escrow::open(1, &ALICE, asset, START),
                TokenError::FundsUnavailable
            );
        }
        assert!(Escrow::open(1, &NOBODY, NATIVE, 1).is_err());
        assert!(Escrow::open(1, &ALICE, AssetKind::Asset(99), 1).is_err());
        assert!(Escrow::ledger(1).is_none());
    });
}

#[test]
fn open_should_hold_nothing_when_the_agreement_is_free() {
    run(|| {
        assert_ok!(Escrow::open(1, &NOBODY, NATIVE, 0));
        assert_ok!(Escrow::refund(1, 0));
        assert_ok!(Escrow::close(1));
        assert!(Escrow::forget(1));
    });
}

#[test]
fn money_should_pass_through_the_whole_life_to_the_unit() {
    for asset in [NATIVE, COIN] {
        run(|| {
            assert_ok!(Escrow::open(1, &ALICE, asset, 1_000));
            assert_ok!(Escrow::to_pending(1, 700));
            assert_ok!(Escrow::revert_pending(1, 100));
            assert_eq!(numbers(1), (400, 600, 0, 0, 0));
            assert_eq!(Escrow::balances(1), Some((400, 600)));
            assert_eq!(Escrow::release(1, &BOB, 590), Ok(590));
            assert_eq!(Escrow::release(1, &CAROL, 10), Ok(10));
            assert_eq!(Escrow::refund(1, 400), Ok(400));
            System::assert_last_event(
                Event::Refunded {
                    agreement: 1,
                    asset,
                    to: ALICE,
                    amount: 400,
                    standing: Standing {
                        paid: 600,
                        refunded: 400,
                        ..Default::default()
                    },
                }
                .into(),
            );
            assert_eq!(held(asset, ALICE), 0);
            let free = |who| match asset {
                AssetKind::Native => Balances::free_balance(who),
                AssetKind::Asset(id) => Assets::balance(id, who),
            };
            assert_eq!(
                (free(ALICE), free(BOB), free(CAROL)),
                (START - 600, START + 590, START + 10)
            );
            assert_ok!(Escrow::close(1));
            assert_ok!(Escrow::close(1));
            assert_noop!(Escrow::to_pending(1, 0), Error::<Test>::Closed);
            assert_noop!(Escrow::revert_pending(1, 0), Error::<Test>::Closed);
            assert!(Escrow::forget(1));
            assert!(Escrow::ledger(1).is_none());
        });
    }
}

#[test]
fn movements_should_be_refused_when_more_than_there_is_is_asked_for() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, NATIVE, 100));
        assert_ok!(Escrow::to_pending(1, 60));
        assert_noop!(
            Escrow::to_pending(1, 41),
            Error::<Test>::InsufficientAvailable
        );
        assert_noop!(Escrow::refund(1, 41), Error::<Test>::InsufficientAvailable);
        assert_noop!(
            Escrow::revert_pending(1, 61),
            Error::<Test>::InsufficientPending
        );
        assert_noop!(
            Escrow::release(1, &BOB, 61),
            Error::<Test>::InsufficientPending
        );
        assert_noop!(
            Escrow::release(1, &BOB, Balance::MAX),
            Error::<Test>::InsufficientPending
        );
        assert_noop!(Escrow::close(1), Error::<Test>::NotEmpty);
        assert!(!Escrow::forget(1));
    });
}

#[test]
fn movements_should_be_refused_when_there_is_no_ledger() {
    run(|| {
        assert_noop!(Escrow::to_pending(5, 1), Error::<Test>::NotFound);
        assert_noop!(Escrow::revert_pending(5, 1), Error::<Test>::NotFound);
        assert_noop!(Escrow::release(5, &BOB, 1), Error::<Test>::NotFound);
        assert_noop!(Escrow::refund(5, 1), Error::<Test>::NotFound);
        assert_noop!(Escrow::close(5), Error::<Test>::NotFound);
        assert_eq!(Escrow::balances(5), None);
        assert!(Escrow::forget(5));
    });
}

#[test]
fn two_agreements_of_one_payer_should_not_touch_each_others_money() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, NATIVE, 300));
        assert_ok!(Escrow::open(2, &ALICE, NATIVE, 500));
        assert_ok!(Escrow::to_pending(1, 300));
        assert_eq!(Escrow::release(1, &BOB, 300), Ok(300));
        assert_noop!(
            Escrow::release(1, &BOB, 1),
            Error::<Test>::InsufficientPending
        );
        assert_eq!(held(NATIVE, ALICE), 500);
        assert_eq!(Ledgers::<Test>::iter().count(), 2);
    });
}

#[test]
fn a_payer_who_is_also_the_payee_should_get_its_money() {
    for asset in [NATIVE, COIN] {
        run(|| {
            assert_ok!(Escrow::open(1, &ALICE, asset, 100));
            assert_ok!(Escrow::to_pending(1, 100));
            assert_eq!(Escrow::release(1, &ALICE, 100), Ok(100));
            assert_eq!(numbers(1), (0, 0, 0, 100, 0));
        });
    }
}

#[test]
fn a_release_should_not_be_stopped_when_the_payer_has_frozen_its_balance() {
    use frame_support::traits::{LockableCurrency, WithdrawReasons};
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, NATIVE, START - ED));
        assert_ok!(Escrow::to_pending(1, START - ED));
        Balances::set_lock(*b"a lock  ", &ALICE, START, WithdrawReasons::all());
        assert_eq!(Escrow::release(1, &BOB, START - ED), Ok(START - ED));
    });
}
