//! Changing hands.

use super::*;

#[test]
fn accept_transfer_should_move_the_bond_and_keep_the_rest() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::bond_more(signed(ALICE), 500));
        assert_ok!(Providers::add_hot_key(signed(ALICE), WORKERS[0]));
        assert_ok!(Providers::set_attribute(
            signed(ALICE),
            key("domain"),
            value("a.example")
        ));
        assert_ok!(Providers::agreement_opened(0));
        assert_ok!(Providers::lock_bond(0, 1, 400));
        assert_ok!(Providers::offer_transfer(signed(ALICE), BOB));
        assert_eq!(
            last_event(),
            Event::TransferOffered {
                provider: 0,
                to: BOB
            }
            .into()
        );
        assert_ok!(Providers::accept_transfer(signed(BOB), 0));
        assert_eq!(
            last_event(),
            Event::Transferred {
                provider: 0,
                from: ALICE,
                to: BOB,
                bond: 1_500
            }
            .into()
        );
        assert_eq!((held(ALICE), held(BOB)), (0, 1_500));
        assert_eq!(Balances::balance(&ALICE), RICH - 1_500);
        assert_eq!(Balances::balance(&BOB), RICH);
        let provider = Providers::provider(0).unwrap();
        assert_eq!((provider.owner, provider.payout), (BOB, BOB));
        assert_eq!((provider.locked, provider.live_agreements), (400, 1));
        assert_eq!(Providers::owned_by(&ALICE), None);
        assert_eq!(Providers::owned_by(&BOB), Some(0));
        assert_eq!(Providers::worker_of(&WORKERS[0]), Some(0));
        assert_eq!(Providers::attributes(0).len(), 1);
        assert_noop!(
            Providers::accept_transfer(signed(BOB), 0),
            Error::<Test>::NotOffered
        );
        // Slashing now reaches the new owner.
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &CAROL), 400);
        assert_eq!(held(BOB), 1_100);
        // The old one may begin anew.
        assert_eq!(organisation(ALICE), 1);
    });
}

#[test]
fn offer_transfer_should_refuse_when_nobody_could_accept() {
    run(|| {
        organisation(ALICE);
        organisation(BOB);
        assert_ok!(Providers::add_hot_key(signed(ALICE), WORKERS[0]));
        let offer = |to| Providers::offer_transfer(signed(ALICE), to);
        assert_noop!(offer(ALICE), Error::<Test>::AlreadyOwner);
        assert_noop!(offer(BOB), Error::<Test>::AlreadyOwner);
        assert_noop!(offer(WORKERS[0]), Error::<Test>::OwnerIsHotKey);
    });
}

#[test]
fn cancel_transfer_should_withdraw_the_offer() {
    run(|| {
        organisation(ALICE);
        assert_noop!(
            Providers::cancel_transfer(signed(ALICE)),
            Error::<Test>::NotOffered
        );
        assert_ok!(Providers::offer_transfer(signed(ALICE), BOB));
        assert_ok!(Providers::cancel_transfer(signed(ALICE)));
        assert_eq!(
            last_event(),
            Event::TransferCancelled { provider: 0 }.into()
        );
        assert_noop!(
            Providers::accept_transfer(signed(BOB), 0),
            Error::<Test>::NotOffered
        );
    });
}

#[test]
fn accept_transfer_should_refuse_when_account_may_not_own() {
    run(|| {
        organisation(ALICE);
        let accept = |who| Providers::accept_transfer(signed(who), 0);
        assert_noop!(
            Providers::accept_transfer(signed(BOB), 9),
            Error::<Test>::NotFound
        );
        assert_noop!(accept(BOB), Error::<Test>::NotOffered);

        let offer = |to| {
            assert_ok!(Providers::offer_transfer(signed(ALICE), to));
        };
        offer(BOB);
        // A second offer replaces the first.
        offer(CAROL);
        assert_noop!(accept(BOB), Error::<Test>::NotOffered);
        offer(DAVE);
        assert_noop!(accept(DAVE), Error::<Test>::RoleRequired);
        Approved::mutate(|all| all.insert(NOBODY));
        offer(NOBODY);
        assert_noop!(accept(NOBODY), TokenError::CannotCreateHold);

        // What the account did after the offer counts.
        offer(BOB);
        organisation(BOB);
        assert_noop!(accept(BOB), Error::<Test>::AlreadyOwner);
        offer(CAROL);
        assert_ok!(Providers::add_hot_key(signed(BOB), CAROL));
        assert_noop!(accept(CAROL), Error::<Test>::OwnerIsHotKey);
        assert_ok!(Providers::remove_hot_key(signed(BOB), CAROL));
        suspend(CAROL);
        assert_noop!(accept(CAROL), SUSPENDED);
        Suspended::mutate(|all| all.clear());
        suspend(ALICE);
        assert_noop!(accept(CAROL), SUSPENDED);
        Suspended::mutate(|all| all.clear());
        assert_ok!(accept(CAROL));
    });
}

#[test]
fn accept_transfer_should_work_when_the_bond_is_gone() {
    run(|| {
        organisation(ALICE);
        assert_ok!(Providers::lock_bond(0, 1, MINIMUM));
        assert_eq!(Providers::slash_bond(0, 1, Perbill::one(), &CAROL), MINIMUM);
        assert_ok!(Providers::offer_transfer(signed(ALICE), BOB));
        assert_ok!(Providers::accept_transfer(signed(BOB), 0));
        assert!(!Providers::is_operational(0));
        assert_ok!(Providers::bond_more(signed(BOB), MINIMUM));
        assert!(Providers::is_operational(0));
    });
}
