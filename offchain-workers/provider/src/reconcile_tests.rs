use super::*;
use virtengine_primitives::{
    billing::UsageReport,
    hpc::{DeclineReason, EndReason, TaskCounts},
};

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
const ALIVE: [InScheduler; 2] = [InScheduler::Pending, InScheduler::Running { since: 5 }];

fn open(state: JobState) -> Observed {
    Observed::Open {
        state,
        deadline: 200,
        cancel_requested: false,
        started: state == JobState::Running,
    }
}

fn cancelling(state: JobState) -> Observed {
    Observed::Open {
        state,
        deadline: 200,
        cancel_requested: true,
        started: state == JobState::Running,
    }
}

fn late(state: JobState) -> Observed {
    Observed::Open {
        state,
        deadline: 100,
        cancel_requested: false,
        started: state == JobState::Running,
    }
}

/// Assigned for good, and this in a block that may still be replaced.
fn in_the_tip(state: JobState, cancel_requested: bool) -> Observed {
    Observed::Ahead {
        state,
        deadline: 200,
        cancel_requested,
        started: state == JobState::Running,
    }
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
    let requeued = Observed::Open {
        state: JobState::Queued,
        deadline: 200,
        cancel_requested: false,
        started: true,
    };
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
    let just_in_time = Observed::Open {
        state: JobState::Assigned,
        deadline: 101,
        cancel_requested: false,
        started: false,
    };
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
    let by = |deadline| Observed::Open {
        state: JobState::Running,
        deadline,
        cancel_requested: false,
        started: true,
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
fn reconcile_should_stop_and_remove_when_the_chain_is_done_with_the_job() {
    for observed in [SETTLED, Observed::Elsewhere, Observed::Gone] {
        for alive in ALIVE {
            assert_eq!(step(&observed, &submitted(), alive), Action::Cancel);
        }
        assert_eq!(
            step(&observed, &submitted(), InScheduler::Absent),
            Action::Retire
        );
        assert_eq!(
            step(&observed, &job(), InScheduler::Unknown),
            Action::Retire,
            "nothing was ever submitted"
        );
    }
    let fresh = LocalJob {
        retired_at: Some(NOW.moment),
        ..submitted()
    };
    assert_eq!(step(&SETTLED, &fresh, InScheduler::Absent), Action::Wait);
    assert_eq!(
        step(&Observed::Gone, &fresh, InScheduler::Absent),
        Action::Wait
    );
    assert_eq!(
        step(&Observed::Elsewhere, &fresh, InScheduler::Absent),
        Action::Clean
    );
    // Something still runs under an old record: it is stopped before anything is removed.
    let old = LocalJob {
        retired_at: Some(0),
        ..submitted()
    };
    assert_eq!(step(&SETTLED, &old, InScheduler::Pending), Action::Cancel);
}

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

#[test]
fn reconcile_should_answer_a_dispute_once_and_in_time_only() {
    use InScheduler::*;
    let answer = sp_core::H256([3; 32]);
    let [unknown, pending, disputed, too_late] = UNSETTLED.map(Observed::Ended);
    let running = submitted();
    let stopping = LocalJob {
        cancelled_at: Some(NOW.moment),
        ..submitted()
    };
    let retired = LocalJob {
        retired_at: Some(0),
        ..submitted()
    };
    let prepared = LocalJob {
        opening: Some(answer),
        ..retired.clone()
    };
    let table = [
        // Retired or not, and whatever the scheduler says: the window does not wait.
        (&disputed, &running, Absent, Action::Disclose),
        (&disputed, &running, Unknown, Action::Disclose),
        (&disputed, &retired, Unknown, Action::Disclose),
        (&disputed, &prepared, Unknown, Action::OpenEvidence(answer)),
        (
            &disputed,
            &prepared,
            Ended { since: None },
            Action::OpenEvidence(answer),
        ),
        // What still runs is stopped first, which takes a moment; the answer does not wait for it to be gone.
        (&disputed, &running, Pending, Action::Cancel),
        (&disputed, &stopping, Pending, Action::Disclose),
        // Too late, answered already, or not known: nothing is sent.
        (&too_late, &prepared, Unknown, Action::Wait),
        (&too_late, &retired, Absent, Action::Wait),
        (&pending, &prepared, Unknown, Action::Wait),
        (&unknown, &prepared, Unknown, Action::Wait),
        (&Observed::Gone, &prepared, Absent, Action::Clean),
        (&SETTLED, &prepared, Absent, Action::Clean),
    ];
    for (observed, local, scheduler, expected) in table {
        assert_eq!(
            step(observed, local, scheduler),
            expected,
            "{observed:?} {local:?} {scheduler:?}"
        );
    }
}

#[test]
fn reconcile_should_keep_an_ended_job_when_its_money_has_not_been_moved() {
    let old = LocalJob {
        retired_at: Some(0),
        ..submitted()
    };
    for settlement in UNSETTLED {
        let observed = Observed::Ended(settlement);
        for scheduler in [
            InScheduler::Unknown,
            InScheduler::Absent,
            InScheduler::Ended { since: Some(1) },
        ] {
            assert_ne!(step(&observed, &old, scheduler), Action::Clean);
        }
        assert!(
            !needs_scheduler(&observed, Some(&old)),
            "the scheduler is left in peace for as long as nothing can be removed"
        );
        // That the chain is done with the work is recorded all the same.
        if !matches!(settlement, Settlement::Disputed { evidence_by } if NOW.block < evidence_by) {
            assert_eq!(
                step(&observed, &submitted(), InScheduler::Absent),
                Action::Retire
            );
        }
    }
    assert!(needs_scheduler(&SETTLED, Some(&old)));
    assert_eq!(step(&SETTLED, &old, InScheduler::Absent), Action::Clean);
}

#[test]
fn reconcile_should_start_a_job_when_its_acceptance_is_included_and_not_yet_final() {
    use InScheduler::*;
    let accepted = in_the_tip(JobState::Accepted, false);
    assert_eq!(step(&accepted, &admitted(), Absent), Action::Stage);
    assert_eq!(step(&accepted, &staged(), Absent), Action::Submit);
    let intended = LocalJob {
        submission: Submission::Intended,
        ..staged()
    };
    assert_eq!(
        step(&accepted, &intended, Pending),
        Action::MarkSubmitted,
        "killed between"
    );
    assert_eq!(
        step(&accepted, &submitted(), Running { since: 9 }),
        Action::Update(JobProgress::Running(9))
    );
    // Whatever cannot be taken back waits until it is final.
    let running = in_the_tip(JobState::Running, false);
    for scheduler in [Running { since: 9 }, Ended { since: Some(9) }, Absent] {
        assert_eq!(step(&running, &submitted(), scheduler), Action::Wait);
    }
    assert_eq!(
        step(&running, &ended(EndReason::Completed), Absent),
        Action::Wait
    );
    // Nor is anything begun that the customer wants to end, or stopped for it.
    let cancelled = in_the_tip(JobState::Accepted, true);
    for (local, scheduler) in [
        (staged(), Absent),
        (submitted(), Running { since: 9 }),
        (submitted(), Pending),
    ] {
        let action = step(&cancelled, &local, scheduler);
        assert!(
            !matches!(action, Action::Submit | Action::Cancel),
            "{action:?}"
        );
    }
    let gone = in_the_tip(JobState::Ended(EndReason::Cancelled), false);
    assert_eq!(step(&gone, &staged(), Absent), Action::Wait);
}

#[test]
fn reconcile_should_accept_again_or_stop_when_an_acceptance_was_undone() {
    for scheduler in ALIVE {
        assert_eq!(
            step(&open(JobState::Assigned), &submitted(), scheduler),
            Action::Accept
        );
        // Not accepted in time: it is somebody else's, and must not run on unpaid.
        assert_eq!(
            step(&late(JobState::Assigned), &submitted(), scheduler),
            Action::Cancel
        );
        let asked = LocalJob {
            cancelled_at: Some(NOW.moment - 1),
            ..submitted()
        };
        assert_eq!(
            step(&late(JobState::Assigned), &asked, scheduler),
            Action::Wait
        );
    }
    for scheduler in [InScheduler::Unknown, InScheduler::Absent] {
        assert_eq!(
            step(&late(JobState::Assigned), &submitted(), scheduler),
            Action::Wait
        );
    }
    assert!(needs_scheduler(
        &open(JobState::Assigned),
        Some(&submitted())
    ));
    assert!(!needs_scheduler(&open(JobState::Assigned), Some(&staged())));
}

#[test]
fn meanwhile_should_stage_when_the_acceptance_is_on_its_way() {
    assert_eq!(meanwhile(&admitted()), Action::Stage);
    assert_eq!(meanwhile(&staged()), Action::Wait);
    let hopeless = LocalJob {
        end: Some(end_of(EndReason::BadInput)),
        ..admitted()
    };
    assert_eq!(meanwhile(&hopeless), Action::Wait);
}

/// Over every combination: what must never happen.
#[test]
fn no_step_should_be_destructive_on_a_guess() {
    use InScheduler::*;
    let report_end = || {
        [
            None,
            Some(end_of(EndReason::Completed)),
            Some(end_of(EndReason::ProviderFailure)),
        ]
    };
    let mut seen = 0;
    for admission in [
        None,
        Some(Admission::Accept),
        Some(Admission::Decline(DeclineReason::NotAllowed)),
    ] {
        for staged in [false, true] {
            for submission in [Submission::None, Submission::Intended, Submission::Done] {
                for end in report_end() {
                    for retired_at in [None, Some(0), Some(NOW.moment)] {
                        for metered_out in [false, true] {
                            let admission = admission.clone();
                            let end = end.clone();
                            let local = LocalJob {
                                admission,
                                staged,
                                submission,
                                end,
                                retired_at,
                                metered_out,
                                ..job()
                            };
                            let states = [
                                JobState::Assigned,
                                JobState::Accepted,
                                JobState::Staging,
                                JobState::Queued,
                                JobState::Running,
                            ];
                            let observed =
                                states
                                    .iter()
                                    .flat_map(|s| [open(*s), cancelling(*s), late(*s)])
                                    .chain(states.iter().flat_map(|s| {
                                        [in_the_tip(*s, false), in_the_tip(*s, true)]
                                    }))
                                    .chain([in_the_tip(JobState::Ended(EndReason::Expired), false)])
                                    .chain([SETTLED, Observed::Elsewhere, Observed::Gone])
                                    .chain(UNSETTLED.map(Observed::Ended));
                            for observed in observed {
                                for scheduler in [
                                    Unknown,
                                    Absent,
                                    Pending,
                                    Running { since: 1 },
                                    Ended { since: Some(1) },
                                    Ended { since: None },
                                ] {
                                    seen += 1;
                                    check(&observed, &local, scheduler);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 10_000, "{seen}");
}

fn check(observed: &Observed, local: &LocalJob, scheduler: InScheduler) {
    let action = step(observed, local, scheduler);
    let context = format!("{observed:?} {local:?} {scheduler:?} -> {action:?}");
    let is_ahead = matches!(observed, Observed::Ahead { .. });
    let is_open = matches!(observed, Observed::Open { .. }) || is_ahead;
    if is_ahead {
        let undone_with_it = matches!(
            action,
            Action::Wait
                | Action::Stage
                | Action::Submit
                | Action::MarkSubmitted
                | Action::Update(_)
        );
        assert!(undone_with_it, "{context}");
    }
    match &action {
        // Nothing is started that may be there already, and only what was accepted is started.
        Action::Submit => {
            assert!(
                scheduler == InScheduler::Absent && local.submission != Submission::Done,
                "{context}"
            );
            let accepted = !matches!(
                observed,
                Observed::Open { state, .. } | Observed::Ahead { state, .. }
                    if matches!(state, JobState::Assigned | JobState::Ended(_))
            );
            assert!(is_open && accepted, "{context}");
        }
        Action::Stage => assert!(scheduler == InScheduler::Absent && is_open, "{context}"),
        // Nothing is removed while the chain holds the job open, or while it may be running.
        Action::Clean => {
            assert!(
                !matches!(observed, Observed::Ended(s) if *s != Settlement::Settled),
                "{context}"
            );
            assert!(!is_open && local.retired_at.is_some(), "{context}");
            assert!(
                local.submission == Submission::None || !scheduler.is_alive(),
                "{context}"
            );
            assert!(
                local.submission == Submission::None || scheduler != InScheduler::Unknown,
                "{context}"
            );
        }
        // A dispute is answered while it can be, and nothing else is.
        Action::Disclose | Action::OpenEvidence(_) => {
            assert!(
                matches!(observed, Observed::Ended(Settlement::Disputed { evidence_by }) if NOW.block < *evidence_by),
                "{context}"
            );
        }
        // Only what is known to be there is stopped.
        Action::Cancel => assert!(scheduler.is_alive(), "{context}"),
        Action::Collect(_) => {
            assert!(
                scheduler != InScheduler::Unknown && !scheduler.is_alive() && local.end.is_none(),
                "{context}"
            );
        }
        Action::Complete(end) => assert!(is_open && local.end.as_ref() == Some(end), "{context}"),
        Action::Update(_) | Action::Meter { .. } => {
            assert!(is_open && scheduler != InScheduler::Unknown, "{context}");
        }
        _ => {}
    }
}
