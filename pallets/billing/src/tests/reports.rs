//! Usage reports: every way to claim too much is refused, without effect.

use crate::{mock::*, Error, Event};
use codec::Encode;
use frame_support::{assert_noop, assert_ok, BoundedVec};
use sp_runtime::DispatchError;
use virtengine_primitives::{
    billing::{Component, Fault, Quantities, UsageReport},
    blake2_256,
    calendar::{end_of, month_of},
    traits::Billing as Seam,
    Moment,
};

fn report(who: AccountId, report: UsageReport) -> sp_runtime::DispatchResult {
    Billing::report(signed(who), 1, report)
}

/// Runs with a started agreement that has one report of 100 seconds, and time enough for another.
fn metering(test: impl FnOnce(UsageReport)) {
    run(|| {
        started(1);
        use_seconds(1, 100);
        let next = full(1, 10);
        set_time(next.until);
        test(next);
    });
}

#[test]
fn report_should_move_its_price_and_say_everything() {
    metering(|next| {
        let before = agreement(1);
        assert_ok!(report(HOT, next.clone()));
        let after = agreement(1);
        let head = blake2_256(&[before.head.as_bytes(), &next.encode()].concat());
        assert_eq!(after.head, head);
        assert_eq!(
            (after.sequence, after.metered_until, after.metered_ms),
            (2, next.until, 110_000)
        );
        assert_eq!(after.cumulative, cpu_mem(440, 220_000));
        System::assert_last_event(
            Event::Reported {
                agreement: 1,
                asset: NATIVE,
                report: next,
                moved: 140,
                charged: 1_540,
                head,
            }
            .into(),
        );
    });
}

#[test]
fn report_should_be_refused_when_it_comes_from_anybody_but_a_hot_key_of_the_provider() {
    metering(|next| {
        for who in [ALICE, ANYONE, OWNER, PAYOUT, ARBITER, HOT2, OWNER2] {
            assert_noop!(report(who, next.clone()), Error::<Test>::NotAuthorized);
        }
        assert_noop!(
            Billing::report(RuntimeOrigin::root(), 1, next.clone()),
            DispatchError::BadOrigin
        );
        Suspended::insert(HOT, ());
        assert_noop!(report(HOT, next), DispatchError::Other("suspended"));
    });
}

#[test]
fn report_should_be_refused_when_what_it_pays_for_is_over_and_nobody_has_ended_it_yet() {
    metering(|next| {
        Overdue::insert(1, ());
        assert_noop!(report(HOT, next.clone()), Error::<Test>::DeadlinePassed);
        let seam = <Billing as Seam<AccountId>>::report(1, &next);
        assert_eq!(seam, Err(Error::<Test>::DeadlinePassed.into()));
        Overdue::remove(1);
        assert_ok!(report(HOT, next));
    });
}

#[test]
fn an_empty_batch_of_reports_should_weigh_as_much_as_one_report() {
    use frame_support::dispatch::GetDispatchInfo;
    let weight = |count| {
        let reports = vec![(1, full_report()); count].try_into().unwrap();
        let call = crate::Call::<Test>::report_many { reports };
        call.get_dispatch_info().call_weight
    };
    assert_eq!(weight(0), weight(1));
    assert_eq!(weight(3), weight(1) * 3);
}

fn full_report() -> UsageReport {
    UsageReport {
        sequence: 1,
        from: NOW,
        until: NOW + 1_000,
        quantities: cpu_mem(4, 2_000),
        evidence: H256::zero(),
    }
}

#[test]
fn report_should_be_refused_when_its_sequence_is_repeated_or_leaves_a_gap() {
    metering(|next| {
        for sequence in [0, 1, 3, u32::MAX] {
            let wrong = UsageReport {
                sequence,
                ..next.clone()
            };
            assert_noop!(report(HOT, wrong), Error::<Test>::SequenceMismatch);
        }
        assert_ok!(report(HOT, next.clone()));
        assert_noop!(report(HOT, next), Error::<Test>::SequenceMismatch);
    });
}

#[test]
fn report_should_be_refused_when_its_period_overlaps_or_is_empty() {
    metering(|next| {
        let period = |from: Moment, until: Moment| UsageReport {
            from,
            until,
            ..next.clone()
        };
        for (from, until) in [
            (next.from - 1, next.until),
            (NOW - 5, NOW),
            (next.from, next.from),
            (next.until, next.from),
        ] {
            assert_noop!(
                report(HOT, period(from, until)),
                Error::<Test>::PeriodOverlaps
            );
        }
    });
}

#[test]
fn report_should_be_taken_when_it_leaves_a_gap_in_time() {
    metering(|next| {
        set_time(next.until + HOUR);
        let later = UsageReport {
            from: next.from + HOUR,
            until: next.until + HOUR,
            ..next
        };
        assert_ok!(report(HOT, later));
        assert_eq!(agreement(1).metered_ms, 110_000);
    });
}

#[test]
fn report_should_be_refused_when_it_begins_before_the_start() {
    run(|| {
        open(1);
        set_time(NOW + HOUR);
        <Billing as Seam<u64>>::start(1, NOW + HOUR).unwrap();
        let early = UsageReport {
            sequence: 1,
            from: NOW + HOUR - 1,
            until: NOW + HOUR + 10_000,
            quantities: cpu_mem(1, 0),
            evidence: H256::zero(),
        };
        assert_noop!(report(HOT, early), Error::<Test>::PeriodOverlaps);
    });
}

#[test]
fn report_should_be_refused_when_nothing_has_started() {
    run(|| {
        open(1);
        let next = UsageReport {
            sequence: 1,
            from: NOW,
            until: NOW + 1_000,
            quantities: cpu_mem(1, 0),
            evidence: H256::zero(),
        };
        assert_noop!(report(HOT, next.clone()), Error::<Test>::NotMetering);
        assert_noop!(
            Billing::report(signed(HOT), 9, next),
            Error::<Test>::NotFound
        );
    });
}

