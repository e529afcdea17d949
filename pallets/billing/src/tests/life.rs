//! From the opening of an agreement to its settlement, to the unit.

use crate::{mock::*, Agreements, Books, Error, Event, Lines};
use frame_support::{assert_noop, assert_ok, traits::fungible::InspectHold};
use sp_runtime::{Perbill, TokenError};
use virtengine_primitives::{
    billing::{AgreementState, Fault, Quantities},
    traits::{Billing as Seam, Escrow as _},
    AgreementId, AssetKind, Balance,
};

fn held(who: AccountId) -> Balance {
    let reason = RuntimeHoldReason::Escrow(pallet_escrow::HoldReason::Agreement);
    Balances::balance_on_hold(&reason, &who)
}

fn live(provider: u32) -> u32 {
    Organisations::get(provider).unwrap().3
}

#[test]
fn open_should_hold_the_ceiling_and_pin_everything_that_could_change() {
    run(|| {
        open(1);
        TakeRate::set(Perbill::from_percent(50));
        DisputeWindow::set(1);
        let a = agreement(1);
        assert_eq!(held(ALICE), 14_000);
        assert_eq!(
            (a.state, a.opened_at, a.sequence, a.charged),
            (AgreementState::Open, NOW, 0, 0)
        );
        assert_eq!(a.take_rate, Perbill::from_parts(25_000_000));
        assert_eq!(a.dispute_window, 20);
        assert_eq!(live(PROVIDER), 1);
        System::assert_last_event(
            Event::Opened {
                agreement: 1,
                payer: ALICE,
                provider: PROVIDER,
                plan: PLAN,
                asset: NATIVE,
                ceiling: 14_000,
                allocation: allocation(1_000),
                dispute_window: 20,
                take_rate: Perbill::from_parts(25_000_000),
                at: NOW,
            }
            .into(),
        );
    });
}

#[test]
fn open_should_be_refused_without_effect_when_something_is_wrong() {
    run(|| {
        let open_as = |id: AgreementId, payer, provider, plan, ceiling| {
            <Billing as Seam<_>>::open(id, &payer, provider, plan, ceiling, allocation(10))
        };
        open(1);
        assert_noop!(
            open_as(1, BOB, PROVIDER, PLAN, 1),
            Error::<Test>::AlreadyExists
        );
        assert_noop!(open_as(2, BOB, PROVIDER, 9, 1), Error::<Test>::NotFound);
        assert_noop!(
            open_as(2, BOB, PROVIDER, PLAN2, 1),
            Error::<Test>::PlanOfAnotherProvider
        );
        assert_noop!(
            open_as(2, BOB, PROVIDER, PLAN, START),
            TokenError::FundsUnavailable
        );
        let mut unsorted = allocation(10);
        let swapped: Vec<_> = unsorted.per_second.iter().rev().copied().collect();
        unsorted.per_second = swapped.try_into().unwrap();
        assert_noop!(
            <Billing as Seam<_>>::open(2, &BOB, PROVIDER, PLAN, 1, unsorted),
            Error::<Test>::QuantitiesMalformed
        );
        assert_eq!(live(PROVIDER), 1);
    });
}

#[test]
fn start_should_keep_its_first_value_when_a_job_is_requeued() {
    run(|| {
        open(1);
        assert_noop!(
            <Billing as Seam<u64>>::start(1, NOW + 60_001),
            Error::<Test>::InFuture
        );
        assert_noop!(
            <Billing as Seam<u64>>::start(1, NOW - 60_001),
            Error::<Test>::BeforeOpening
        );
        assert_noop!(
            <Billing as Seam<u64>>::start(2, NOW),
            Error::<Test>::NotFound
        );
        assert_ok!(<Billing as Seam<u64>>::start(1, NOW + 60_000));
        assert_ok!(<Billing as Seam<u64>>::start(1, NOW));
        assert_eq!(agreement(1).started_at, Some(NOW + 60_000));
        end(1, Fault::Silence);
        assert_noop!(
            <Billing as Seam<u64>>::start(1, NOW),
            Error::<Test>::NotOpen
        );
    });
}

