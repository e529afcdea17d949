//! Disputes: exactly the disputed amount, decided by an arbiter or by time.

use crate::{mock::*, Disputes, Error, Event, Outcome};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_runtime::{DispatchError, DispatchResult, TokenError};
use virtengine_primitives::{
    billing::{Fault, LineKind},
    traits::Escrow as _,
    Balance,
};

fn deposit() -> Balance {
    Balances::balance_on_hold(&DisputeReason::get(), &ALICE)
}

fn dispute(amount: Balance) -> DispatchResult {
    Billing::dispute(signed(ALICE), 1, amount, H256::repeat_byte(1))
}

fn open_evidence() -> DispatchResult {
    Billing::open_evidence(signed(HOT), 1, H256::repeat_byte(2))
}

fn decide(to_payee: Balance) -> DispatchResult {
    Billing::decide(signed(ARBITER), 1, to_payee)
}

/// An agreement that ended with 1,400 pending.
fn ended(test: impl FnOnce()) {
    run(|| {
        started(1);
        use_seconds(1, 100);
        end(1, Fault::Payer);
        test();
    });
}

fn totals() -> (Balance, Balance) {
    let invoice = Billing::invoice(key(NOVEMBER)).unwrap();
    (invoice.total, invoice.credited)
}

#[test]
fn dispute_should_be_for_the_payer_in_the_window_only() {
    run(|| {
        started(1);
        use_seconds(1, 100);
        assert_noop!(dispute(1), Error::<Test>::NotEnded);
        end(1, Fault::Payer);
        for who in [BOB, OWNER, HOT, ARBITER] {
            assert_noop!(
                Billing::dispute(signed(who), 1, 1, H256::zero()),
                Error::<Test>::NotAuthorized
            );
        }
        assert_noop!(
            Billing::dispute(signed(ALICE), 2, 1, H256::zero()),
            Error::<Test>::NotFound
        );
        assert_noop!(dispute(0), Error::<Test>::InvalidAmount);
        assert_noop!(dispute(1_401), Error::<Test>::InvalidAmount);
        let at = release_at(1);
        jump_to(at);
        assert_noop!(dispute(1), Error::<Test>::DeadlinePassed);
        jump_to(at - 1);
        assert_ok!(dispute(1_400));
        assert_noop!(dispute(1), Error::<Test>::DisputeOpen);
        assert_eq!(deposit(), DISPUTE_DEPOSIT);
        assert_eq!(
            Billing::dispute_of(1).map(|d| (d.amount, d.evidence_by, d.decide_by)),
            Some((1_400, at + 9, at + 24))
        );
    });
}

#[test]
fn dispute_should_be_refused_when_the_deposit_cannot_be_held() {
    ended(|| {
        let rest = Balances::free_balance(ALICE) - DISPUTE_DEPOSIT;
        assert_ok!(Balances::transfer_allow_death(signed(ALICE), BOB, rest));
        assert_noop!(dispute(10), TokenError::FundsUnavailable);
    });
}

#[test]
fn dispute_should_be_open_to_a_suspended_payer() {
    ended(|| {
        Suspended::insert(ALICE, ());
        assert_ok!(dispute(10));
    });
}

#[test]
fn dispute_should_freeze_exactly_its_amount_and_let_the_rest_go() {
    ended(|| {
        assert_ok!(dispute(400));
        assert_ok!(open_evidence());
        go_to(release_at(1));
        // 2.5 % of the undisputed 1,000.
        assert_eq!((gain(PAYOUT), gain(POT)), (975, 25));
        assert_eq!(Escrow::balances(1), Some((0, 400)));
        assert!(!is_settled(1));
        assert_eq!(totals(), (1_400, 0));

        assert_ok!(decide(100));
        // 27.5 of all that was released is the pot's in the end, rounded down once.
        assert_eq!((gain(PAYOUT), gain(POT)), (1_073, 27));
        assert_eq!(gain(ALICE), -1_100);
        assert_eq!(deposit(), 0);
        assert!(is_settled(1));
        assert_eq!(totals(), (1_400, 300));
        assert_eq!(agreement(1).charged, 1_100);
        let note = Billing::invoice_lines(key(NOVEMBER), 1).remove(0);
        assert_eq!(
            (note.kind, note.amount, note.agreement),
            (
                LineKind::CreditNote {
                    line: 0,
                    month: NOVEMBER
                },
                300,
                1
            )
        );
    });
}

#[test]
fn a_dispute_decided_early_should_leave_the_rest_to_the_window() {
    ended(|| {
        assert_ok!(dispute(400));
        assert_ok!(open_evidence());
        assert_ok!(decide(400));
        assert_eq!(gain(PAYOUT) + gain(POT), 400);
        assert_eq!(Escrow::balances(1), Some((0, 1_000)));
        // Of what remains, the payer can dispute again.
        assert_noop!(dispute(1_001), Error::<Test>::InvalidAmount);
        assert_ok!(dispute(1_000));
        assert_ok!(open_evidence());
        assert_ok!(decide(0));
        assert!(!is_settled(1), "the window is still open");
        go_to(release_at(1));
        assert!(is_settled(1));
        assert_eq!(gain(ALICE), -400);
        assert_eq!(totals(), (1_400, 1_000));
    });
}

