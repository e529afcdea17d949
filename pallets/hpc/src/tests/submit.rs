//! Requests: what is refused and why, which candidate is taken, what is held.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok, traits::tokens::fungible::InspectHold};
use sp_runtime::{DispatchError, TokenError};
use virtengine_primitives::{hpc::*, AssetKind, ClusterId};

/// The error that `submit` gives for a changed request; the read gives the same, and nothing is written.
fn refusal(candidates: &[ClusterId], change: impl FnOnce(&mut JobRequest)) -> DispatchError {
    let mut bad = request(candidates);
    change(&mut bad);
    let error = Hpc::candidates(ALICE, bad.clone()).unwrap_err();
    assert_noop!(
        Hpc::submit(RuntimeOrigin::signed(ALICE), Box::new(bad)),
        error
    );
    error
}

#[test]
fn submit_should_take_the_cheapest_and_hold_the_ceiling_when_all_are_eligible() {
    run(|| {
        let free = Balances::free_balance(ALICE);
        let wanted = request(&[1, 2, 3]);
        assert_ok!(Hpc::submit(
            RuntimeOrigin::signed(ALICE),
            Box::new(wanted.clone())
        ));
        let job = Hpc::job(1).unwrap();
        let candidate = |cluster: u32, cost| Candidate {
            cluster,
            partition: 0,
            plan: cluster,
            cost,
        };
        assert_eq!(job.assignment, candidate(3, 20));
        assert_eq!(
            job.remaining.to_vec(),
            vec![candidate(1, 60), candidate(2, 40)]
        );
        assert_eq!((job.provider, job.state), (3, JobState::Assigned));
        assert_eq!((job.deadline, job.start_by), (6, 21));
        assert_eq!(Agreements::get(1).unwrap().available, 1_000);
        let deposit = Balances::balance_on_hold(&DepositReason::get(), &ALICE);
        assert!(deposit > 0);
        assert_eq!(Balances::free_balance(ALICE), free - 1_000 - deposit);
        assert_eq!(
            events(),
            [
                Event::JobSubmitted {
                    job: 1,
                    customer: ALICE,
                    request: Box::new(wanted),
                    remaining: job.remaining.clone()
                },
                Event::JobAssigned {
                    job: 1,
                    provider: 3,
                    cluster: 3,
                    partition: 0,
                    plan: 3,
                    cost: 20,
                    deadline: 6,
                    start_by: 21
                },
            ]
        );
    });
}

