//! The table: every call on a job in every state, with its outcome.

use crate::{mock::*, Error};
use frame_support::{assert_ok, storage::transactional::with_transaction};
use sp_runtime::{DispatchError, DispatchResult, TransactionOutcome};
use virtengine_primitives::{hpc::*, AgreementId};

/// What can be done to a job.
#[derive(Clone, Copy, Debug)]
enum Act {
    Accept,
    Decline,
    Staging,
    Queued,
    Running,
    End(EndReason),
    Cancel,
    Expire,
    Prune,
}

fn act(what: Act, job: AgreementId) -> DispatchResult {
    match what {
        Act::Accept => Hpc::do_accept(3, job),
        Act::Decline => Hpc::do_decline(3, job, DeclineReason::NoCapacity),
        Act::Staging => Hpc::do_update(3, job, JobProgress::Staging),
        Act::Queued => Hpc::do_update(3, job, JobProgress::Queued),
        Act::Running => Hpc::do_update(3, job, JobProgress::Running(clock())),
        Act::End(reason) => Hpc::do_complete(3, job, end(reason)),
        Act::Cancel => Hpc::do_cancel(&ALICE, job),
        Act::Expire => Hpc::do_expire(job),
        Act::Prune => Hpc::do_prune(job),
    }
}

const ACTS: [Act; 20] = [
    Act::Accept,
    Act::Decline,
    Act::Staging,
    Act::Queued,
    Act::Running,
    Act::End(EndReason::Completed),
    Act::End(EndReason::Failed),
    Act::End(EndReason::OutOfMemory),
    Act::End(EndReason::TimedOut),
    Act::End(EndReason::Cancelled),
    Act::End(EndReason::BadInput),
    Act::End(EndReason::NodeFailure),
    Act::End(EndReason::BootFailure),
    Act::End(EndReason::Preempted),
    Act::End(EndReason::ProviderFailure),
    Act::End(EndReason::Expired),
    // By a job that there is not; what may be in the way is told in `ends`.
    Act::End(EndReason::Obstructed(0)),
    Act::Cancel,
    Act::Expire,
    Act::Prune,
];

/// The outcome as the rules demand it; `Ok` is the state that follows.
fn expected(place: At, what: Act) -> Result<JobState, Error<Test>> {
    use Act::*;
    use At::*;
    use EndReason::*;
    use JobState as S;
    let cancelled = matches!(
        place,
        CancelAccepted | CancelStaging | CancelQueued | CancelRunning | CancelRequeued
    );
    let started = matches!(
        place,
        At::Running | Requeued | CancelRunning | CancelRequeued
    );
    if place == Ended {
        return Err(match what {
            Prune => Error::NotSettled,
            _ => Error::AlreadyEnded,
        });
    }
    match (what, place) {
        (Expire, _) => Err(Error::NotDue),
        (Prune, _) => Err(Error::NotEnded),
        (Accept, Assigned) => Ok(S::Accepted),
        (Accept, _) => Err(Error::AlreadyAccepted),
        (Cancel, Assigned) => Ok(S::Ended(Cancelled)),
        (Cancel, _) if cancelled => Err(Error::CancelRequestedAlready),
        // The state stays, the deadline changes.
        (Cancel, Accepted) => Ok(S::Accepted),
        (Cancel, At::Staging) => Ok(S::Staging),
        (Cancel, At::Queued | Requeued) => Ok(S::Queued),
        (Cancel, _) => Ok(S::Running),
        (Decline, _) if started => Err(Error::AlreadyStarted),
        (Decline, _) if cancelled => Err(Error::CancelRequestedAlready),
        // To the next candidate.
        (Decline, _) => Ok(S::Assigned),
        (Act::Staging | Act::Queued | Act::Running | End(_), Assigned) => Err(Error::NotAccepted),
        (Act::Staging, Accepted | CancelAccepted) => Ok(S::Staging),
        (Act::Staging, _) => Err(Error::WrongState),
        (Act::Queued, At::Queued | CancelQueued | Requeued | CancelRequeued) => {
            Err(Error::WrongState)
        }
        (Act::Queued, _) => Ok(S::Queued),
        (Act::Running, At::Running | CancelRunning) => Err(Error::WrongState),
        (Act::Running, _) if cancelled && !started => Err(Error::CancelRequestedAlready),
        (Act::Running, _) => Ok(S::Running),
        (End(Expired), _) => Err(Error::NotReportable),
        (End(Cancelled), _) if !cancelled => Err(Error::CancelNotRequested),
        (End(Completed | Failed | OutOfMemory | TimedOut), _) if !started => Err(Error::NotStarted),
        (End(Obstructed(_)), _) if started => Err(Error::AlreadyStarted),
        (End(Obstructed(_)), _) => Err(Error::NotObstructed),
        (End(reason), _) => Ok(S::Ended(reason)),
    }
}

