use super::*;
use virtengine_primitives::{
    billing::{add_quantities, Rate},
    AssetKind,
};

const START: Moment = 1_795_392_000_000; // 2026-11-23, 00:00 UTC

fn resources(tasks: u32) -> Resources {
    Resources {
        nodes: 1,
        cpus: 2,
        memory_mib: 100,
        gpus: 0,
        gpu_type: 0,
        array_tasks: tasks,
    }
}

fn standing() -> Standing {
    Standing {
        sequence: 0,
        earliest: START,
        metered_ms: 0,
        left_ms: 3_600_000,
        cumulative: Quantities::default(),
    }
}

fn attempt(from: u64, until: Option<u64>) -> Attempt {
    Attempt {
        from: START + from,
        until: until.map(|u| START + u),
        billable: true,
    }
}

fn cpu(due: &Due) -> u128 {
    due.quantities
        .iter()
        .find(|(c, _)| *c == Component::CpuSeconds)
        .map_or(0, |(_, q)| *q)
}

fn take(standing: &mut Standing, due: &Due) {
    assert_eq!(due.sequence, standing.sequence + 1);
    assert!(due.from >= standing.earliest && due.from < due.until);
    assert_eq!(
        calendar::month_of(due.from),
        calendar::month_of(due.until - 1)
    );
    standing.sequence = due.sequence;
    standing.earliest = due.until;
    standing.left_ms -= due.until - due.from;
    standing.metered_ms += due.until - due.from;
    standing.cumulative = add_quantities(&standing.cumulative, &due.quantities).unwrap();
}

#[test]
fn usage_should_be_allocated_times_elapsed_when_a_job_ran() {
    let due = next(
        &standing(),
        START,
        &resources(1),
        &[attempt(0, Some(10_900))],
        START + 60_000,
    )
    .unwrap();
    assert_eq!(
        (due.sequence, due.from, due.until),
        (1, START, START + 10_900)
    );
    let expected = [
        (Component::CpuSeconds, 20),
        (Component::MemoryMibSeconds, 1000),
        (Component::NodeSeconds, 10),
    ];
    assert_eq!(due.quantities.to_vec(), expected);
}

#[test]
fn no_second_should_be_lost_when_the_scheduler_rounds_a_start_below_the_acceptance() {
    for fraction in [1, 400, 999] {
        let started = START + fraction;
        let mut standing = Standing {
            earliest: started,
            ..standing()
        };
        let mut all = 0;
        // Reported twice while it runs and once after its end.
        for (now, attempt) in [
            (2_500, attempt(0, None)),
            (4_100, attempt(0, None)),
            (9_000, attempt(0, Some(6_000))),
        ] {
            let due = next(&standing, started, &resources(1), &[attempt], START + now).unwrap();
            all += cpu(&due);
            take(&mut standing, &due);
        }
        assert_eq!(all, 12, "2 cores for 6 s, accepted at {fraction} ms");
    }
}

#[test]
fn usage_should_not_count_seconds_before_the_one_of_the_acceptance() {
    let started = START + 3_400;
    let standing = Standing {
        earliest: started,
        ..standing()
    };
    let ran = [attempt(0, Some(6_000))];
    let due = next(&standing, started, &resources(1), &ran, START + 9_000).unwrap();
    assert_eq!((due.from, cpu(&due)), (started, 6));
}

#[test]
fn usage_should_be_the_same_when_cut_into_many_reports() {
    let attempts = [attempt(0, Some(100_700))];
    for step in [700, 999, 1_000, 1_001, 3_333, 30_000] {
        let mut standing = standing();
        let mut now = START;
        while now < START + 200_000 {
            now += step;
            while let Some(due) = next(&standing, START, &resources(1), &attempts, now) {
                let cap = 2 * u128::from((due.until - due.from).div_ceil(1000));
                assert!(
                    cpu(&due) <= cap,
                    "the chain refuses more than allocated x period"
                );
                take(&mut standing, &due);
            }
        }
        assert_eq!(
            standing.cumulative[0],
            (Component::CpuSeconds, 200),
            "step {step}"
        );
    }
}

