//! What somebody would try.

use crate::{mock::*, Error};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;
use virtengine_primitives::{hpc::*, AssetKind, Balance};

#[test]
fn provider_should_earn_nothing_and_pay_when_it_accepts_everything_and_never_starts() {
    run(|| {
        let jobs: Vec<_> = (0..3).map(|_| submit(&[3])).collect();
        let before = Balances::free_balance(ALICE);
        for job in &jobs {
            assert_ok!(Hpc::do_accept(3, *job));
        }
        run_to(21);
        for job in &jobs {
            let ended = JobState::Ended(EndReason::Expired);
            assert_eq!(Hpc::job(*job).unwrap().state, ended);
        }
        assert_eq!(Balances::free_balance(ALICE), before + 3 * (1_000 + 50));
        assert_eq!(Organisations::get(3).unwrap().free, BOND - 3 * 50);
    });
}

#[test]
fn provider_should_accept_no_more_than_its_bond_covers() {
    run(|| {
        Organisations::mutate_extant(3, |o| {
            assert_ok!(
                <Balances as frame_support::traits::fungible::Mutate<_>>::burn_from(
                    &BONDS,
                    o.free - 150,
                    frame_support::traits::tokens::Preservation::Expendable,
                    frame_support::traits::tokens::Precision::Exact,
                    frame_support::traits::tokens::Fortitude::Force,
                )
            );
            o.free = 150;
        });
        let (one, two) = (submit(&[3]), submit(&[3]));
        assert_ok!(Hpc::do_accept(3, one));
        assert_noop!(
            Hpc::do_accept(3, two),
            DispatchError::Other("bond too small")
        );
        Organisations::mutate_extant(3, |o| o.operational = false);
        assert_noop!(
            Hpc::do_accept(3, two),
            Error::<Test>::ProviderNotOperational
        );
        // What it accepted it may finish.
        assert_ok!(Hpc::do_update(3, one, JobProgress::Running(clock())));
        assert_ok!(Hpc::do_complete(3, one, end(EndReason::Completed)));
    });
}

#[test]
fn strangers_should_have_no_say_in_any_state() {
    run(|| {
        for place in PLACES {
            let job = job_at(place, &[3]);
            let before = Hpc::job(job).unwrap();
            // Another provider's hot key: the batch runs, no item does.
            let other = RuntimeOrigin::signed(worker(2));
            assert_ok!(Hpc::accept_many(
                other.clone(),
                vec![job].try_into().unwrap()
            ));
            assert_ok!(Hpc::update_many(
                other.clone(),
                vec![(job, JobProgress::Running(clock()))]
                    .try_into()
                    .unwrap()
            ));
            assert_ok!(Hpc::complete_many(
                other.clone(),
                vec![(job, end(EndReason::Completed))].try_into().unwrap()
            ));
            assert_noop!(
                Hpc::decline(other.clone(), job, DeclineReason::NoCapacity),
                Error::<Test>::NotYourJob
            );
            assert_noop!(
                Hpc::complete(other, job, end(EndReason::Completed)),
                Error::<Test>::NotYourJob
            );
            // No hot key at all; the owner is none either, nor is the customer.
            for who in [STRANGER, ALICE, owner(3)] {
                let origin = RuntimeOrigin::signed(who);
                let e = Error::<Test>::NotAWorker;
                assert_noop!(
                    Hpc::accept_many(origin.clone(), vec![job].try_into().unwrap()),
                    e
                );
                assert_noop!(
                    Hpc::decline(origin.clone(), job, DeclineReason::NoCapacity),
                    Error::<Test>::NotAWorker
                );
                assert_noop!(
                    Hpc::update_many(
                        origin.clone(),
                        vec![(job, JobProgress::Queued)].try_into().unwrap()
                    ),
                    Error::<Test>::NotAWorker
                );
                assert_noop!(
                    Hpc::complete(origin.clone(), job, end(EndReason::Completed)),
                    Error::<Test>::NotAWorker
                );
                assert_noop!(
                    Hpc::complete_many(
                        origin,
                        vec![(job, end(EndReason::Completed))].try_into().unwrap()
                    ),
                    Error::<Test>::NotAWorker
                );
            }
            for who in [BOB, STRANGER, owner(3), worker(3)] {
                assert_noop!(Hpc::do_cancel(&who, job), Error::<Test>::NotTheCustomer);
            }
            assert_eq!(Hpc::job(job).unwrap(), before);
            // Room for the next.
            run_to(System::block_number() + 300);
        }
    });
}