#[test]
fn every_call_should_do_what_the_table_says_in_every_state() {
    run(|| {
        for place in PLACES {
            for what in ACTS {
                let _ = with_transaction(|| -> TransactionOutcome<DispatchResult> {
                    let job = job_at(place, &[1, 2, 3]);
                    check();
                    let before = Hpc::job(job).unwrap();
                    let got = frame_support::storage::with_storage_layer(|| act(what, job));
                    check();
                    let after = Hpc::job(job).unwrap();
                    match expected(place, what) {
                        Ok(state) => {
                            assert_eq!(got, Ok(()), "{what:?} at {place:?}");
                            assert_eq!(after.state, state, "{what:?} at {place:?}");
                        }
                        Err(error) => {
                            let error = DispatchError::from(error);
                            assert_eq!(got, Err(error), "{what:?} at {place:?}");
                            assert_eq!(after, before, "{what:?} at {place:?}");
                        }
                    }
                    TransactionOutcome::Rollback(Ok(()))
                });
            }
        }
    });
}

#[test]
fn nothing_but_expire_should_be_possible_when_the_deadline_has_passed() {
    run(|| {
        for place in PLACES {
            for what in ACTS {
                let _ = with_transaction(|| -> TransactionOutcome<DispatchResult> {
                    let job = job_at(place, &[1, 2, 3]);
                    let before = Hpc::job(job).unwrap();
                    // The block of the deadline, before anything was drained.
                    jump_to(before.deadline);
                    let got = frame_support::storage::with_storage_layer(|| act(what, job));
                    check();
                    match (place, what) {
                        (At::Ended, _) => assert!(got.is_err()),
                        (_, Act::Expire) => assert_eq!(got, Ok(())),
                        (_, Act::Prune) => assert_eq!(got, Err(Error::<Test>::NotEnded.into())),
                        _ => assert_eq!(
                            got,
                            Err(Error::<Test>::DeadlinePassed.into()),
                            "{what:?} at {place:?}"
                        ),
                    }
                    TransactionOutcome::Rollback(Ok(()))
                });
            }
        }
    });
}

#[test]
fn accept_should_bond_and_set_the_next_deadline_when_in_time() {
    run(|| {
        let job = submit(&[3]);
        run_to(5);
        assert_ok!(Hpc::accept_many(
            RuntimeOrigin::signed(worker(3)),
            vec![job].try_into().unwrap()
        ));
        let stored = Hpc::job(job).unwrap();
        assert_eq!(stored.state, JobState::Accepted);
        assert_eq!(stored.accepted_at, Some(clock()));
        assert_eq!(stored.deadline, 21);
        assert_eq!(Locks::get(3, job), Some(100));
    });
}

#[test]
fn start_should_keep_its_first_moment_when_the_job_is_requeued() {
    run(|| {
        let job = job_at(At::Requeued, &[3]);
        let first = Hpc::job(job).unwrap().started_at;
        run_to(10);
        assert_ok!(Hpc::do_update(3, job, JobProgress::Running(clock())));
        let stored = Hpc::job(job).unwrap();
        assert_eq!(stored.started_at, first);
        assert_eq!(Agreements::get(job).unwrap().started_at, first);
        assert_eq!((stored.state, stored.deadline), (JobState::Running, 101));
    });
}

#[test]
fn running_should_be_refused_when_its_moment_is_before_acceptance_or_in_the_future() {
    run(|| {
        let job = job_at(At::Accepted, &[3]);
        let accepted = clock();
        run_to(3);
        let start = |at| Hpc::do_update(3, job, JobProgress::Running(at));
        let e = |error: Error<Test>| Err(DispatchError::from(error));
        assert_eq!(start(accepted - 1), e(Error::StartedBeforeAcceptance));
        assert_eq!(start(clock() + 60_001), e(Error::StartedInFuture));
        let _ = with_transaction(|| -> TransactionOutcome<DispatchResult> {
            assert_ok!(start(clock() + 60_000));
            TransactionOutcome::Rollback(Ok(()))
        });
        assert_ok!(start(accepted));
    });
}

#[test]
fn batch_should_refuse_single_items_when_the_others_are_good() {
    run(|| {
        let (good, other) = (submit(&[3]), submit(&[2]));
        System::reset_events();
        let origin = RuntimeOrigin::signed(worker(3));
        assert_ok!(Hpc::accept_many(
            origin.clone(),
            vec![other, 77, good, good].try_into().unwrap()
        ));
        let failed: Vec<_> = events()
            .into_iter()
            .filter_map(|event| match event {
                crate::Event::ItemFailed { job, error } => Some((job, error)),
                _ => None,
            })
            .collect();
        let e = |error: Error<Test>| DispatchError::from(error);
        assert_eq!(
            failed,
            vec![
                (other, e(Error::NotYourJob)),
                (77, e(Error::UnknownJob)),
                (good, e(Error::AlreadyAccepted)),
            ]
        );
        assert_ok!(Hpc::update_many(
            origin.clone(),
            vec![
                (other, JobProgress::Queued),
                (good, JobProgress::Staging),
                (good, JobProgress::Running(clock()))
            ]
            .try_into()
            .unwrap()
        ));
        assert_eq!(Hpc::job(good).unwrap().state, JobState::Running);
        assert_ok!(Hpc::complete_many(
            origin,
            vec![
                (other, end(EndReason::Completed)),
                (good, end(EndReason::Completed))
            ]
            .try_into()
            .unwrap()
        ));
        assert_eq!(
            Hpc::job(good).unwrap().state,
            JobState::Ended(EndReason::Completed)
        );
        assert_eq!(Hpc::job(other).unwrap().state, JobState::Assigned);
    });
}