#[test]
fn nothing_should_be_due_when_less_than_a_second_is_new() {
    assert_eq!(
        next(
            &standing(),
            START,
            &resources(1),
            &[attempt(0, Some(900))],
            START + 60_000
        ),
        None
    );
    assert_eq!(
        next(&standing(), START, &resources(1), &[], START + 60_000),
        None
    );
    assert_eq!(
        next(
            &standing(),
            START,
            &resources(1),
            &[attempt(0, None)],
            START
        ),
        None
    );
}

#[test]
fn usage_should_stop_at_the_walltime_when_the_scheduler_was_slow_to_stop_it() {
    let mut limited = standing();
    limited.left_ms = 5_000;
    let due = next(
        &limited,
        START,
        &resources(1),
        &[attempt(0, Some(9_000))],
        START + 60_000,
    )
    .unwrap();
    assert_eq!((due.until, cpu(&due)), (START + 5_000, 10));
    take(&mut limited, &due);
    assert_eq!(
        next(
            &limited,
            START,
            &resources(1),
            &[attempt(0, Some(9_000))],
            START + 60_000
        ),
        None
    );
}

#[test]
fn usage_should_leave_gaps_out_when_a_job_was_requeued() {
    let attempts = [attempt(0, Some(4_000)), attempt(10_000, Some(13_000))];
    let mut standing = standing();
    let first = next(&standing, START, &resources(1), &attempts, START + 60_000).unwrap();
    assert_eq!(
        (first.from, first.until, cpu(&first)),
        (START, START + 4_000, 8)
    );
    take(&mut standing, &first);
    let second = next(&standing, START, &resources(1), &attempts, START + 60_000).unwrap();
    assert_eq!(
        (second.from, second.until, cpu(&second)),
        (START + 10_000, START + 13_000, 6)
    );
    take(&mut standing, &second);
    assert_eq!(
        next(&standing, START, &resources(1), &attempts, START + 60_000),
        None
    );
}

#[test]
fn usage_should_stay_within_all_periods_when_many_attempts_are_shorter_than_a_second() {
    let mut standing = standing();
    let lengths = [1_000, 900, 200, 850, 100, 300, 990, 400];
    let mut attempts = Vec::new();
    for (i, length) in lengths.into_iter().enumerate() {
        let from = 10_000 * i as u64;
        attempts.push(attempt(from, Some(from + length)));
        while let Some(due) = next(
            &standing,
            START,
            &resources(1),
            &attempts,
            START + from + 5_000,
        ) {
            take(&mut standing, &due);
            let most = 2 * u128::from(standing.metered_ms.div_ceil(1000));
            assert!(
                standing.cumulative[0].1 <= most,
                "the chain refuses more than allocated x all periods"
            );
        }
    }
    assert!(standing.cumulative[0].1 <= 2 * 4);
}

#[test]
fn usage_should_be_given_back_by_later_reports_when_an_attempt_turns_out_not_to_count() {
    let mut standing = standing();
    let first = next(
        &standing,
        START,
        &resources(1),
        &[attempt(0, None)],
        START + 4_000,
    )
    .unwrap();
    take(&mut standing, &first);
    let failed = Attempt {
        billable: false,
        ..attempt(0, Some(5_000))
    };
    let second = next(
        &standing,
        START,
        &resources(1),
        &[failed, attempt(8_000, None)],
        START + 18_000,
    )
    .unwrap();
    assert_eq!(cpu(&second), 2 * (10 - 4));
}

