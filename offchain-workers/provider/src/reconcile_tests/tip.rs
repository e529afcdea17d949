//! Jobs whose acceptance is included and not yet final.

use super::*;

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
