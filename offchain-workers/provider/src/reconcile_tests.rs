use super::*;
use virtengine_primitives::{
    billing::UsageReport,
    hpc::{DeclineReason, EndReason, TaskCounts},
};

#[path = "reconcile_tests/ended.rs"]
mod ended;
#[path = "reconcile_tests/guesses.rs"]
mod guesses;
#[path = "reconcile_tests/tip.rs"]
mod tip;

const NOW: Now = Now {
    block: 100,
    moment: 1_000_000,
};
const INTERVALS: Intervals = Intervals {
    report: 30_000,
    log: 2_000,
    cancel: 10_000,
    retention: 60_000,
};
const SETTLED: Observed = Observed::Ended(Settlement::Settled);
const UNSETTLED: [Settlement; 4] = [
    Settlement::Unknown,
    Settlement::Pending,
    Settlement::Disputed {
        evidence_by: NOW.block + 1,
    },
    Settlement::Disputed {
        evidence_by: NOW.block,
    },
];
const ALIVE: [InScheduler; 2] = [InScheduler::Pending, InScheduler::Running { since: 5 }];

fn open(state: JobState) -> Observed {
    Observed::Open(OnChain {
        state,
        deadline: 200,
        cancel_requested: false,
        started: state == JobState::Running,
    })
}

fn cancelling(state: JobState) -> Observed {
    Observed::Open(OnChain {
        state,
        deadline: 200,
        cancel_requested: true,
        started: state == JobState::Running,
    })
}

fn late(state: JobState) -> Observed {
    Observed::Open(OnChain {
        state,
        deadline: 100,
        cancel_requested: false,
        started: state == JobState::Running,
    })
}

/// Assigned for good, and this in a block that may still be replaced.
fn in_the_tip(state: JobState, cancel_requested: bool) -> Observed {
    Observed::Ahead(OnChain {
        state,
        deadline: 200,
        cancel_requested,
        started: state == JobState::Running,
    })
}

fn job() -> LocalJob {
    LocalJob::new(7, 1)
}

fn admitted() -> LocalJob {
    LocalJob {
        admission: Some(Admission::Accept),
        ..job()
    }
}

fn staged() -> LocalJob {
    LocalJob {
        staged: true,
        ..admitted()
    }
}

fn submitted() -> LocalJob {
    LocalJob {
        submission: Submission::Done,
        ..staged()
    }
}

fn end_of(reason: EndReason) -> JobEnd {
    JobEnd {
        reason,
        exit_code: 0,
        tasks: TaskCounts::default(),
        result: None,
    }
}

fn ended(reason: EndReason) -> LocalJob {
    LocalJob {
        end: Some(end_of(reason)),
        ..submitted()
    }
}

fn step(observed: &Observed, local: &LocalJob, scheduler: InScheduler) -> Action {
    reconcile(observed, Some(local), scheduler, &INTERVALS, NOW)
}

#[test]
fn an_ordinary_job_should_pass_every_step_in_order() {
    use InScheduler::*;
    let quiet = LocalJob {
        reported_at: Some(NOW.moment),
        logged_at: Some(NOW.moment),
        ..submitted()
    };
    let metered = LocalJob {
        metered_out: true,
        ..ended(EndReason::Completed)
    };
    let intended = LocalJob {
        submission: Submission::Intended,
        ..staged()
    };
    let retired = LocalJob {
        retired_at: Some(NOW.moment - INTERVALS.retention),
        ..submitted()
    };
    let assert = |observed: Observed, local: &LocalJob, scheduler, expected: Action| {
        assert_eq!(
            step(&observed, local, scheduler),
            expected,
            "{observed:?} {local:?} {scheduler:?}"
        );
    };
    assert(open(JobState::Assigned), &job(), Unknown, Action::Admit);
    assert(
        open(JobState::Assigned),
        &admitted(),
        Unknown,
        Action::Accept,
    );
    assert(open(JobState::Accepted), &admitted(), Absent, Action::Stage);
    assert(open(JobState::Accepted), &staged(), Absent, Action::Submit);
    assert(
        open(JobState::Staging),
        &intended,
        Pending,
        Action::MarkSubmitted,
    );
    assert(
        open(JobState::Staging),
        &submitted(),
        Pending,
        Action::Update(JobProgress::Queued),
    );
    assert(open(JobState::Queued), &submitted(), Pending, Action::Wait);
    assert(
        open(JobState::Queued),
        &submitted(),
        Running { since: 5 },
        Action::Update(JobProgress::Running(5)),
    );
    assert(
        open(JobState::Running),
        &submitted(),
        Running { since: 5 },
        Action::Meter { last: false },
    );
    let reported = LocalJob {
        logged_at: None,
        ..quiet.clone()
    };
    assert(
        open(JobState::Running),
        &reported,
        Running { since: 5 },
        Action::Log,
    );
    assert(
        open(JobState::Running),
        &quiet,
        Running { since: 5 },
        Action::Wait,
    );
    assert(
        open(JobState::Running),
        &quiet,
        Ended { since: Some(5) },
        Action::Collect(Cause::Scheduler),
    );
    let last = Action::Meter { last: true };
    assert(
        open(JobState::Running),
        &ended(EndReason::Completed),
        Ended { since: Some(5) },
        last,
    );
    let complete = Action::Complete(end_of(EndReason::Completed));
    assert(
        open(JobState::Running),
        &metered,
        Ended { since: Some(5) },
        complete,
    );
    assert(SETTLED, &metered, Ended { since: Some(5) }, Action::Retire);
    assert(SETTLED, &retired, Ended { since: Some(5) }, Action::Clean);
}

