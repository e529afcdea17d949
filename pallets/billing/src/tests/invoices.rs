//! Invoices: months, closing, proofs, corrections, pruning.

use crate::{mock::*, Error, Event, InvoiceDeposits, Lines, Pruning, MAX_LINES, PRUNE_BATCH};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_runtime::{DispatchError, TokenError};
use virtengine_primitives::{
    billing::{Fault, InvoiceKey, LineKind, Month},
    calendar::{end_of, start_of},
    mmr,
    traits::Billing as Seam,
    Balance, Moment,
};

/// An agreement that may last for years, paid in the plan's asset.
fn long(id: u64, plan: u32) {
    <Billing as Seam<_>>::open(id, &ALICE, PROVIDER, plan, 1_000_000, allocation(60_000)).unwrap();
    <Billing as Seam<u64>>::start(id, Timestamp::get()).unwrap();
}

/// Reports `seconds` that began at `from`, `after` milliseconds after they ended.
fn use_at(id: u64, from: Moment, seconds: u64, after: Moment) {
    let mut report = full(id, seconds);
    report.from = from;
    report.until = from + seconds * 1_000;
    set_time((report.until + after).max(Timestamp::get()));
    Billing::report(signed(HOT), id, report).unwrap();
}

fn totals(month: Month) -> Option<(Balance, Balance)> {
    Billing::invoice(key(month)).map(|i| (i.total, i.credited))
}

#[test]
fn usage_should_be_split_by_month_with_one_line_each() {
    run(|| {
        long(1, PLAN);
        use_at(1, NOW, 100, 0);
        use_at(1, NOW + DAY, 50, 0);
        assert_eq!(totals(NOVEMBER), None, "the line is still open");
        let december = start_of(NOVEMBER + 1);
        use_at(1, december + DAY, 10, 0);
        assert_eq!(totals(NOVEMBER), Some((2_100, 0)));
        end(1, Fault::Payer);
        assert_eq!(totals(NOVEMBER + 1), Some((140, 0)));

        let line = Billing::invoice_lines(key(NOVEMBER), 0).remove(0);
        assert_eq!((line.first_sequence, line.last_sequence), (1, 2));
        assert_eq!((line.from, line.until), (NOW, NOW + DAY + 50_000));
        assert_eq!(line.quantities, cpu_mem(600, 300_000));
        assert_eq!(
            (line.agreement, line.plan, line.kind),
            (1, PLAN, LineKind::Usage)
        );
        let last = Billing::invoice_lines(key(NOVEMBER + 1), 0).remove(0);
        assert_eq!((last.first_sequence, last.last_sequence), (3, 3));
        assert_eq!(last.head, agreement(1).head);
        let listed = Billing::invoices(ALICE, NOVEMBER);
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].0, key(NOVEMBER));
        assert_eq!(Billing::invoices(BOB, NOVEMBER), vec![]);
    });
}

#[test]
fn settle_should_write_the_line_exactly_when_its_month_is_over() {
    run(|| {
        long(1, PLAN);
        use_at(1, NOW, 100, 0);
        set_time(end_of(NOVEMBER) - 1);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert_eq!(totals(NOVEMBER), None);
        set_time(end_of(NOVEMBER));
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert_eq!(totals(NOVEMBER), Some((1_400, 0)));
        assert_eq!(Billing::invoice(key(NOVEMBER)).unwrap().lines.count, 1);
    });
}

#[test]
fn a_late_report_should_still_reach_its_months_invoice_within_the_grace_time() {
    run(|| {
        long(1, PLAN);
        use_at(1, end_of(NOVEMBER) - 10_000, 10, 7 * DAY - 1);
        end(1, Fault::Silence);
        assert_eq!(totals(NOVEMBER), Some((140, 0)));
    });
}