#[test]
fn usage_should_stay_within_its_periods_when_accounting_shows_an_attempt_late() {
    let mut standing = standing();
    let (first, second) = (attempt(0, Some(100_000)), attempt(200_000, Some(300_000)));
    let now = START + 300_000;
    // slurmdbd was away: the requeued attempt is there, the one before it is not yet.
    let due = next(&standing, START, &resources(1), &[second], now).unwrap();
    take(&mut standing, &due);
    assert_eq!((cpu(&due), due.from), (200, START + 200_000));
    // Its time has passed on chain; nothing may be reported for it, and nothing is reported twice.
    assert_eq!(
        next(&standing, START, &resources(1), &[first, second], now),
        None
    );
    // An attempt after that carries what fits its own period and no more.
    let third = attempt(400_000, Some(450_000));
    let all = [first, second, third];
    let due = next(&standing, START, &resources(1), &all, START + 500_000).unwrap();
    take(&mut standing, &due);
    assert_eq!(cpu(&due), 100);
    assert_eq!(
        next(&standing, START, &resources(1), &all, START + 900_000),
        None
    );
}

#[test]
fn usage_should_be_that_of_the_paid_attempts_when_a_node_failed_and_another_was_preempted() {
    let mut standing = standing();
    let lost = Attempt {
        billable: false,
        ..attempt(0, Some(90_000))
    };
    let pushed = Attempt {
        billable: false,
        ..attempt(100_000, Some(130_000))
    };
    let all = [lost, pushed, attempt(200_000, Some(260_000))];
    let mut billed = 0;
    while let Some(due) = next(&standing, START, &resources(1), &all, START + 300_000) {
        take(&mut standing, &due);
        billed += cpu(&due);
    }
    assert_eq!((billed, standing.metered_ms), (120, 60_000));
}

#[test]
fn usage_should_be_split_at_the_edge_of_the_month() {
    let edge = calendar::end_of(calendar::month_of(START));
    let from = edge - 10_000;
    let attempts = [Attempt {
        from,
        until: Some(edge + 5_000),
        billable: true,
    }];
    let mut standing = Standing {
        earliest: from,
        ..standing()
    };
    let first = next(&standing, from, &resources(1), &attempts, edge + 60_000).unwrap();
    assert_eq!((first.until, cpu(&first)), (edge, 20));
    take(&mut standing, &first);
    let second = next(&standing, from, &resources(1), &attempts, edge + 60_000).unwrap();
    assert_eq!(
        (second.from, second.until, cpu(&second)),
        (edge, edge + 5_000, 10)
    );
}

#[test]
fn usage_should_add_up_over_tasks_when_the_job_is_an_array() {
    let attempts = [
        attempt(0, Some(4_000)),
        attempt(0, Some(6_000)),
        attempt(5_000, Some(9_000)),
    ];
    let due = next(&standing(), START, &resources(3), &attempts, START + 60_000).unwrap();
    assert_eq!((due.from, due.until), (START, START + 9_000));
    assert_eq!(cpu(&due), 2 * (4 + 6 + 4));
}

#[test]
fn time_limit_should_be_what_the_ceiling_pays_for() {
    let rates = vec![Rate {
        component: Component::CpuSeconds,
        price_per_million: 3_000_000,
    }];
    let plan = PricePlan {
        asset: AssetKind::Native,
        rates: rates.try_into().unwrap(),
        minimum_charge: 0,
    };
    let per_second = resources(1).per_second().unwrap();
    let none = Quantities::default();
    assert_eq!(
        affordable_seconds(&plan, &per_second, &none, 600, 3600),
        100
    );
    assert_eq!(
        affordable_seconds(&plan, &per_second, &none, 605, 3600),
        100
    );
    assert_eq!(affordable_seconds(&plan, &per_second, &none, 600, 60), 60);
    assert_eq!(affordable_seconds(&plan, &per_second, &none, 5, 60), 0);
    let used: Quantities = vec![(Component::CpuSeconds, 100)].try_into().unwrap();
    assert_eq!(affordable_seconds(&plan, &per_second, &used, 600, 3600), 50);
    let dear = vec![Rate {
        component: Component::CpuSeconds,
        price_per_million: u128::MAX,
    }];
    let dear = PricePlan {
        rates: dear.try_into().unwrap(),
        ..plan
    };
    assert_eq!(
        affordable_seconds(&dear, &per_second, &none, u128::MAX, 60),
        0,
        "overflow affords nothing"
    );
}
