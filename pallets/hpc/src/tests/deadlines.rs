//! Every deadline, exactly at its block; and what time alone does.

use crate::{mock::*, DeadlineCursor, Deadlines, Error, Event};
use frame_support::{assert_noop, assert_ok, dispatch::Pays, traits::Hooks, weights::WeightMeter};
use virtengine_primitives::{billing::Fault, hpc::*};

#[test]
fn next_candidate_should_get_the_job_when_it_was_not_accepted_in_time() {
    run(|| {
        let job = submit(&[1, 2, 3]);
        for (n, provider) in [3, 2, 1].into_iter().enumerate() {
            let stored = Hpc::job(job).unwrap();
            assert_eq!(stored.provider, provider);
            assert_eq!(stored.deadline, 6 + 5 * n as u32);
            assert_eq!(stored.start_by, stored.deadline + 15);
            run_to_deadline(job);
        }
        let stored = Hpc::job(job).unwrap();
        assert_eq!(stored.state, JobState::Ended(EndReason::Expired));
        assert_eq!(stored.ended_at, Some(16));
        let agreement = Agreements::get(job).unwrap();
        assert_eq!(
            (agreement.ended, agreement.pending),
            (Some(Fault::Silence), 0)
        );
        // Nobody was slashed for not accepting.
        assert!(Organisations::iter_values().all(|o| o.free == BOND));
        assert_noop!(Hpc::do_expire(job), Error::<Test>::AlreadyEnded);
    });
}

#[test]
fn bond_should_be_slashed_when_the_job_was_accepted_and_did_not_start_in_time() {
    for place in [At::Accepted, At::Staging, At::Queued] {
        run(|| {
            let job = job_at(place, &[2, 3]);
            let free = Balances::free_balance(ALICE);
            System::reset_events();
            run_to_deadline(job);
            assert_eq!(System::block_number(), 21);
            assert_eq!(Balances::free_balance(ALICE), free + 50);
            assert_eq!(Organisations::get(3).unwrap().free, BOND - 50);
            let stored = Hpc::job(job).unwrap();
            assert_eq!((stored.provider, stored.state), (2, JobState::Assigned));
            assert_eq!((stored.accepted_at, stored.started_at), (None, None));
            assert_eq!((stored.deadline, stored.start_by), (26, 41));
            assert_eq!(
                events(),
                [
                    Event::BondSlashed {
                        job,
                        provider: 3,
                        beneficiary: ALICE,
                        amount: 50
                    },
                    Event::JobNotStarted { job, provider: 3 },
                    Event::JobAssigned {
                        job,
                        provider: 2,
                        cluster: 2,
                        partition: 0,
                        plan: 2,
                        cost: 40,
                        deadline: 26,
                        start_by: 41
                    },
                ]
            );
            // The first provider has no say any more.
            assert_noop!(
                Hpc::do_update(3, job, JobProgress::Running(clock())),
                Error::<Test>::NotYourJob
            );
        });
    }
}

#[test]
fn job_should_expire_when_too_little_time_is_left_for_another_run() {
    run(|| {
        let mut wanted = request(&[1, 2, 3]);
        // The first assignment may start until block 21; from then on 20 blocks of waiting and 10 of running do not
        // fit any more.
        wanted.end_by = 51;
        let job = Hpc::do_submit(ALICE, wanted).unwrap();
        Hpc::do_accept(3, job).unwrap();
        run_to_deadline(job);
        let stored = Hpc::job(job).unwrap();
        assert_eq!(stored.state, JobState::Ended(EndReason::Expired));
        assert!(stored.remaining.is_empty());
        let mut wanted = request(&[1, 2, 3]);
        wanted.end_by = 41 + 31;
        let job = Hpc::do_submit(ALICE, wanted).unwrap();
        Hpc::do_accept(3, job).unwrap();
        run_to_deadline(job);
        assert_eq!(Hpc::job(job).unwrap().state, JobState::Assigned);
        assert_eq!(Hpc::job(job).unwrap().start_by, 61);
    });
}

#[test]
fn running_job_should_end_at_end_by_with_metered_usage_when_the_provider_is_silent() {
    for place in [At::Running, At::Requeued] {
        run(|| {
            let job = job_at(place, &[2, 3]);
            meter(job, 2);
            let free = Balances::free_balance(ALICE);
            run_to_deadline(job);
            assert_eq!(System::block_number(), 101);
            let stored = Hpc::job(job).unwrap();
            assert_eq!(stored.state, JobState::Ended(EndReason::Expired));
            let agreement = Agreements::get(job).unwrap();
            // No minimum.
            assert_eq!(
                (agreement.ended, agreement.pending),
                (Some(Fault::Silence), 2)
            );
            assert_eq!(Balances::free_balance(ALICE), free + 998 + 50);
        });
    }
}

#[test]
fn cancelled_job_should_end_without_slash_when_the_provider_is_silent() {
    let places = [
        At::CancelAccepted,
        At::CancelStaging,
        At::CancelQueued,
        At::CancelRunning,
        At::CancelRequeued,
    ];
    for place in places {
        run(|| {
            let job = job_at(place, &[2, 3]);
            meter(job, 2);
            assert_eq!(Hpc::job(job).unwrap().cancel_by, Some(6));
            run_to_deadline(job);
            let stored = Hpc::job(job).unwrap();
            assert_eq!(stored.state, JobState::Ended(EndReason::Cancelled));
            let agreement = Agreements::get(job).unwrap();
            assert_eq!(agreement.ended, Some(Fault::Silence));
            let started = stored.started_at.is_some();
            assert_eq!(agreement.pending, if started { 2 } else { 0 });
            assert_eq!(Organisations::get(3).unwrap().free, BOND);
        });
    }
}

