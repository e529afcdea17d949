//! Jobs that the chain is done with, and what is still owed to them.

use super::*;

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