#[test]
fn reconcile_should_adopt_when_a_job_is_new_and_wait_when_it_was_never_ours() {
    for state in [JobState::Assigned, JobState::Accepted, JobState::Running] {
        assert_eq!(
            reconcile(&open(state), None, InScheduler::Unknown, &INTERVALS, NOW),
            Action::Adopt
        );
    }
    for observed in [SETTLED, Observed::Elsewhere, Observed::Gone] {
        assert_eq!(
            reconcile(&observed, None, InScheduler::Unknown, &INTERVALS, NOW),
            Action::Wait
        );
    }
}

#[test]
fn reconcile_should_do_nothing_when_the_scheduler_is_unknown() {
    let records = [
        admitted(),
        staged(),
        submitted(),
        LocalJob {
            submission: Submission::Intended,
            ..staged()
        },
    ];
    let states = [
        JobState::Accepted,
        JobState::Staging,
        JobState::Queued,
        JobState::Running,
    ];
    for local in &records {
        for state in states {
            for observed in [open(state), cancelling(state), late(state)] {
                assert_eq!(
                    step(&observed, local, InScheduler::Unknown),
                    Action::Wait,
                    "{observed:?} {local:?}"
                );
            }
        }
    }
    for observed in [SETTLED, Observed::Elsewhere, Observed::Gone] {
        assert_eq!(
            step(&observed, &submitted(), InScheduler::Unknown),
            Action::Wait
        );
        let old = LocalJob {
            retired_at: Some(0),
            ..submitted()
        };
        assert_eq!(step(&observed, &old, InScheduler::Unknown), Action::Wait);
    }
}

#[test]
fn reconcile_should_not_submit_twice_when_it_died_between_submitting_and_recording() {
    let intended = LocalJob {
        submission: Submission::Intended,
        ..staged()
    };
    assert_eq!(
        step(&open(JobState::Accepted), &intended, InScheduler::Absent),
        Action::Submit
    );
    for there in [
        InScheduler::Pending,
        InScheduler::Running { since: 1 },
        InScheduler::Ended { since: Some(1) },
    ] {
        assert_eq!(
            step(&open(JobState::Accepted), &intended, there),
            Action::MarkSubmitted
        );
        // The same when the worker's own record was lost altogether.
        assert_eq!(
            step(&open(JobState::Running), &job(), there),
            Action::MarkSubmitted
        );
    }
}

#[test]
fn reconcile_should_give_a_job_up_when_it_vanished_from_the_scheduler() {
    for state in [JobState::Queued, JobState::Running] {
        assert_eq!(
            step(&open(state), &submitted(), InScheduler::Absent),
            Action::Collect(Cause::Lost)
        );
    }
    assert_eq!(
        step(&open(JobState::Running), &job(), InScheduler::Absent),
        Action::Collect(Cause::Lost)
    );
}

#[test]
fn reconcile_should_begin_again_when_the_record_was_lost_before_the_start() {
    for state in [JobState::Accepted, JobState::Staging, JobState::Queued] {
        assert_eq!(
            step(&open(state), &job(), InScheduler::Absent),
            Action::Stage
        );
    }
}