#[test]
fn cancellation_should_not_reach_beyond_end_by_when_requested_late() {
    run(|| {
        let job = job_at(At::Running, &[3]);
        run_to(98);
        assert_ok!(Hpc::do_cancel(&ALICE, job));
        assert_eq!(Hpc::job(job).unwrap().deadline, 101);
        run_to_deadline(job);
        assert_eq!(
            Hpc::job(job).unwrap().state,
            JobState::Ended(EndReason::Cancelled)
        );
    });
}

#[test]
fn expire_should_do_the_same_as_the_drain_and_be_free_when_due() {
    for place in PLACES.into_iter().filter(|place| *place != At::Ended) {
        let drained = std::cell::RefCell::new(None);
        run(|| {
            let job = job_at(place, &[2, 3]);
            run_to_deadline(job);
            drained.replace(Hpc::job(job));
        });
        run(|| {
            let job = job_at(place, &[2, 3]);
            let origin = RuntimeOrigin::signed(STRANGER);
            let deadline = Hpc::job(job).unwrap().deadline;
            jump_to(deadline - 1);
            assert_noop!(Hpc::expire(origin.clone(), job), Error::<Test>::NotDue);
            jump_to(deadline);
            let post = Hpc::expire(origin, job).unwrap();
            assert_eq!(post.pays_fee, Pays::No);
            assert_eq!(Hpc::job(job), drained.take());
        });
    }
}

#[test]
fn lateness_should_change_nothing_but_the_clock_when_the_drain_had_no_weight() {
    run(|| {
        let job = job_at(At::Running, &[2, 3]);
        meter(job, 2);
        for n in 2..300 {
            jump_to(n);
            Hpc::on_poll(n, &mut WeightMeter::with_limit(Default::default()));
        }
        assert_noop!(
            Hpc::do_complete(3, job, end(EndReason::Completed)),
            Error::<Test>::DeadlinePassed
        );
        assert_eq!(DeadlineCursor::<Test>::get(), Some(1));
        Hpc::on_poll(300, &mut WeightMeter::new());
        assert_eq!(DeadlineCursor::<Test>::get(), Some(300));
        assert_eq!(
            Hpc::job(job).unwrap().state,
            JobState::Ended(EndReason::Expired)
        );
        assert_eq!(Agreements::get(job).unwrap().pending, 2);
    });
}

#[test]
fn drain_should_go_on_in_the_next_block_when_the_weight_ran_out() {
    use crate::WeightInfo;
    run(|| {
        for n in [1, 2, 3] {
            for _ in 0..3 {
                submit(&[n]);
            }
        }
        let (base, block, job) = (<()>::poll_base(), <()>::poll_block(), <()>::poll_job());
        let left = || Deadlines::<Test>::iter().count();
        // Half of what is left of a block is taken: room for four jobs, whatever else the block has.
        jump_to(6);
        let limit = (base + block * 6 + job * 4) * 2;
        let mut meter = WeightMeter::with_limit(limit);
        Hpc::on_poll(6, &mut meter);
        assert_eq!((left(), DeadlineCursor::<Test>::get()), (5, Some(6)));
        assert!(meter.consumed().all_lte(limit / 2));
        check();
        jump_to(7);
        let limit = (base + block + job * 4) * 2;
        Hpc::on_poll(7, &mut WeightMeter::with_limit(limit));
        assert_eq!((left(), DeadlineCursor::<Test>::get()), (1, Some(6)));
        jump_to(8);
        Hpc::on_poll(8, &mut WeightMeter::new());
        assert_eq!((left(), DeadlineCursor::<Test>::get()), (0, Some(9)));
    });
}

#[test]
fn candidates_should_be_passed_over_when_they_are_not_eligible_any_more() {
    run(|| {
        // Draining, deregistered, without template, without room, provider not operational.
        let changes: [fn(); 6] = [
            || Hpc::do_set_cluster_state(owner(2), 2, ClusterState::Draining).unwrap(),
            || Hpc::do_deregister_cluster(owner(2), 2).map(|_| ()).unwrap(),
            || Hpc::do_disallow_template(owner(2), 2, template()).unwrap(),
            || (0..3).for_each(|_| assert!(submit(&[2]) > 0)),
            || Organisations::mutate_extant(2, |o| o.operational = false),
            || {
                let mut small = spec(2);
                small.partitions[0].cpus_per_node = 1;
                small.partitions[0].nodes = 1;
                Hpc::do_update_cluster(owner(2), 2, small).unwrap()
            },
        ];
        for change in changes {
            use sp_runtime::{DispatchResult, TransactionOutcome};
            let _ = frame_support::storage::transactional::with_transaction(
                || -> TransactionOutcome<DispatchResult> {
                    let job = submit(&[1, 2, 3]);
                    change();
                    Hpc::do_decline(3, job, DeclineReason::Maintenance).unwrap();
                    check();
                    assert_eq!(Hpc::job(job).unwrap().assignment.cluster, 1);
                    TransactionOutcome::Rollback(Ok(()))
                },
            );
        }
    });
}

#[test]
fn time_alone_should_return_the_money_from_every_state() {
    for place in PLACES {
        run(|| {
            let job = job_at(place, &[1, 2, 3]);
            run_to(300);
            assert!(Hpc::job(job).unwrap().ended_at.is_some());
            assert!(settle(job));
            assert_ok!(Hpc::do_prune(job));
            let minimum = if place == At::Ended { 5 } else { 0 };
            let total: u128 = 7 * ENDOWMENT + 3 * BOND + 2;
            assert_eq!(Balances::total_issuance(), total);
            assert!(Balances::free_balance(ALICE) >= ENDOWMENT - minimum);
            assert_eq!(Deadlines::<Test>::iter().count(), 0);
        });
    }
}