#[test]
fn unsigned_and_root_should_be_refused_by_every_call() {
    run(|| {
        let job = submit(&[3]);
        for origin in [RuntimeOrigin::none(), RuntimeOrigin::root()] {
            let o = || origin.clone();
            let end = end(EndReason::Completed);
            let outcomes = [
                Hpc::register_cluster(o(), spec(1)),
                Hpc::update_cluster(o(), 1, spec(1)),
                Hpc::set_cluster_state(o(), 1, ClusterState::Open),
                Hpc::deregister_cluster(o(), 1)
                    .map(|_| ())
                    .map_err(|e| e.error),
                Hpc::allow_template(o(), 1, template(), name("x")),
                Hpc::disallow_template(o(), 1, template()),
                Hpc::submit(o(), Box::new(request(&[1]))),
                Hpc::cancel(o(), job),
                Hpc::expire(o(), job).map(|_| ()).map_err(|e| e.error),
                Hpc::prune(o(), job),
                Hpc::accept_many(o(), vec![job].try_into().unwrap()),
                Hpc::decline(o(), job, DeclineReason::NoCapacity),
                Hpc::update_many(o(), Default::default()),
                Hpc::complete(o(), job, end.clone()),
                Hpc::complete_many(o(), vec![(job, end)].try_into().unwrap()),
            ];
            for outcome in outcomes {
                assert_eq!(outcome, Err(DispatchError::BadOrigin));
            }
        }
    });
}

#[test]
fn provider_should_not_start_a_cancelled_job_for_its_minimum_charge() {
    run(|| {
        let free = Balances::free_balance(ALICE);
        let job = job_at(At::CancelAccepted, &[3]);
        assert_noop!(
            Hpc::do_update(3, job, JobProgress::Running(clock())),
            Error::<Test>::CancelRequestedAlready
        );
        assert_ok!(Hpc::do_complete(3, job, end(EndReason::Cancelled)));
        assert!(settle(job));
        assert_ok!(Hpc::do_prune(job));
        assert_eq!(Balances::free_balance(ALICE), free);
    });
}

#[test]
fn provider_should_not_escape_the_slash_by_declining_after_the_acceptance() {
    run(|| {
        let job = job_at(At::Queued, &[2, 3]);
        assert_ok!(Hpc::decline(
            RuntimeOrigin::signed(worker(3)),
            job,
            DeclineReason::TooLittleTime
        ));
        assert_eq!(Organisations::get(3).unwrap().free, BOND - 50);
        assert_eq!(Hpc::job(job).unwrap().provider, 2);
        // Before the acceptance it is free.
        assert_ok!(Hpc::do_decline(2, job, DeclineReason::NotAllowed));
        assert_eq!(Organisations::get(2).unwrap().free, BOND);
        let ended = JobState::Ended(EndReason::Expired);
        assert_eq!(Hpc::job(job).unwrap().state, ended);
    });
}

#[test]
fn customer_should_not_farm_slashes_by_giving_no_time_to_start() {
    run(|| {
        let mut trap = request(&[3]);
        trap.start_within = 9;
        assert_noop!(
            Hpc::do_submit(ALICE, trap),
            Error::<Test>::StartWithinTooShort
        );
    });
}

#[test]
fn customer_should_not_farm_slashes_by_having_a_friend_use_up_the_time() {
    run(|| {
        // The friend, provider 3, is the cheapest and lets its time pass. What is left is enough to start, and too
        // little to finish: whoever accepted now would be slashed at `end_by`.
        let mut trap = request(&[2, 3]);
        trap.end_by = 1 + 20 + 10 + 1;
        let job = Hpc::do_submit(ALICE, trap).unwrap();
        run_to_deadline(job);
        let ended = JobState::Ended(EndReason::Expired);
        assert_eq!(Hpc::job(job).unwrap().state, ended);
        assert_eq!(Organisations::get(2).unwrap().free, BOND);
    });
}

