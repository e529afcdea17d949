//! Recipients who cannot be paid: nothing fails, nothing is lost, anyone may claim for them later.

use crate::{mock::*, Credit, Credits, Error, Event, Standing};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;
use virtengine_primitives::traits::Escrow as _;

fn claim(who: AccountId) -> sp_runtime::DispatchResult {
    Escrow::claim(RuntimeOrigin::signed(CAROL), 1, who)
}

#[test]
fn release_should_become_a_credit_when_the_recipient_would_stay_below_the_existential_deposit() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, NATIVE, 100));
        assert_ok!(Escrow::to_pending(1, 100));
        assert_eq!(Escrow::release(1, &NOBODY, ED - 1), Ok(0));
        System::assert_last_event(
            Event::Credited {
                agreement: 1,
                asset: NATIVE,
                to: NOBODY,
                amount: ED - 1,
                standing: Standing {
                    pending: 100 - (ED - 1),
                    credited: ED - 1,
                    ..Default::default()
                },
            }
            .into(),
        );
        assert_noop!(claim(NOBODY), Error::<Test>::NotPayable);
        // Dust adds up: one unit more and both arrive.
        assert_eq!(Escrow::release(1, &NOBODY, 1), Ok(1));
        assert_eq!(Balances::free_balance(NOBODY), ED);
        assert_noop!(claim(NOBODY), Error::<Test>::NoCredit);
        let ledger = Escrow::ledger(1).unwrap();
        assert_eq!((ledger.credited, ledger.paid), (0, ED));
    });
}

#[test]
fn a_credit_should_be_claimable_by_anyone_when_the_recipient_exists_at_last() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, NATIVE, 5));
        assert_ok!(Escrow::to_pending(1, 5));
        assert_eq!(Escrow::release(1, &NOBODY, 5), Ok(0));
        assert_ok!(Escrow::close(1));
        assert!(!Escrow::forget(1), "a credit remains");
        assert_ok!(Balances::transfer_allow_death(
            RuntimeOrigin::signed(BOB),
            NOBODY,
            ED
        ));
        assert_noop!(
            Escrow::claim(RuntimeOrigin::root(), 1, NOBODY),
            DispatchError::BadOrigin
        );
        assert_noop!(
            Escrow::claim(RuntimeOrigin::signed(CAROL), 2, NOBODY),
            Error::<Test>::NotFound
        );
        assert_ok!(claim(NOBODY));
        assert_eq!(Balances::free_balance(NOBODY), ED + 5);
        assert_noop!(claim(NOBODY), Error::<Test>::NoCredit);
        assert!(Escrow::forget(1));
    });
}

#[test]
fn release_and_refund_should_become_credits_when_the_asset_is_frozen_and_arrive_after_the_thaw() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, COIN, 1_000));
        assert_ok!(Escrow::to_pending(1, 600));
        set_frozen(true);
        assert_eq!(Escrow::release(1, &BOB, 600), Ok(0));
        assert_eq!(Escrow::refund(1, 400), Ok(0));
        assert_ok!(Escrow::close(1));
        // Nothing left the hold although the assets pallet fails only at the deposit.
        Escrow::do_try_state().unwrap();
        assert_eq!(
            Assets::balance(7, ALICE) + Assets::balance(7, BOB),
            2 * START - 1_000
        );
        assert_noop!(claim(BOB), Error::<Test>::NotPayable);
        assert_noop!(claim(ALICE), Error::<Test>::NotPayable);
        set_frozen(false);
        assert_ok!(claim(BOB));
        assert_ok!(claim(ALICE));
        assert_eq!(Assets::balance(7, ALICE), START - 600);
        assert_eq!(Assets::balance(7, BOB), START + 600);
        let ledger = Escrow::ledger(1).unwrap();
        assert_eq!((ledger.paid, ledger.refunded), (600, 400));
        assert!(Escrow::forget(1));
    });
}

#[test]
fn release_should_become_a_credit_when_the_recipient_is_blocked_in_the_asset() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, COIN, 100));
        assert_ok!(Escrow::to_pending(1, 100));
        assert_ok!(Assets::block(RuntimeOrigin::signed(ISSUER), 7, BOB));
        assert_eq!(Escrow::release(1, &BOB, 100), Ok(0));
        assert_ok!(Assets::thaw(RuntimeOrigin::signed(ISSUER), 7, BOB));
        assert_ok!(claim(BOB));
        assert_eq!(Assets::balance(7, BOB), START + 100);
    });
}

#[test]
fn refund_should_become_a_credit_of_the_payer_when_its_account_is_blocked() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, COIN, 100));
        assert_ok!(Assets::block(RuntimeOrigin::signed(ISSUER), 7, ALICE));
        assert_eq!(Escrow::refund(1, 100), Ok(0));
        assert_eq!(
            Credits::<Test>::get(1, ALICE),
            Some(Credit {
                payment: 0,
                refund: 100
            })
        );
        assert_ok!(Assets::thaw(RuntimeOrigin::signed(ISSUER), 7, ALICE));
        assert_ok!(claim(ALICE));
        assert_eq!(Escrow::ledger(1).unwrap().refunded, 100);
    });
}

#[test]
fn payments_and_refunds_should_be_counted_apart_when_payer_and_payee_are_one() {
    run(|| {
        assert_ok!(Escrow::open(1, &ALICE, COIN, 100));
        assert_ok!(Escrow::to_pending(1, 30));
        set_frozen(true);
        assert_eq!(Escrow::release(1, &ALICE, 30), Ok(0));
        assert_eq!(Escrow::refund(1, 70), Ok(0));
        set_frozen(false);
        assert_ok!(claim(ALICE));
        let ledger = Escrow::ledger(1).unwrap();
        assert_eq!((ledger.paid, ledger.refunded), (30, 70));
    });
}