#[test]
fn reassign_should_move_counts_and_pins_but_no_money_when_nothing_has_started() {
    run(|| {
        open(1);
        assert_noop!(
            <Billing as Seam<u64>>::reassign(1, PROVIDER2, PLAN),
            Error::<Test>::PlanOfAnotherProvider
        );
        assert_noop!(
            <Billing as Seam<u64>>::reassign(1, PROVIDER, COIN_PLAN),
            Error::<Test>::AssetMismatch
        );
        assert_ok!(<Billing as Seam<u64>>::reassign(1, PROVIDER2, PLAN2));
        assert_eq!((live(PROVIDER), live(PROVIDER2)), (0, 1));
        assert_eq!(Escrow::balances(1), Some((14_000, 0)));
        assert_ok!(<Billing as Seam<u64>>::start(1, NOW));
        assert_noop!(
            <Billing as Seam<u64>>::reassign(1, PROVIDER, PLAN),
            Error::<Test>::NotOpen
        );
        // From now on the second provider's hot key reports, and only that.
        let report = full(1, 10);
        set_time(report.until);
        assert_noop!(
            Billing::report(signed(HOT), 1, report.clone()),
            Error::<Test>::NotAuthorized
        );
        assert_ok!(Billing::report(signed(HOT2), 1, report));
    });
}

#[test]
fn a_whole_life_should_pay_everybody_to_the_unit() {
    run(|| {
        started(1);
        use_seconds(1, 100);
        use_seconds(1, 211);
        assert_eq!(agreement(1).charged, 311 * 14);
        assert_eq!(Escrow::balances(1), Some((14_000 - 4_354, 4_354)));
        end(1, Fault::Payer);
        assert_eq!(Escrow::balances(1), Some((0, 4_354)));
        assert_eq!(gain(ALICE), -4_354, "the rest came back at the end");
        assert_eq!(release_at(1), System::block_number() + 20);

        go_to(release_at(1));
        assert!(is_settled(1));
        // 2.5 % of 4,354 is 108.85; rounded down, in the payee's favour.
        assert_eq!((gain(POT), gain(PAYOUT), gain(ALICE)), (108, 4_246, -4_354));
        assert_eq!(held(ALICE), 0);
        assert_eq!(live(PROVIDER), 0);
        assert_eq!(SettledCount::get(1), Some(1));
        let invoice = Billing::invoice(key(NOVEMBER)).unwrap();
        assert_eq!((invoice.total, invoice.credited), (4_354, 0));
    });
}

#[test]
fn settling_a_thousand_times_should_move_nothing_twice() {
    run(|| {
        started(1);
        use_seconds(1, 333);
        for _ in 0..1_000 {
            assert_ok!(Billing::settle(signed(ANYONE), 1));
        }
        assert_eq!(Escrow::balances(1), Some((14_000 - 4_662, 4_662)));
        end(1, Fault::Payer);
        for _ in 0..1_000 {
            assert_ok!(Billing::settle(signed(ANYONE), 1));
        }
        assert_eq!(Escrow::balances(1), Some((0, 4_662)));
        jump_to(release_at(1));
        for _ in 0..1_000 {
            assert_ok!(Billing::settle(signed(ANYONE), 1));
        }
        assert_eq!((gain(POT), gain(PAYOUT), gain(ALICE)), (116, 4_546, -4_662));
        assert_eq!(SettledCount::get(1), Some(1));
        assert_noop!(Billing::settle(signed(ANYONE), 2), Error::<Test>::NotFound);
    });
}

#[test]
fn release_should_happen_exactly_at_its_block() {
    run(|| {
        started(1);
        use_seconds(1, 10);
        end(1, Fault::Payer);
        let at = release_at(1);
        jump_to(at - 1);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert!(!is_settled(1));
        assert_eq!(gain(PAYOUT), 0);
        jump_to(at);
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        assert!(is_settled(1));
        assert_eq!(gain(PAYOUT), 137);
    });
}