#[test]
fn suspended_worker_should_finish_what_it_accepted_and_accept_nothing() {
    run(|| {
        let (old, new) = (job_at(At::Running, &[3]), submit(&[3]));
        Suspended::insert(worker(3), ());
        let origin = || RuntimeOrigin::signed(worker(3));
        let accept = || Hpc::accept_many(origin(), vec![new].try_into().unwrap());
        assert_noop!(accept(), DispatchError::Other("suspended"));
        assert_ok!(Hpc::complete(origin(), old, end(EndReason::Completed)));
        Suspended::remove(worker(3));
        assert_ok!(accept());
        assert_eq!(Hpc::job(new).unwrap().state, JobState::Accepted);
    });
}

#[test]
fn usage_should_not_be_taken_from_the_deadline_on_when_nobody_has_acted_on_it() {
    use virtengine_primitives::traits::OnAgreementEnded;
    run(|| {
        for place in [At::Running, At::CancelRunning] {
            let job = job_at(place, &[3]);
            let deadline = Hpc::job(job).unwrap().deadline;
            jump_to(deadline - 1);
            assert!(Hpc::takes_usage(job));
            jump_to(deadline);
            assert!(!Hpc::takes_usage(job));
            assert_ok!(Hpc::do_expire(job));
            assert!(!Hpc::takes_usage(job));
        }
        // What is no job is not this pallet's business.
        assert!(Hpc::takes_usage(99));
    });
}

#[test]
fn an_end_should_weigh_more_when_it_is_the_providers_fault() {
    use frame_support::dispatch::GetDispatchInfo;
    let complete = |reason| {
        let call = crate::Call::<Test>::complete {
            job: 1,
            end: end(reason),
        };
        call.get_dispatch_info().call_weight
    };
    let many = |reasons: &[EndReason]| {
        let items: Vec<_> = reasons.iter().map(|reason| (1, end(*reason))).collect();
        let items = items.try_into().unwrap();
        let call = crate::Call::<Test>::complete_many { items };
        call.get_dispatch_info().call_weight
    };
    use EndReason::{Failed, NodeFailure, ProviderFailure};
    assert_eq!(complete(NodeFailure), complete(Failed) + TAKE_BACK);
    assert_eq!(
        many(&[NodeFailure, Failed, ProviderFailure]),
        many(&[Failed, Failed, Failed]) + TAKE_BACK * 2
    );
}

#[test]
fn dust_should_not_buy_anything() {
    run(|| {
        let mut dust = request(&[1, 2, 3]);
        dust.ceiling = 1;
        assert_noop!(
            Hpc::do_submit(ALICE, dust.clone()),
            Error::<Test>::CeilingBelowQuote
        );
        // Even where everything is free, the state that a job takes is paid for by a deposit.
        publish(33, 3, AssetKind::Native, 0);
        Plans::mutate_extant(33, |plan| plan.minimum = 0);
        Hpc::do_update_cluster(owner(3), 3, spec(33)).unwrap();
        let poor = 555;
        frame_support::assert_ok!(
            <Balances as frame_support::traits::fungible::Mutate<_>>::mint_into(&poor, 500)
        );
        let origin = RuntimeOrigin::signed(poor);
        assert_noop!(
            Hpc::submit(origin, Box::new(dust.clone())),
            DispatchError::Token(sp_runtime::TokenError::FundsUnavailable)
        );
        assert_ok!(Hpc::do_submit(ALICE, dust));
    });
}

#[test]
fn overflowing_requests_should_be_refused() {
    run(|| {
        publish(33, 3, AssetKind::Native, Balance::MAX);
        let mut large = spec(3);
        large.partitions[0].nodes = u32::MAX;
        large.partitions[0].cpus_per_node = u32::MAX;
        large.partitions[0].memory_mib_per_node = u64::MAX;
        large.partitions[0].max_walltime = u64::MAX;
        Hpc::do_update_cluster(owner(3), 3, large.clone()).unwrap();
        let mut huge = request(&[3]);
        huge.resources = Resources {
            nodes: u32::MAX,
            cpus: u32::MAX,
            memory_mib: u64::MAX,
            gpus: 0,
            gpu_type: 0,
            array_tasks: u32::MAX,
        };
        huge.walltime = 60;
        huge.ceiling = Balance::MAX;
        assert!(Hpc::do_submit(ALICE, huge.clone()).is_err());
        large.partitions[0].plan = 33;
        Hpc::do_update_cluster(owner(3), 3, large).unwrap();
        assert_noop!(Hpc::do_submit(ALICE, huge), Error::<Test>::NoQuote);
    });
}