#[test]
fn reconcile_should_stop_the_job_when_cancelled_and_repeat_only_after_a_while() {
    for alive in ALIVE {
        assert_eq!(
            step(&cancelling(JobState::Running), &submitted(), alive),
            Action::Cancel
        );
        let asked = LocalJob {
            cancelled_at: Some(NOW.moment - 1),
            ..submitted()
        };
        assert_eq!(
            step(&cancelling(JobState::Running), &asked, alive),
            Action::Wait
        );
        let long_ago = LocalJob {
            cancelled_at: Some(NOW.moment - INTERVALS.cancel),
            ..submitted()
        };
        assert_eq!(
            step(&cancelling(JobState::Running), &long_ago, alive),
            Action::Cancel
        );
    }
    for local in [
        job(),
        admitted(),
        staged(),
        LocalJob {
            submission: Submission::Intended,
            ..staged()
        },
    ] {
        let expected = Action::Collect(Cause::CancelledEarly);
        assert_eq!(
            step(&cancelling(JobState::Accepted), &local, InScheduler::Absent),
            expected
        );
    }
    let ended = InScheduler::Ended { since: Some(5) };
    let expected = Action::Collect(Cause::Scheduler);
    assert_eq!(
        step(&cancelling(JobState::Running), &submitted(), ended),
        expected
    );
}

#[test]
fn reconcile_should_report_the_start_when_the_job_ended_between_two_looks() {
    let ended = InScheduler::Ended { since: Some(5) };
    for state in [JobState::Accepted, JobState::Staging, JobState::Queued] {
        assert_eq!(
            step(&open(state), &submitted(), ended),
            Action::Update(JobProgress::Running(5))
        );
        let never = InScheduler::Ended { since: None };
        assert_eq!(
            step(&open(state), &submitted(), never),
            Action::Collect(Cause::Scheduler)
        );
    }
}

#[test]
fn reconcile_should_not_report_a_start_when_the_customer_cancelled_before_the_chain_knew() {
    let ended = InScheduler::Ended { since: Some(5) };
    let expected = Action::Collect(Cause::Scheduler);
    assert_eq!(
        step(&cancelling(JobState::Queued), &submitted(), ended),
        expected
    );
    // And nothing is metered, because nothing can be reported.
    let expected = Action::Complete(end_of(EndReason::Cancelled));
    assert_eq!(
        step(&cancelling(JobState::Queued), &ended_as_cancelled(), ended),
        expected
    );
}

#[test]
fn reconcile_should_meter_when_a_requeued_job_ended_in_the_queue() {
    let requeued = Observed::Open(OnChain {
        state: JobState::Queued,
        deadline: 200,
        cancel_requested: false,
        started: true,
    });
    let ended = InScheduler::Ended { since: Some(5) };
    assert_eq!(
        step(&requeued, &submitted(), ended),
        Action::Collect(Cause::Scheduler)
    );
    assert_eq!(
        step(&requeued, &ended_as_cancelled(), ended),
        Action::Meter { last: true }
    );
}

fn ended_as_cancelled() -> LocalJob {
    ended(EndReason::Cancelled)
}

#[test]
fn reconcile_should_tell_the_chain_when_a_running_job_went_back_to_the_queue() {
    let expected = Action::Update(JobProgress::Queued);
    assert_eq!(
        step(&open(JobState::Running), &submitted(), InScheduler::Pending),
        expected
    );
}

#[test]
fn reconcile_should_neither_start_nor_speak_when_the_deadline_has_come() {
    assert_eq!(
        step(&late(JobState::Assigned), &job(), InScheduler::Unknown),
        Action::Wait
    );
    assert_eq!(
        step(&late(JobState::Assigned), &admitted(), InScheduler::Unknown),
        Action::Wait
    );
    for state in [
        JobState::Accepted,
        JobState::Staging,
        JobState::Queued,
        JobState::Running,
    ] {
        for local in [
            admitted(),
            staged(),
            submitted(),
            ended(EndReason::Completed),
        ] {
            assert_eq!(
                step(&late(state), &local, InScheduler::Absent),
                Action::Wait
            );
        }
        for alive in ALIVE {
            assert_eq!(
                step(&late(state), &submitted(), alive),
                Action::Cancel,
                "beyond the ceiling nothing runs"
            );
        }
    }
    let just_in_time = Observed::Open(OnChain {
        state: JobState::Assigned,
        deadline: 101,
        cancel_requested: false,
        started: false,
    });
    assert_eq!(
        step(&just_in_time, &admitted(), InScheduler::Unknown),
        Action::Accept
    );
}