#[test]
fn the_minimum_should_be_charged_by_fault_and_only_when_it_started() {
    for (has_started, seconds, fault, expected) in [
        (false, 0, Fault::Payer, 0),
        (false, 0, Fault::Silence, 0),
        (false, 0, Fault::Provider, 0),
        (true, 0, Fault::Payer, 100),
        (true, 2, Fault::Payer, 100),
        (true, 8, Fault::Payer, 112),
        (true, 0, Fault::Silence, 0),
        (true, 2, Fault::Silence, 28),
        (true, 2, Fault::Provider, 0),
        (true, 800, Fault::Provider, 0),
    ] {
        run(|| {
            open(1);
            if has_started {
                assert_ok!(<Billing as Seam<u64>>::start(1, NOW));
            }
            if seconds > 0 {
                use_seconds(1, seconds);
            }
            end(1, fault);
            assert_eq!(
                agreement(1).charged,
                expected,
                "{fault:?} after {seconds} s"
            );
            go_to(release_at(1));
            assert!(is_settled(1));
            assert_eq!(gain(ALICE), -(expected as i128));
            assert_eq!(gain(PAYOUT) + gain(POT), expected as i128);
            let invoice = Billing::invoice(key(NOVEMBER));
            assert_eq!(invoice.map_or(0, |i| i.total - i.credited), expected);
        });
    }
}

#[test]
fn the_minimum_should_be_capped_by_the_ceiling() {
    run(|| {
        <Billing as Seam<_>>::open(1, &ALICE, PROVIDER, PLAN, 70, allocation(10)).unwrap();
        <Billing as Seam<u64>>::start(1, NOW).unwrap();
        end(1, Fault::Payer);
        assert_eq!(agreement(1).charged, 70);
    });
}

#[test]
fn the_ceiling_should_be_absolute_however_much_is_used() {
    run(|| {
        <Billing as Seam<_>>::open(1, &ALICE, PROVIDER, PLAN, 1_000, allocation(1_000)).unwrap();
        <Billing as Seam<u64>>::start(1, NOW).unwrap();
        use_seconds(1, 70);
        assert_eq!(agreement(1).charged, 980);
        use_seconds(1, 70);
        assert_eq!(agreement(1).charged, 1_000);
        use_seconds(1, 70);
        assert_eq!(agreement(1).charged, 1_000);
        end(1, Fault::Payer);
        assert_eq!(gain(ALICE), -1_000);
    });
}

#[test]
fn ending_twice_or_reporting_after_the_end_should_change_nothing() {
    run(|| {
        started(1);
        use_seconds(1, 10);
        let late = full(1, 10);
        end(1, Fault::Payer);
        let before = agreement(1);
        end(1, Fault::Provider);
        assert_eq!(agreement(1), before);
        set_time(late.until);
        assert_noop!(
            Billing::report(signed(HOT), 1, late),
            Error::<Test>::NotMetering
        );
    });
}

#[test]
fn rounding_should_not_be_farmed_when_usage_is_split_into_many_reports() {
    run(|| {
        // A third of a unit per second: one report of 300 seconds is 100 units, three hundred of one second as well.
        let rates = terms(NATIVE).rates[1..].to_vec();
        let plan = virtengine_primitives::billing::PricePlan {
            asset: NATIVE,
            rates: rates.try_into().unwrap(),
            minimum_charge: 0,
        };
        assert_ok!(Billing::publish_plan(signed(OWNER), plan));
        let allocation = virtengine_primitives::billing::Allocation {
            per_second: cpu_mem(0, 333),
            walltime: 1_000,
        };
        for id in [1, 2] {
            <Billing as Seam<_>>::open(id, &ALICE, PROVIDER, 3, 1_000, allocation.clone()).unwrap();
            <Billing as Seam<u64>>::start(id, NOW).unwrap();
        }
        let report = |id, seconds: u64| {
            let mut r = full(id, seconds);
            r.quantities = cpu_mem(0, 333 * u128::from(seconds));
            set_time(r.until.max(Timestamp::get()));
            Billing::report(signed(HOT), id, r).unwrap();
        };
        report(1, 300);
        for _ in 0..300 {
            report(2, 1);
        }
        assert_eq!(agreement(1).charged, 99);
        assert_eq!(agreement(2).charged, 99);
        // And of the take: 2.5 % of 99 is 2.475.
        for id in [1, 2] {
            end(id, Fault::Silence);
            go_to(release_at(id));
        }
        assert_eq!(gain(POT), 4);
    });
}