#[test]
fn a_line_should_go_on_the_next_invoice_when_its_own_takes_no_more() {
    for closed in [false, true] {
        run(|| {
            long(1, PLAN);
            long(2, PLAN);
            use_at(1, NOW, 10, 0);
            end(1, Fault::Silence);
            assert_noop!(
                Billing::close_invoice(signed(ANYONE), key(NOVEMBER)),
                Error::<Test>::TooEarly
            );
            set_time(end_of(NOVEMBER) + 7 * DAY - 1);
            assert_noop!(
                Billing::close_invoice(signed(ANYONE), key(NOVEMBER)),
                Error::<Test>::TooEarly
            );
            set_time(end_of(NOVEMBER) + 7 * DAY);
            // Whether anybody calls it or not makes no difference.
            if closed {
                assert_ok!(Billing::close_invoice(signed(ANYONE), key(NOVEMBER)));
                assert_noop!(
                    Billing::close_invoice(signed(ANYONE), key(NOVEMBER)),
                    Error::<Test>::AlreadyClosed
                );
            }
            use_at(2, NOW + HOUR, 20, 0);
            end(2, Fault::Silence);
            assert_eq!(totals(NOVEMBER), Some((140, 0)));
            assert_eq!(totals(NOVEMBER + 1), Some((280, 0)));
            let line = Billing::invoice_lines(key(NOVEMBER + 1), 0).remove(0);
            assert_eq!(line.from, NOW + HOUR);
        });
    }
}

#[test]
fn every_line_should_be_proven_against_the_stored_root_and_nothing_else() {
    run(|| {
        let mut sum = 0;
        for id in 1..=23u64 {
            started(id);
            use_seconds(id, id);
            end(id, Fault::Silence);
            sum += 14 * u128::from(id);
            let invoice = Billing::invoice(key(NOVEMBER)).unwrap();
            let root = invoice.lines.root();
            assert_eq!((invoice.total, u64::from(invoice.lines.count)), (sum, id));
            for index in 0..invoice.lines.count {
                let (line, proof) = Billing::prove_line(key(NOVEMBER), index).unwrap();
                assert_eq!(line.agreement, u64::from(index) + 1);
                assert!(mmr::verify(root, mmr::leaf(&line.encode()), &proof));
                let mut forged = line.clone();
                forged.amount += 1;
                assert!(!mmr::verify(root, mmr::leaf(&forged.encode()), &proof));
            }
            assert_eq!(Billing::prove_line(key(NOVEMBER), id as u32), None);
        }
        assert_eq!(Billing::prove_line(key(NOVEMBER + 1), 0), None);
        assert_eq!(Billing::invoice_lines(key(NOVEMBER), 20).len(), 3);
    });
}

#[test]
fn a_providers_fault_after_a_month_should_correct_the_written_lines_by_credit_notes() {
    run(|| {
        long(1, PLAN);
        use_at(1, NOW, 100, 0);
        use_at(1, start_of(NOVEMBER + 1), 50, 0);
        use_at(1, start_of(NOVEMBER + 2), 7, 0);
        assert_eq!(totals(NOVEMBER), Some((1_400, 0)));
        assert_eq!(totals(NOVEMBER + 1), Some((700, 0)));
        end(1, Fault::Provider);
        assert_eq!(agreement(1).charged, 0);
        assert_eq!(gain(ALICE), 0, "everything is back at once");
        // Nothing written was edited; the unwritten line never came to be; both notes are on the current invoice.
        assert_eq!(totals(NOVEMBER), Some((1_400, 0)));
        assert_eq!(totals(NOVEMBER + 1), Some((700, 0)));
        assert_eq!(totals(NOVEMBER + 2), Some((0, 2_100)));
        let notes: Vec<_> = Billing::invoice_lines(key(NOVEMBER + 2), 0)
            .into_iter()
            .map(|line| (line.kind, line.amount))
            .collect();
        let note = |month| LineKind::CreditNote { line: 0, month };
        assert_eq!(
            notes,
            vec![(note(NOVEMBER + 1), 700), (note(NOVEMBER), 1_400)]
        );
        go_to(release_at(1));
        assert!(is_settled(1));
        assert_eq!((gain(PAYOUT), gain(POT), gain(ALICE)), (0, 0, 0));
    });
}

