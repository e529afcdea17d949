//! The bond: adding, withdrawing, setting aside, slashing, paying.

use super::*;
use frame_support::traits::fungible::{MutateFreeze, MutateHold};
use frame_support::traits::tokens::{Fortitude, Preservation};

fn bond() -> (u128, u128) {
    let provider = Providers::provider(0).unwrap();
    assert_eq!(provider.bond, held(ALICE));
    (provider.bond, provider.locked)
}

#[test]
fn bond_more_should_hold_when_owner_can_pay() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::bond_more(signed(ALICE), 250));
        assert_eq!(
            last_event(),
            Event::BondAdded {
                provider: 0,
                amount: 250,
                bond: 1_250
            }
            .into()
        );
        assert_eq!(bond(), (1_250, 0));
        assert_noop!(
            Providers::bond_more(signed(ALICE), 0),
            Error::<Test>::ZeroAmount
        );
        assert_noop!(
            Providers::bond_more(signed(ALICE), RICH),
            TokenError::FundsUnavailable
        );
        assert_noop!(
            Providers::bond_more(signed(ALICE), u128::MAX),
            sp_runtime::ArithmeticError::Overflow
        );
    });
}

#[test]
fn withdraw_bond_should_leave_the_minimum_and_what_is_set_aside() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::bond_more(signed(ALICE), 1_000));
        let withdraw = |amount| Providers::withdraw_bond(signed(ALICE), amount);
        assert_noop!(withdraw(0), Error::<Test>::ZeroAmount);
        assert_noop!(withdraw(2_001), Error::<Test>::InsufficientBond);
        assert_noop!(withdraw(1_001), Error::<Test>::BelowMinimumBond);
        assert_ok!(Providers::lock_bond(0, 1, 1_500));
        assert_noop!(withdraw(501), Error::<Test>::InsufficientBond);
        assert_ok!(withdraw(500));
        assert_eq!(
            last_event(),
            Event::BondWithdrawn {
                provider: 0,
                amount: 500,
                bond: 1_500
            }
            .into()
        );
        assert_eq!(bond(), (1_500, 1_500));
        Providers::unlock_bond(0, 1);
        assert_ok!(withdraw(500));
        assert_noop!(withdraw(1), Error::<Test>::BelowMinimumBond);
    });
}

#[test]
fn lock_should_take_only_what_is_free_and_only_once() {
    run(|| {
        organisation(ALICE);
        assert_noop!(Providers::lock_bond(7, 1, 1), Error::<Test>::NotFound);
        assert_noop!(
            Providers::lock_bond(0, 1, 1_001),
            Error::<Test>::InsufficientBond
        );
        assert_ok!(Providers::lock_bond(0, 1, 600));
        assert_eq!(
            last_event(),
            Event::BondLocked {
                provider: 0,
                agreement: 1,
                amount: 600
            }
            .into()
        );
        assert_noop!(Providers::lock_bond(0, 1, 1), Error::<Test>::AlreadyLocked);
        assert_noop!(
            Providers::lock_bond(0, 2, 401),
            Error::<Test>::InsufficientBond
        );
        assert_noop!(
            Providers::lock_bond(0, 2, u128::MAX),
            sp_runtime::ArithmeticError::Overflow
        );
        assert_ok!(Providers::lock_bond(0, 2, 400));
        assert_eq!(bond(), (1_000, 1_000));
        Providers::unlock_bond(0, 1);
        assert_eq!(
            last_event(),
            Event::BondUnlocked {
                provider: 0,
                agreement: 1,
                amount: 600
            }
            .into()
        );
        assert_eq!(bond(), (1_000, 400));
        // Nothing happens when nothing is set aside.
        System::reset_events();
        Providers::unlock_bond(0, 1);
        Providers::unlock_bond(7, 1);
        assert!(System::events().is_empty());
    });
}

#[test]
fn slash_should_pay_a_share_and_free_the_rest() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::lock_bond(0, 1, 301));
        assert_eq!(
            Providers::slash_bond(0, 1, Perbill::from_percent(50), &BOB),
            150
        );
        assert_eq!(
            last_event(),
            Event::BondSlashed {
                provider: 0,
                agreement: 1,
                amount: 150,
                unlocked: 151,
                to: BOB,
                bond: 850
            }
            .into()
        );
        assert_eq!(bond(), (850, 0));
        assert_eq!(Balances::balance(&BOB), RICH + 150);
        // Below the minimum now: no new work until it is filled up.
        assert!(!Providers::is_operational(0));
        assert_ok!(Providers::bond_more(signed(ALICE), 150));
        assert!(Providers::is_operational(0));
    });
}