#[test]
fn reconcile_should_report_more_often_when_the_deadline_is_near() {
    let local = LocalJob {
        reported_at: Some(NOW.moment - 6_000),
        logged_at: Some(NOW.moment),
        ..submitted()
    };
    let running = InScheduler::Running { since: 5 };
    let by = |deadline| {
        Observed::Open(OnChain {
            state: JobState::Running,
            deadline,
            cancel_requested: false,
            started: true,
        })
    };
    assert_eq!(step(&by(200), &local, running), Action::Wait);
    assert_eq!(
        step(&by(120), &local, running),
        Action::Meter { last: false }
    );
}

#[test]
fn reconcile_should_decline_when_the_check_said_so() {
    let local = LocalJob {
        admission: Some(Admission::Decline(DeclineReason::NotAllowed)),
        ..job()
    };
    assert_eq!(
        step(&open(JobState::Assigned), &local, InScheduler::Unknown),
        Action::Decline(DeclineReason::NotAllowed)
    );
}

#[test]
fn reconcile_should_send_an_unfinished_report_again_when_it_is_on_its_way() {
    let report = UsageReport {
        sequence: 1,
        from: 0,
        until: 1,
        quantities: Default::default(),
        evidence: Default::default(),
    };
    let expected = Action::Report(report.clone());
    let local = LocalJob {
        outgoing: Some(report),
        reported_at: Some(NOW.moment),
        ..submitted()
    };
    for scheduler in [
        InScheduler::Running { since: 5 },
        InScheduler::Ended { since: Some(5) },
    ] {
        assert_eq!(step(&open(JobState::Running), &local, scheduler), expected);
    }
    let ending = LocalJob {
        end: Some(end_of(EndReason::Completed)),
        ..local
    };
    assert_eq!(
        step(&open(JobState::Running), &ending, InScheduler::Unknown),
        expected
    );
}

#[test]
fn reconcile_should_report_no_usage_when_the_end_was_the_providers_fault() {
    for reason in [
        EndReason::NodeFailure,
        EndReason::BootFailure,
        EndReason::Preempted,
        EndReason::ProviderFailure,
    ] {
        let expected = Action::Complete(end_of(reason));
        assert_eq!(
            step(
                &open(JobState::Running),
                &ended(reason),
                InScheduler::Unknown
            ),
            expected
        );
    }
    for reason in [
        EndReason::Failed,
        EndReason::OutOfMemory,
        EndReason::TimedOut,
        EndReason::Cancelled,
    ] {
        let scheduler = InScheduler::Ended { since: Some(5) };
        assert_eq!(
            step(&open(JobState::Running), &ended(reason), scheduler),
            Action::Meter { last: true }
        );
        assert_eq!(
            step(
                &open(JobState::Running),
                &ended(reason),
                InScheduler::Unknown
            ),
            Action::Wait
        );
        // It never started on chain: nothing to meter.
        let expected = Action::Complete(end_of(reason));
        assert_eq!(
            step(
                &open(JobState::Accepted),
                &ended(reason),
                InScheduler::Absent
            ),
            expected
        );
    }
}

#[test]
fn a_job_should_be_taken_for_untouched_only_when_nothing_but_a_start_can_follow() {
    assert!(is_untouched(&open(JobState::Accepted), &admitted()));
    assert!(is_untouched(&open(JobState::Accepted), &staged()));
    assert!(is_untouched(
        &in_the_tip(JobState::Accepted, false),
        &admitted()
    ));
    let others = [
        (open(JobState::Assigned), admitted()),
        (open(JobState::Queued), admitted()),
        (cancelling(JobState::Accepted), admitted()),
        (Observed::Gone, admitted()),
        // The record was made after the acceptance: whoever lost the one before may have handed the job over.
        (open(JobState::Accepted), job()),
        (open(JobState::Accepted), submitted()),
        (
            open(JobState::Accepted),
            LocalJob {
                submission: Submission::Intended,
                ..admitted()
            },
        ),
        (open(JobState::Accepted), ended_as_cancelled()),
    ];
    for (observed, local) in others {
        assert!(!is_untouched(&observed, &local), "{observed:?} {local:?}");
        assert!(
            needs_scheduler(&observed, Some(&local))
                || local.submission == Submission::None
                || local.end.is_some()
        );
    }
    assert!(!needs_scheduler(&open(JobState::Accepted), Some(&staged())));
}