#[test]
fn a_dispute_over_two_months_should_correct_the_newest_line_first() {
    run(|| {
        long(1, PLAN);
        use_at(1, NOW, 100, 0);
        use_at(1, start_of(NOVEMBER + 1), 50, 0);
        end(1, Fault::Payer);
        assert_ok!(Billing::dispute(signed(ALICE), 1, 1_000, H256::zero()));
        go_to(System::block_number() + 40);
        assert!(is_settled(1));
        assert_eq!(gain(ALICE), -1_100);
        assert_eq!(totals(NOVEMBER), Some((1_400, 0)));
        assert_eq!(totals(NOVEMBER + 1), Some((700, 1_000)));
        let stored = |month| Lines::<Test>::get(key(month), 0).unwrap().reverted;
        assert_eq!((stored(NOVEMBER), stored(NOVEMBER + 1)), (300, 700));
    });
}

#[test]
fn an_agreement_of_many_months_should_keep_its_last_line_open_when_it_has_no_more_places() {
    run(|| {
        long(1, PLAN);
        for n in 0..20u32 {
            let from = start_of(NOVEMBER + n).max(NOW);
            use_at(1, from, 10, 0);
            assert_ok!(Billing::settle(signed(ANYONE), 1));
            check();
        }
        end(1, Fault::Payer);
        let lines = crate::Books::<Test>::get(1).lines;
        assert_eq!(lines.len() as u32, MAX_LINES);
        assert_eq!(lines.last().unwrap().standing, 8 * 140);
        assert_eq!(agreement(1).charged, 20 * 140);
    });
}

#[test]
fn the_minimum_should_get_a_line_of_its_own_when_the_last_one_is_written() {
    run(|| {
        long(1, PLAN);
        use_at(1, NOW, 2, 0);
        set_time(end_of(NOVEMBER));
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        end(1, Fault::Payer);
        assert_eq!(totals(NOVEMBER), Some((28, 0)));
        assert_eq!(totals(NOVEMBER + 1), Some((72, 0)));
        let line = Billing::invoice_lines(key(NOVEMBER + 1), 0).remove(0);
        assert_eq!((line.first_sequence, line.quantities), (0, cpu_mem(0, 0)));
    });
}

/// A settled agreement with one line of 1,400 on November's invoice, in the plan's asset.
fn settled(plan: u32, test: impl FnOnce(InvoiceKey<AccountId>)) {
    run(|| {
        long(1, plan);
        use_at(1, NOW, 100, 0);
        end(1, Fault::Payer);
        go_to(release_at(1));
        assert!(is_settled(1));
        let asset = agreement(1).asset;
        test(InvoiceKey {
            asset,
            ..key(NOVEMBER)
        });
    });
}

#[test]
fn a_credit_note_of_the_owner_should_come_from_it_and_the_pot_in_their_shares() {
    settled(PLAN, |invoice| {
        assert_eq!((gain(PAYOUT), gain(POT)), (1_365, 35));
        let before = gain(OWNER);
        set_time(start_of(NOVEMBER + 1));
        // In parts: the pot returns 2.5 % of all of it, not of each part.
        for amount in [10, 30, 1_359] {
            let note = Billing::credit_note(signed(OWNER), invoice.clone(), 0, amount);
            assert_ok!(note);
        }
        assert_eq!(gain(ALICE), -1);
        assert_eq!(gain(POT), 1);
        // The last note began December's invoice, for which the owner has set something aside.
        assert_eq!(before - gain(OWNER), 1_399 - 34 + INVOICE_DEPOSIT as i128);
        assert_noop!(
            Billing::credit_note(signed(OWNER), invoice.clone(), 0, 2),
            Error::<Test>::InvalidAmount
        );
        assert_ok!(Billing::credit_note(signed(OWNER), invoice.clone(), 0, 1));
        System::assert_last_event(
            Event::CreditNoteIssued {
                invoice: invoice.clone(),
                line: 0,
                amount: 1,
                from_provider: 0,
                from_pot: 1,
                from_bond: false,
            }
            .into(),
        );
        assert_noop!(
            Billing::credit_note(signed(OWNER), invoice, 0, 1),
            Error::<Test>::InvalidAmount
        );
        assert_eq!((gain(ALICE), gain(POT)), (0, 0));
        assert_eq!(totals(NOVEMBER), Some((1_400, 0)));
        assert_eq!(totals(NOVEMBER + 1), Some((0, 1_400)));
    });
}

