//! Everything that can be seen, against what may never be done.

use super::*;

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
    let is_ahead = matches!(observed, Observed::Ahead(_));
    let is_open = matches!(observed, Observed::Open(_)) || is_ahead;
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
                Observed::Open(OnChain { state, .. }) | Observed::Ahead(OnChain { state, .. })
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