#[test]
fn order_of_the_list_should_mean_nothing_when_ranked() {
    run(|| {
        // Same price everywhere: ties by hash.
        for plan in 1..=3 {
            publish(plan, plan, AssetKind::Native, 2);
        }
        let orders = [
            [1, 2, 3],
            [1, 3, 2],
            [2, 1, 3],
            [2, 3, 1],
            [3, 1, 2],
            [3, 2, 1],
        ];
        let mut first = orders.map(|order| Hpc::candidates(ALICE, request(&order)).unwrap());
        first.sort_by_key(|list| format!("{list:?}"));
        assert!(first.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(first[0].len(), 3);
    });
}

#[test]
fn ties_should_go_to_different_clusters_when_job_numbers_differ() {
    run(|| {
        for plan in 1..=3 {
            publish(plan, plan, AssetKind::Native, 2);
        }
        let taken: std::collections::BTreeSet<_> = (0..8)
            .map(|_| {
                let job = submit(&[1, 2, 3]);
                let cluster = Hpc::job(job).unwrap().assignment.cluster;
                Hpc::do_cancel(&ALICE, job).unwrap();
                cluster
            })
            .collect();
        assert!(taken.len() > 1, "no cluster is preferred for ever");
    });
}

#[test]
fn submit_should_name_the_field_when_it_makes_no_sense() {
    run(|| {
        let all = &[1, 2, 3];
        let e = |error: Error<Test>| DispatchError::from(error);
        assert_eq!(refusal(&[], |_| ()), e(Error::NoCandidates));
        assert_eq!(refusal(&[1, 2, 1], |_| ()), e(Error::DuplicateCandidate));
        let resources: [fn(&mut Resources); 4] = [
            |r| r.nodes = 0,
            |r| r.cpus = 0,
            |r| r.memory_mib = 0,
            |r| r.array_tasks = 0,
        ];
        for change in resources {
            let error = refusal(all, |r| change(&mut r.resources));
            assert_eq!(error, e(Error::BadResources));
        }
        assert_eq!(refusal(all, |r| r.walltime = 0), e(Error::ZeroWalltime));
        assert_eq!(refusal(all, |r| r.ceiling = 0), e(Error::ZeroCeiling));
        let input = InputRef {
            hash: template(),
            length: 1,
        };
        assert_eq!(
            refusal(all, |r| r.inputs = vec![input, input].try_into().unwrap()),
            e(Error::DuplicateInput)
        );
        let empty = InputRef { length: 0, ..input };
        assert_eq!(
            refusal(all, |r| r.inputs = vec![empty].try_into().unwrap()),
            e(Error::EmptyInput)
        );
        assert_eq!(
            refusal(all, |r| r.start_within = 9),
            e(Error::StartWithinTooShort)
        );
        // now 1 + start_within 20 + walltime 10 s of 1 s blocks
        assert_eq!(refusal(all, |r| r.end_by = 31), e(Error::EndByTooEarly));
        assert_eq!(refusal(all, |r| r.end_by = 0), e(Error::EndByTooEarly));
        assert_eq!(
            refusal(all, |r| r.walltime = u64::MAX),
            e(Error::EndByTooEarly)
        );
        assert_eq!(
            refusal(all, |r| r.start_within = u32::MAX),
            e(Error::EndByTooEarly)
        );
        assert_eq!(refusal(all, |r| r.end_by = 1_002), e(Error::EndByTooLate));
        for end_by in [32, 1_001] {
            let mut edge = request(all);
            edge.end_by = end_by;
            assert_ok!(Hpc::candidates(ALICE, edge));
        }
    });
}

#[test]
fn submit_should_name_the_nearest_reason_when_nobody_is_eligible() {
    run(|| {
        let e = |error: Error<Test>| DispatchError::from(error);
        let all = &[1, 2, 3];
        assert_eq!(refusal(&[9], |_| ()), e(Error::UnknownCluster));
        assert_eq!(
            refusal(&[1], |r| r.candidates[0].1 = 1),
            e(Error::UnknownPartition)
        );
        assert_eq!(
            refusal(all, |r| r.resources.nodes = 5),
            e(Error::BadResources)
        );
        assert_eq!(refusal(all, |r| r.resources.cpus = 9), e(Error::DoesNotFit));
        assert_eq!(refusal(all, |r| r.resources.gpus = 1), e(Error::DoesNotFit));
        assert_eq!(
            refusal(all, |r| r.workload = Workload::Template(Default::default())),
            e(Error::TemplateNotAllowed)
        );
        assert_eq!(
            refusal(all, |r| r.workload = Workload::Script),
            e(Error::ScriptNotAllowed)
        );
        assert_eq!(
            refusal(all, |r| r.asset = AssetKind::Asset(7)),
            e(Error::WrongAsset)
        );
        assert_eq!(
            refusal(all, |r| r.ceiling = 19),
            e(Error::CeilingBelowQuote)
        );
        assert_eq!(
            refusal(all, |r| r.payload = sealed_to(&[STRANGER])),
            e(Error::PayloadNotReadable)
        );
        assert_eq!(
            refusal(all, |r| r.payload.recipients = Default::default()),
            DispatchError::Other("malformed envelope")
        );
        // Three candidates, three reasons: the one that came furthest, in whatever order they are listed.
        Hpc::do_set_cluster_state(owner(1), 1, ClusterState::Draining).unwrap();
        Organisations::mutate_extant(2, |o| o.operational = false);
        for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
            let error = refusal(&order, |r| r.ceiling = 19);
            assert_eq!(error, e(Error::CeilingBelowQuote));
        }
        assert_eq!(refusal(&[2, 1], |_| ()), e(Error::ProviderNotOperational));
        assert_eq!(refusal(&[1, 9], |_| ()), e(Error::ClusterDraining));
        let mut strict = spec(3);
        strict.min_score = 50;
        Hpc::do_update_cluster(owner(3), 3, strict).unwrap();
        assert_eq!(refusal(all, |_| ()), e(Error::ScoreTooLow));
        Scores::insert(ALICE, 50);
        assert_ok!(Hpc::candidates(ALICE, request(all)));
        Plans::mutate_extant(3, |p| p.retired = true);
        assert_eq!(refusal(all, |_| ()), e(Error::NoQuote));
    });
}

#[test]
fn submit_should_refuse_when_the_cluster_has_as_many_jobs_as_it_takes() {
    run(|| {
        for _ in 0..3 {
            submit(&[3]);
        }
        assert_eq!(refusal(&[3], |_| ()), Error::<Test>::NoCapacity.into());
        // The next best takes it.
        let job = submit(&[1, 2, 3]);
        assert_eq!(Hpc::job(job).unwrap().assignment.cluster, 2);
        assert_eq!(Hpc::job(job).unwrap().remaining.len(), 1);
        assert_ok!(Hpc::do_cancel(&ALICE, 1));
        assert_ok!(Hpc::candidates(ALICE, request(&[3])));
    });
}

#[test]
fn payload_should_be_readable_when_sealed_to_owner_or_any_hot_key() {
    run(|| {
        for reader in [owner(3), worker(3), worker(3) + 100] {
            let mut wanted = request(&[3]);
            wanted.payload = sealed_to(&[reader]);
            assert_ok!(Hpc::candidates(ALICE, wanted.clone()));
            Revoked::insert(key_of(reader), ());
            assert_noop!(
                Hpc::do_submit(ALICE, wanted),
                Error::<Test>::PayloadNotReadable
            );
        }
    });
}

#[test]
fn submit_should_change_nothing_when_the_customer_cannot_pay_or_act() {
    run(|| {
        let mut dear = request(&[1, 2, 3]);
        dear.ceiling = ENDOWMENT;
        assert_noop!(
            Hpc::submit(RuntimeOrigin::signed(ALICE), Box::new(dear)),
            DispatchError::Token(TokenError::FundsUnavailable)
        );
        Suspended::insert(ALICE, ());
        assert_eq!(refusal(&[1], |_| ()), DispatchError::Other("suspended"));
    });
}

#[test]
fn scripts_should_be_taken_when_the_cluster_takes_them() {
    run(|| {
        let mut open = spec(2);
        open.custom_scripts = true;
        Hpc::do_update_cluster(owner(2), 2, open).unwrap();
        let mut wanted = request(&[1, 2, 3]);
        wanted.workload = Workload::Script;
        let job = Hpc::do_submit(ALICE, wanted).unwrap();
        assert_eq!(Hpc::job(job).unwrap().assignment.cluster, 2);
        assert!(Hpc::job(job).unwrap().remaining.is_empty());
    });
}