#[test]
fn report_should_be_refused_when_it_is_for_the_future() {
    metering(|next| {
        set_time(next.until - 60_001);
        assert_noop!(report(HOT, next.clone()), Error::<Test>::InFuture);
        set_time(next.until - 60_000);
        assert_ok!(report(HOT, next));
    });
}

#[test]
fn report_should_be_refused_when_more_is_claimed_than_was_allocated() {
    metering(|next| {
        let claim = |quantities: Quantities| UsageReport {
            quantities,
            ..next.clone()
        };
        for (cpu, mem) in [(41, 0), (0, 20_001), (41, 20_000), (u128::MAX, 1)] {
            assert_noop!(
                report(HOT, claim(cpu_mem(cpu, mem))),
                Error::<Test>::UsageExceedsAllocation
            );
        }
        let gpu: Quantities = vec![(Component::GpuSeconds(0), 1)].try_into().unwrap();
        assert_noop!(
            report(HOT, claim(gpu)),
            Error::<Test>::ComponentNotAllocated
        );
        let swapped: Vec<_> = cpu_mem(1, 1).into_iter().rev().collect();
        let twice = vec![(Component::CpuSeconds, 1), (Component::CpuSeconds, 1)];
        for wrong in [swapped, twice] {
            assert_noop!(
                report(HOT, claim(wrong.try_into().unwrap())),
                Error::<Test>::QuantitiesMalformed
            );
        }
        assert_ok!(report(HOT, claim(cpu_mem(40, 20_000))));
    });
}

#[test]
fn report_should_be_refused_when_slivers_of_time_are_billed_as_whole_seconds() {
    run(|| {
        started(1);
        set_time(NOW + HOUR);
        let sliver = |n: u32| UsageReport {
            sequence: n,
            from: NOW + u64::from(n) * 1_000,
            until: NOW + u64::from(n) * 1_000 + 1,
            quantities: cpu_mem(4, 2_000),
            evidence: H256::zero(),
        };
        // The first millisecond is a second, rounded up; the next 999 of them are the same second.
        assert_ok!(report(HOT, sliver(1)));
        assert_noop!(
            report(HOT, sliver(2)),
            Error::<Test>::UsageExceedsAllocation
        );
        let nothing = UsageReport {
            quantities: Default::default(),
            ..sliver(2)
        };
        assert_ok!(report(HOT, nothing));
        assert_eq!(agreement(1).charged, 14);
    });
}

#[test]
fn report_should_be_refused_when_the_wall_time_is_used_up() {
    metering(|_| {
        let mut rest = full(1, 900);
        rest.until += 1;
        set_time(rest.until);
        assert_noop!(report(HOT, rest.clone()), Error::<Test>::WalltimeExceeded);
        rest.until -= 1;
        assert_ok!(report(HOT, rest.clone()));
        let mut more = full(1, 1);
        set_time(more.until);
        more.quantities = Default::default();
        assert_noop!(report(HOT, more), Error::<Test>::WalltimeExceeded);
        assert_eq!(agreement(1).charged, 14_000);
    });
}

#[test]
fn report_should_be_refused_when_it_crosses_a_month() {
    run(|| {
        let midnight = end_of(NOVEMBER);
        set_time(midnight - 50_000);
        started(1);
        set_time(midnight + HOUR);
        let crossing = full(1, 51);
        assert_noop!(report(HOT, crossing), Error::<Test>::PeriodCrossesMonth);
        // The end is exclusive: up to midnight exactly is November.
        assert_ok!(report(HOT, full(1, 50)));
        assert_eq!(agreement(1).metered_until, midnight);
        assert_ok!(report(HOT, full(1, 1)));
        assert_eq!(month_of(midnight), NOVEMBER + 1);
    });
}

#[test]
fn report_many_should_take_the_good_ones_and_reject_the_others_without_effect() {
    run(|| {
        started(1);
        started(2);
        open(3);
        <Billing as Seam<_>>::open(4, &BOB, PROVIDER2, PLAN2, 14_000, allocation(1_000)).unwrap();
        <Billing as Seam<u64>>::start(4, NOW).unwrap();
        set_time(NOW + HOUR);
        let good = full(1, 10);
        let mut greedy = full(2, 10);
        greedy.quantities = cpu_mem(41, 0);
        let second = UsageReport {
            sequence: 2,
            from: good.until,
            until: good.until + 10_000,
            ..good.clone()
        };
        let batch = vec![
            (1, good.clone()),
            (2, greedy),
            (1, second),
            (3, good.clone()),
            (4, full(4, 10)),
            (9, good),
        ];
        let untouched = (agreement(2), agreement(3), agreement(4));
        assert_ok!(Billing::report_many(
            signed(HOT),
            BoundedVec::truncate_from(batch.clone())
        ));
        assert_eq!((agreement(1).sequence, agreement(1).charged), (2, 280));
        assert_eq!((agreement(2), agreement(3), agreement(4)), untouched);
        for (agreement, sequence, error) in [
            (2, 1, Error::<Test>::UsageExceedsAllocation),
            (3, 1, Error::<Test>::NotMetering),
            (4, 1, Error::<Test>::NotAuthorized),
            (9, 1, Error::<Test>::NotFound),
        ] {
            System::assert_has_event(
                Event::ReportRejected {
                    agreement,
                    sequence,
                    error: error.into(),
                }
                .into(),
            );
        }
        assert_noop!(
            Billing::report_many(signed(OWNER), BoundedVec::truncate_from(batch)),
            Error::<Test>::NotAuthorized
        );
        end(2, Fault::Payer);
    });
}