#[test]
fn evidence_that_is_not_opened_in_time_should_count_against_the_provider() {
    ended(|| {
        assert_ok!(dispute(1_400));
        let by = Billing::dispute_of(1).unwrap().evidence_by;
        jump_to(by - 1);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert!(Disputes::<Test>::contains_key(1));
        jump_to(by);
        assert_noop!(open_evidence(), Error::<Test>::DeadlinePassed);
        assert_noop!(decide(1_400), Error::<Test>::DeadlinePassed);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        System::assert_has_event(
            Event::DisputeResolved {
                agreement: 1,
                asset: NATIVE,
                to_payee: 0,
                to_payer: 1_400,
                outcome: Outcome::EvidenceMissing,
            }
            .into(),
        );
        assert_eq!((gain(ALICE), gain(PAYOUT), gain(POT)), (0, 0, 0));
        assert_eq!(deposit(), 0);
        assert_eq!(totals(), (1_400, 1_400));
    });
}

#[test]
fn an_arbiters_silence_should_split_the_amount_when_the_deadline_passes() {
    ended(|| {
        assert_ok!(dispute(999));
        assert_ok!(open_evidence());
        let by = Billing::dispute_of(1).unwrap().decide_by;
        jump_to(by - 1);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert!(Disputes::<Test>::contains_key(1));
        jump_to(by);
        assert_noop!(decide(0), Error::<Test>::DeadlinePassed);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        // 60 % of 999, rounded down in the payer's favour.
        System::assert_has_event(
            Event::DisputeResolved {
                agreement: 1,
                asset: NATIVE,
                to_payee: 599,
                to_payer: 400,
                outcome: Outcome::DefaultSplit,
            }
            .into(),
        );
        assert!(is_settled(1));
        assert_eq!(gain(ALICE), -1_000);
        assert_eq!(gain(PAYOUT) + gain(POT), 1_000);
    });
}

#[test]
fn time_alone_should_end_every_dispute() {
    for with_evidence in [false, true] {
        ended(|| {
            assert_ok!(dispute(1_400));
            if with_evidence {
                assert_ok!(open_evidence());
            }
            go_to(System::block_number() + 60);
            assert!(is_settled(1));
            assert_eq!(deposit(), 0);
            assert_eq!(gain(ALICE), if with_evidence { -840 } else { 0 });
        });
    }
}

#[test]
fn evidence_should_be_opened_once_by_the_provider() {
    ended(|| {
        assert_noop!(open_evidence(), Error::<Test>::NoDispute);
        assert_ok!(dispute(10));
        for who in [ALICE, ANYONE, HOT2, OWNER2, ARBITER] {
            assert_noop!(
                Billing::open_evidence(signed(who), 1, H256::zero()),
                Error::<Test>::NotAuthorized
            );
        }
        let by = Billing::dispute_of(1).unwrap().evidence_by;
        jump_to(by - 1);
        assert_ok!(Billing::open_evidence(
            signed(OWNER),
            1,
            H256::repeat_byte(3)
        ));
        assert_noop!(open_evidence(), Error::<Test>::EvidenceOpened);
        assert_eq!(
            Billing::dispute_of(1).unwrap().evidence,
            Some(H256::repeat_byte(3))
        );
    });
}

#[test]
fn decide_should_be_for_an_arbiter_who_is_no_party() {
    ended(|| {
        assert_noop!(decide(0), Error::<Test>::NoDispute);
        assert_ok!(dispute(100));
        assert_noop!(decide(0), Error::<Test>::EvidenceNotOpened);
        assert_ok!(open_evidence());
        for who in [ALICE, OWNER, HOT, ANYONE] {
            assert_noop!(
                Billing::decide(signed(who), 1, 0),
                Error::<Test>::NotAuthorized
            );
        }
        assert_noop!(
            Billing::decide(RuntimeOrigin::root(), 1, 0),
            DispatchError::BadOrigin
        );
        for party in [ALICE, OWNER, HOT] {
            Arbiters::insert(party, ());
            assert_noop!(
                Billing::decide(signed(party), 1, 0),
                Error::<Test>::ConflictOfInterest
            );
        }
        assert_noop!(decide(101), Error::<Test>::InvalidAmount);
        assert_ok!(decide(100));
        assert_noop!(decide(100), Error::<Test>::NoDispute);
    });
}

#[test]
fn money_should_go_back_to_the_payer_when_the_provider_is_gone_against_all_rules() {
    ended(|| {
        Organisations::remove(PROVIDER);
        go_to(release_at(1));
        assert!(is_settled(1));
        assert_eq!(gain(ALICE), 0);
        assert_eq!(totals(), (1_400, 1_400));
        Organisations::insert(PROVIDER, (OWNER, HOT, PAYOUT, 0));
    });
}

#[test]
fn disputes_should_list_each_once_when_there_are_several_pages() {
    // Storage alone: what a dispute freezes does not matter to a reader.
    new_test_ext().execute_with(|| {
        let page = virtengine_primitives::apis::PAGE as usize;
        let one = virtengine_primitives::billing::Dispute {
            amount: 1,
            grounds: H256::zero(),
            evidence_by: 1,
            evidence: None,
            decide_by: 2,
        };
        let expected: Vec<u64> = (1..2 * page as u64 + 5).collect();
        for id in &expected {
            Disputes::<Test>::insert(id, one.clone());
        }
        let mut found = Vec::new();
        loop {
            let part = Billing::disputes(found.last().copied());
            assert!(part.len() <= page);
            if part.is_empty() {
                break;
            }
            found.extend(part.into_iter().map(|(id, _)| id));
        }
        found.sort_unstable();
        assert_eq!(found, expected);
    });
}
