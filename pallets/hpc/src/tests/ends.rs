//! How a job ends, who answers for it, and where its money and its bond go.

use crate::{mock::*, Clusters, Error, Event};
use frame_support::{
    assert_noop, assert_ok, storage::transactional::with_transaction,
    traits::tokens::fungible::InspectHold,
};
use sp_runtime::{DispatchResult, TransactionOutcome};
use virtengine_primitives::{billing::Fault, hpc::*, AgreementId, AssetKind, Balance};

/// Fault of the ended agreement, what is pending for the provider, and the provider's free bond.
fn outcome(job: AgreementId) -> (Fault, Balance, Balance) {
    let agreement = Agreements::get(job).unwrap();
    let bond = Organisations::get(agreement.provider).unwrap().free;
    (agreement.ended.unwrap(), agreement.pending, bond)
}

#[test]
fn metered_usage_should_be_pending_when_the_job_ran_to_any_end_of_its_own() {
    use EndReason::*;
    run(|| {
        for reason in [Completed, Failed, OutOfMemory, TimedOut, BadInput] {
            let job = job_at(At::Running, &[3]);
            meter(job, 12);
            assert_ok!(Hpc::complete(
                RuntimeOrigin::signed(worker(3)),
                job,
                end(reason)
            ));
            assert_eq!(outcome(job), (Fault::Payer, 12, BOND));
        }
    });
}

#[test]
fn nothing_should_be_paid_when_the_provider_is_at_fault() {
    use EndReason::*;
    run(|| {
        for reason in [NodeFailure, BootFailure, Preempted, ProviderFailure] {
            let job = job_at(At::Running, &[3]);
            meter(job, 12);
            assert_ok!(Hpc::do_complete(3, job, end(reason)));
            assert_eq!(outcome(job), (Fault::Provider, 0, BOND));
        }
    });
}

#[test]
fn provider_should_lose_a_share_of_the_bond_when_it_fails_before_the_start() {
    use EndReason::*;
    run(|| {
        let reasons = [NodeFailure, BootFailure, Preempted, ProviderFailure];
        for (n, reason) in reasons.into_iter().enumerate() {
            let job = job_at(At::Staging, &[3]);
            let free = Balances::free_balance(ALICE);
            assert_ok!(Hpc::do_complete(3, job, end(reason)));
            let bond = BOND - 50 * (n as Balance + 1);
            assert_eq!(outcome(job), (Fault::Provider, 0, bond));
            assert_eq!(Balances::free_balance(ALICE), free + 1_000 + 50);
        }
        let job = job_at(At::Staging, &[3]);
        assert_ok!(Hpc::do_complete(3, job, end(BadInput)));
        assert_eq!(outcome(job), (Fault::Payer, 0, BOND - 200));
    });
}

#[test]
fn job_should_end_as_obstructed_only_when_the_job_in_its_way_could_be() {
    let by = |other| end(EndReason::Obstructed(other));
    run(|| {
        Clusters::<Test>::mutate_extant(3, |cluster| cluster.spec.max_open_jobs = 10);
        let ended_before = job_at(At::Ended, &[3]);
        jump_to(System::block_number() + 1);
        let never_ran = job_at(At::Queued, &[3]);
        let elsewhere = job_at(At::Running, &[2]);
        let running = job_at(At::Running, &[3]);
        let requeued = job_at(At::Requeued, &[3]);
        let anothers = Hpc::do_submit(BOB, request(&[3])).unwrap();
        Hpc::do_accept(3, anothers).unwrap();
        Hpc::do_update(3, anothers, JobProgress::Running(clock())).unwrap();
        let (ends_now, ends_later) = (job_at(At::Running, &[3]), job_at(At::Running, &[3]));
        let job = job_at(At::Staging, &[3]);
        let free = Balances::free_balance(ALICE);
        for other in [ended_before, never_ran, elsewhere, anothers, job, job + 1] {
            let refused = Hpc::do_complete(3, job, by(other));
            assert_noop!(refused, Error::<Test>::NotObstructed);
        }
        // In the block of the assignment, and after it.
        Hpc::do_complete(3, ends_now, end(EndReason::Failed)).unwrap();
        jump_to(System::block_number() + 1);
        Hpc::do_complete(3, ends_later, end(EndReason::Failed)).unwrap();
        for other in [running, requeued, ends_now, ends_later] {
            let _ = with_transaction(|| -> TransactionOutcome<DispatchResult> {
                assert_ok!(Hpc::do_complete(3, job, by(other)));
                // Four others still hold a share of the bond.
                assert_eq!(outcome(job), (Fault::Payer, 0, BOND - 400));
                // What was held for this one is given back.
                assert!(Balances::free_balance(ALICE) > free);
                TransactionOutcome::Rollback(Ok(()))
            });
        }
        // What is forgotten nobody can judge.
        assert!(settle(ends_later));
        Hpc::do_prune(ends_later).unwrap();
        let refused = Hpc::do_complete(3, job, by(ends_later));
        assert_noop!(refused, Error::<Test>::NotObstructed);
    });
}