#[test]
fn a_payout_below_the_existential_deposit_should_wait_as_a_credit_and_settle_all_the_same() {
    run(|| {
        const NEW: AccountId = 99;
        Organisations::insert(PROVIDER, (OWNER, HOT, NEW, 0));
        <Billing as Seam<_>>::open(1, &ALICE, PROVIDER, PLAN, 9, allocation(1)).unwrap();
        <Billing as Seam<u64>>::start(1, NOW).unwrap();
        end(1, Fault::Payer);
        go_to(release_at(1));
        assert!(is_settled(1));
        assert_eq!(Escrow::ledger(1).unwrap().credited, 9);
        go_to(System::block_number() + 100);
        assert_noop!(
            Billing::prune_agreement(signed(ANYONE), 1),
            Error::<Test>::CreditsRemain
        );
        assert_ok!(Balances::transfer_allow_death(signed(BOB), NEW, ED));
        assert_ok!(Escrow::claim(signed(ANYONE), 1, NEW));
        assert_eq!(Balances::free_balance(NEW), ED + 9);
        assert_ok!(Billing::prune_agreement(signed(ANYONE), 1));
        assert!(<Billing as Seam<u64>>::is_gone(1));
        assert_eq!(Escrow::ledger(1), None);
    });
}

#[test]
fn an_asset_frozen_in_the_middle_should_stop_nobody_and_lose_nothing() {
    run(|| {
        <Billing as Seam<_>>::open(1, &ALICE, PROVIDER, COIN_PLAN, 14_000, allocation(1_000))
            .unwrap();
        <Billing as Seam<u64>>::start(1, NOW).unwrap();
        use_seconds(1, 100);
        set_frozen(true);
        use_seconds(1, 100);
        end(1, Fault::Payer);
        go_to(release_at(1));
        assert!(is_settled(1));
        assert_eq!(
            (coin_gain(PAYOUT), coin_gain(POT), coin_gain(ALICE)),
            (0, 0, -14_000)
        );
        assert_eq!(Escrow::ledger(1).unwrap().credited, 14_000);
        set_frozen(false);
        for who in [ALICE, PAYOUT, POT] {
            assert_ok!(Escrow::claim(signed(ANYONE), 1, who));
        }
        assert_eq!(
            (coin_gain(PAYOUT), coin_gain(POT), coin_gain(ALICE)),
            (2_730, 70, -2_800)
        );
    });
}

#[test]
fn prune_should_be_refused_until_its_block_and_leave_nothing_behind() {
    run(|| {
        started(1);
        use_seconds(1, 10);
        assert_noop!(
            Billing::prune_agreement(signed(ANYONE), 1),
            Error::<Test>::NotSettled
        );
        end(1, Fault::Payer);
        jump_to(release_at(1));
        assert_ok!(Billing::settle(signed(ANYONE), 1));
        let AgreementState::Settled { prune_at } = agreement(1).state else {
            panic!("not settled")
        };
        jump_to(prune_at - 1);
        assert_noop!(
            Billing::prune_agreement(signed(ANYONE), 1),
            Error::<Test>::TooEarly
        );
        assert!(!<Billing as Seam<u64>>::is_gone(1));
        jump_to(prune_at);
        assert_ok!(Billing::prune_agreement(signed(ANYONE), 1));
        assert_eq!(Agreements::<Test>::iter().count(), 0);
        assert_eq!(Books::<Test>::iter().count(), 0);
        // Its line outlives it.
        assert_eq!(Lines::<Test>::iter().count(), 1);
    });
}

#[test]
fn a_free_agreement_should_settle_with_nothing_moved() {
    run(|| {
        let free = virtengine_primitives::billing::PricePlan {
            asset: AssetKind::Native,
            rates: Default::default(),
            minimum_charge: 0,
        };
        assert_ok!(Billing::publish_plan(signed(OWNER), free));
        <Billing as Seam<_>>::open(1, &ALICE, PROVIDER, 3, 0, allocation(100)).unwrap();
        <Billing as Seam<u64>>::start(1, NOW).unwrap();
        use_seconds(1, 50);
        end(1, Fault::Payer);
        go_to(release_at(1));
        assert!(is_settled(1));
        assert_eq!(gain(ALICE), 0);
        assert_ne!(agreement(1).cumulative, Quantities::default());
    });
}