#[test]
fn a_credit_note_of_an_arbiter_should_come_from_the_bond() {
    settled(PLAN, |invoice| {
        let note = |who, amount| Billing::credit_note(signed(who), invoice.clone(), 0, amount);
        assert_noop!(note(ANYONE, 1), Error::<Test>::NotAuthorized);
        assert_noop!(note(HOT, 1), Error::<Test>::NotAuthorized);
        assert_noop!(note(ALICE, 1), Error::<Test>::NotAuthorized);
        Arbiters::insert(ALICE, ());
        assert_noop!(note(ALICE, 1), Error::<Test>::ConflictOfInterest);
        assert_noop!(note(ARBITER, 0), Error::<Test>::InvalidAmount);
        assert_ok!(note(ARBITER, 400));
        assert_eq!((gain(BOND), gain(POT), gain(ALICE)), (-390, 25, -1_000));
        assert_eq!(totals(NOVEMBER), Some((1_400, 400)));
        assert_noop!(
            Billing::credit_note(signed(ARBITER), invoice.clone(), 1, 1),
            Error::<Test>::NotUsage
        );
        assert_noop!(
            Billing::credit_note(signed(ARBITER), invoice, 2, 1),
            Error::<Test>::NotFound
        );
    });
}

#[test]
fn a_credit_note_in_an_asset_should_be_for_the_owner_only_and_fail_whole() {
    settled(COIN_PLAN, |invoice| {
        let note = |who| Billing::credit_note(signed(who), invoice.clone(), 0, 400);
        assert_noop!(note(ARBITER), Error::<Test>::NativeOnly);
        set_frozen(true);
        assert!(frame_support::storage::with_storage_layer(|| note(OWNER)).is_err());
        check();
        set_frozen(false);
        assert_ok!(note(OWNER));
        assert_eq!(
            (coin_gain(OWNER), coin_gain(POT), coin_gain(ALICE)),
            (-390, 25, -1_000)
        );
    });
}

#[test]
fn a_credit_note_in_an_asset_should_return_all_of_the_pots_share_when_the_pot_owns_nothing_else() {
    run(|| {
        assert_ok!(Assets::transfer_all(signed(POT), 7, ANYONE, false));
        long(1, COIN_PLAN);
        use_at(1, NOW, 100, 0);
        end(1, Fault::Payer);
        go_to(release_at(1));
        assert_eq!(Assets::balance(7, POT), 35);
        let invoice = InvoiceKey {
            asset: COIN,
            ..key(NOVEMBER)
        };
        assert_ok!(Billing::credit_note(signed(OWNER), invoice, 0, 1_400));
        assert_eq!(Assets::balance(7, POT), 0);
        assert_eq!((coin_gain(OWNER), coin_gain(ALICE)), (-1_365, 0));
    });
}

#[test]
fn a_credit_note_should_be_refused_when_the_money_has_not_been_paid() {
    run(|| {
        started(1);
        use_seconds(1, 100);
        end(1, Fault::Payer);
        assert_noop!(
            Billing::credit_note(signed(OWNER), key(NOVEMBER), 0, 1),
            Error::<Test>::NotSettled
        );
    });
}