#[test]
fn minimum_should_be_charged_when_a_cancelled_job_had_started_and_the_provider_ends_it() {
    run(|| {
        let job = job_at(At::CancelRunning, &[3]);
        assert_ok!(Hpc::do_complete(3, job, end(EndReason::Cancelled)));
        assert_eq!(outcome(job), (Fault::Payer, 5, BOND));
        let job = job_at(At::CancelQueued, &[3]);
        assert_ok!(Hpc::do_complete(3, job, end(EndReason::Cancelled)));
        assert_eq!(outcome(job), (Fault::Payer, 0, BOND));
        // Finished before the cancellation reached it.
        let job = job_at(At::CancelRunning, &[3]);
        assert_ok!(Hpc::do_complete(3, job, end(EndReason::Completed)));
        assert_eq!(outcome(job), (Fault::Payer, 5, BOND));
    });
}

#[test]
fn end_should_be_refused_when_it_contradicts_itself_or_the_job() {
    run(|| {
        let mut wanted = request(&[3]);
        wanted.resources.array_tasks = 4;
        let job = Hpc::do_submit(ALICE, wanted).unwrap();
        Hpc::do_accept(3, job).unwrap();
        Hpc::do_update(3, job, JobProgress::Running(clock())).unwrap();
        let report = |reason, exit_code, done, failed, cancelled| JobEnd {
            reason,
            exit_code,
            tasks: TaskCounts {
                done,
                failed,
                cancelled,
            },
            result: None,
        };
        let (done, failed) = (EndReason::Completed, EndReason::Failed);
        let refused = [
            (report(done, 0, 3, 0, 0), Error::<Test>::TaskCountMismatch),
            (report(done, 0, 5, 0, 0), Error::TaskCountMismatch),
            (
                report(failed, 1, u32::MAX, u32::MAX, 6),
                Error::TaskCountMismatch,
            ),
            (report(done, 1, 4, 0, 0), Error::EndContradictsItself),
            (report(done, 0, 3, 1, 0), Error::EndContradictsItself),
            (report(done, 0, 3, 0, 1), Error::EndContradictsItself),
        ];
        for (report, error) in refused {
            assert_noop!(Hpc::do_complete(3, job, report), error);
        }
        let mut stolen = report(failed, 1, 2, 1, 1);
        stolen.result = Some(sealed_to(&[BOB, owner(3)]));
        assert!(Hpc::do_complete(3, job, stolen.clone()).is_err());
        stolen.result = Some(sealed_to(&[ALICE]));
        assert_ok!(Hpc::do_complete(3, job, stolen.clone()));
        assert_eq!(Hpc::job(job).unwrap().end, Some(stolen));
    });
}

#[test]
fn cancel_should_end_at_once_and_return_everything_when_nobody_accepted() {
    run(|| {
        let free = Balances::free_balance(ALICE);
        let job = submit(&[1, 2, 3]);
        let deposit = Balances::balance_on_hold(&DepositReason::get(), &ALICE);
        assert_ok!(Hpc::cancel(RuntimeOrigin::signed(ALICE), job));
        let stored = Hpc::job(job).unwrap();
        assert_eq!(stored.state, JobState::Ended(EndReason::Cancelled));
        assert_eq!((stored.end, stored.ended_at), (None, Some(1)));
        assert_eq!(Balances::free_balance(ALICE), free - deposit);
        assert_eq!(outcome(job), (Fault::Payer, 0, BOND));
    });
}

#[test]
fn prune_should_return_the_deposit_when_the_agreement_is_gone() {
    run(|| {
        let (free, total) = (Balances::free_balance(ALICE), ENDOWMENT);
        let job = job_at(At::Running, &[3]);
        meter(job, 12);
        assert_noop!(Hpc::do_prune(job), Error::<Test>::NotEnded);
        Hpc::do_complete(3, job, end(EndReason::Failed)).unwrap();
        assert_noop!(Hpc::do_prune(job), Error::<Test>::NotSettled);
        System::reset_events();
        assert!(settle(job));
        assert_eq!(events(), [Event::JobSettled { job }]);
        assert_ok!(Hpc::prune(RuntimeOrigin::signed(STRANGER), job));
        assert_noop!(Hpc::do_prune(job), Error::<Test>::UnknownJob);
        assert_eq!(Balances::free_balance(ALICE), free - 12);
        assert_eq!(free, total);
        assert_eq!(Hpc::jobs_of(ALICE, None), vec![]);
        // Unknown agreements are none of its business.
        System::reset_events();
        <Hpc as virtengine_primitives::traits::OnAgreementEnded>::on_settled(job);
        assert_eq!(events(), []);
    });
}

#[test]
fn price_should_stay_when_the_provider_raises_it_after_the_submission() {
    run(|| {
        let job = submit(&[1, 2, 3]);
        publish(33, 3, AssetKind::Native, 1_000);
        publish(22, 2, AssetKind::Native, 1_000);
        for (id, plan) in [(3, 33), (2, 22)] {
            Hpc::do_update_cluster(owner(id), id, spec(plan)).unwrap();
            Plans::mutate_extant(id, |old| old.retired = true);
        }
        assert_eq!(Hpc::job(job).unwrap().assignment.plan, 3);
        // The next candidate's is frozen as well.
        Hpc::do_decline(3, job, DeclineReason::Maintenance).unwrap();
        let stored = Hpc::job(job).unwrap();
        assert_eq!((stored.assignment.plan, stored.assignment.cost), (2, 40));
        assert_eq!(Agreements::get(job).unwrap().plan, 2);
    });
}