#[test]
fn slash_should_do_nothing_when_nothing_is_set_aside() {
    run(|| {
        organisation(ALICE);
        System::reset_events();
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &BOB), 0);
        assert_eq!(Providers::slash_bond(7, 1, Perbill::one(), &BOB), 0);
        assert!(System::events().is_empty());
        assert_eq!(bond(), (1_000, 0));
    });
}

#[test]
fn slash_should_pay_the_treasury_when_beneficiary_cannot_receive() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::lock_bond(0, 1, ED - 1));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &NOBODY), ED - 1);
        assert_eq!(Balances::balance(&NOBODY), 0);
        assert_eq!(Balances::balance(&POT), 2 * ED - 1);
        assert!(matches!(
            last_event(),
            RuntimeEvent::Providers(Event::BondSlashed {
                to: POT,
                amount: 9,
                ..
            })
        ));
        // At the existential deposit it arrives.
        assert_ok!(Providers::lock_bond(0, 1, ED));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &NOBODY), ED);
        assert_eq!(Balances::balance(&NOBODY), ED);
    });
}

#[test]
fn slash_should_lose_nothing_when_even_the_treasury_cannot_receive() {
    run(|| {
        organisation(ALICE);
        Treasury::set(98);
        assert_ok!(Providers::lock_bond(0, 1, ED - 1));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &NOBODY), 0);
        assert_eq!(bond(), (1_000, 0));
    });
}

#[test]
fn slash_should_reach_the_bond_when_owner_froze_or_spent_the_rest() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Balances::set_freeze(&0u8, &ALICE, RICH));
        assert_ok!(Providers::lock_bond(0, 1, 1_000));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &BOB), 1_000);
        assert_eq!(bond(), (0, 0));
        assert_eq!(Balances::balance(&BOB), RICH + 1_000);
        assert_ok!(Balances::thaw(&0u8, &ALICE));

        assert_ok!(Providers::bond_more(signed(ALICE), 1_000));
        let rest = Balances::reducible_balance(&ALICE, Preservation::Expendable, Fortitude::Polite);
        assert_ok!(Balances::transfer(
            &ALICE,
            &BOB,
            rest,
            Preservation::Expendable
        ));
        assert_ok!(Providers::lock_bond(0, 2, 1_000));
        assert_eq!(Providers::slash_bond(0, 2, Perbill::one(), &CAROL), 1_000);
        assert_eq!(bond(), (0, 0));
        // An organisation without a bond may still leave.
        assert_ok!(Providers::leave(signed(ALICE)));
    });
}

#[test]
fn slash_should_not_touch_other_holds_or_locks() {
    run(|| {
        organisation(ALICE);
        organisation(BOB);
        assert_ok!(Providers::lock_bond(0, 1, 300));
        assert_ok!(Providers::lock_bond(0, 2, 300));
        assert_ok!(Providers::lock_bond(1, 1, 300));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &CAROL), 300);
        assert_eq!(bond(), (700, 300));
        assert_eq!(Providers::provider(1).unwrap().locked, 300);
        let reason = RuntimeHoldReason::Providers(HoldReason::Bond);
        // Somebody who could hold more under the same reason would be noticed.
        assert_ok!(Balances::hold(&reason, &ALICE, 1));
        assert!(Providers::do_try_state().is_err());
        assert_ok!(Balances::release(
            &reason,
            &ALICE,
            1,
            frame_support::traits::tokens::Precision::Exact
        ));
    });
}

#[test]
fn slash_should_return_the_bond_to_the_owner_when_owner_is_the_customer() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::lock_bond(0, 1, 300));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &ALICE), 300);
        assert_eq!(bond(), (700, 0));
        assert_eq!(Balances::total_balance(&ALICE), RICH);
    });
}

#[test]
fn pay_from_bond_should_take_the_free_part_only() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::lock_bond(0, 1, 700));
        assert_noop!(
            Providers::pay_from_bond(9, 1, &BOB),
            Error::<Test>::NotFound
        );
        assert_noop!(
            Providers::pay_from_bond(0, 301, &BOB),
            Error::<Test>::InsufficientBond
        );
        assert_noop!(
            Providers::pay_from_bond(0, 1_001, &BOB),
            Error::<Test>::InsufficientBond
        );
        assert_noop!(
            Providers::pay_from_bond(0, ED - 1, &NOBODY),
            TokenError::CannotCreate
        );
        assert_ok!(Providers::pay_from_bond(0, 300, &BOB));
        assert_eq!(
            last_event(),
            Event::BondPaid {
                provider: 0,
                amount: 300,
                to: BOB,
                bond: 700
            }
            .into()
        );
        assert_eq!(bond(), (700, 700));
        assert_eq!(Balances::balance(&BOB), RICH + 300);
    });
}