#[test]
fn a_credit_note_should_count_what_a_dispute_took_back() {
    run(|| {
        started(1);
        use_seconds(1, 100);
        end(1, Fault::Payer);
        assert_ok!(Billing::dispute(signed(ALICE), 1, 1_000, H256::zero()));
        go_to(System::block_number() + 40);
        let note = |amount| Billing::credit_note(signed(OWNER), key(NOVEMBER), 0, amount);
        assert_noop!(note(401), Error::<Test>::InvalidAmount);
        assert_ok!(note(400));
        assert_eq!((gain(ALICE), gain(POT)), (0, 0));
    });
}

#[test]
fn a_credit_note_should_outlive_its_agreement() {
    settled(PLAN, |invoice| {
        TakeRate::set(sp_runtime::Perbill::from_percent(90));
        go_to(System::block_number() + 100);
        assert_ok!(Billing::prune_agreement(signed(ANYONE), 1));
        assert_ok!(Billing::credit_note(signed(OWNER), invoice, 0, 1_400));
        assert_eq!((gain(ALICE), gain(POT)), (0, 0), "the share of that day");
    });
}

#[test]
fn an_owner_too_poor_for_the_deposit_should_not_keep_an_agreement_from_ending() {
    run(|| {
        let all = Balances::free_balance(OWNER) - ED;
        assert_ok!(Balances::transfer_allow_death(signed(OWNER), BOB, all));
        started(1);
        use_seconds(1, 10);
        end(1, Fault::Payer);
        assert_eq!(totals(NOVEMBER), Some((140, 0)));
        assert!(!InvoiceDeposits::<Test>::contains_key(key(NOVEMBER)));
        go_to(release_at(1));
        assert!(is_settled(1));
        // It cannot pay a credit note either, and the refusal leaves nothing behind.
        assert_noop!(
            Billing::credit_note(signed(OWNER), key(NOVEMBER), 0, 140),
            DispatchError::Token(TokenError::FundsUnavailable)
        );
    });
}

#[test]
fn prune_invoice_should_wait_for_the_retention_and_return_the_deposit() {
    settled(PLAN, |invoice| {
        let held = || Balances::balance_on_hold(&InvoiceReason::get(), &OWNER);
        assert_eq!(held(), INVOICE_DEPOSIT);
        let prune = || Billing::prune_invoice(signed(ANYONE), key(NOVEMBER));
        assert_noop!(prune(), Error::<Test>::NotClosed);
        set_time(end_of(NOVEMBER + 2) - 1);
        assert_ok!(Billing::close_invoice(signed(ANYONE), invoice.clone()));
        assert_noop!(prune(), Error::<Test>::TooEarly);
        set_time(end_of(NOVEMBER + 2));
        assert_ok!(prune());
        System::assert_last_event(Event::InvoicePruned { invoice }.into());
        assert_noop!(prune(), Error::<Test>::NotFound);
        assert_eq!(held(), 0);
        assert_eq!(Lines::<Test>::iter().count(), 0);
    });
}

#[test]
fn prune_invoice_should_take_several_calls_when_there_are_many_lines() {
    run(|| {
        let lines = PRUNE_BATCH + 30;
        for id in 1..=u64::from(lines) {
            started(id);
            use_seconds(id, 1);
            end(id, Fault::Silence);
        }
        set_time(end_of(NOVEMBER + 2));
        assert_ok!(Billing::close_invoice(signed(ANYONE), key(NOVEMBER)));
        let prune = || Billing::prune_invoice(signed(ANYONE), key(NOVEMBER));
        assert_ok!(prune());
        assert_eq!(Billing::invoice(key(NOVEMBER)), None);
        assert!(Pruning::<Test>::contains_key(key(NOVEMBER)));
        check();
        assert_noop!(
            Billing::credit_note(signed(OWNER), key(NOVEMBER), lines - 1, 1),
            Error::<Test>::NotFound
        );
        assert_ok!(prune());
        assert!(!Pruning::<Test>::contains_key(key(NOVEMBER)));
        assert_noop!(prune(), Error::<Test>::NotFound);
    });
}
