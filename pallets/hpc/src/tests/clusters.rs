//! Registering clusters and templates.

use crate::{mock::*, Error, Event, NextCluster};
use frame_support::{assert_noop, assert_ok, traits::tokens::fungible::InspectHold};
use virtengine_primitives::hpc::*;

fn deposit(who: AccountId) -> u128 {
    Balances::balance_on_hold(&DepositReason::get(), &who)
}

#[test]
fn register_should_number_clusters_and_take_a_deposit_when_the_specification_is_sound() {
    run(|| {
        let before = deposit(owner(1));
        assert_ok!(Hpc::register_cluster(
            RuntimeOrigin::signed(owner(1)),
            spec(1)
        ));
        assert_eq!(NextCluster::<Test>::get(), 5);
        assert!(deposit(owner(1)) > before);
        let cluster = Hpc::cluster(4).unwrap();
        assert_eq!((cluster.provider, cluster.open_jobs), (1, 0));
        assert_eq!(cluster.state, ClusterState::Open);
        assert_eq!(
            events(),
            [Event::ClusterRegistered {
                cluster: 4,
                provider: 1,
                spec: spec(1)
            }]
        );
    });
}

#[test]
fn register_should_name_the_field_when_it_makes_no_sense() {
    let refused = |change: fn(&mut ClusterSpec), error: Error<Test>| {
        let mut bad = spec(1);
        change(&mut bad);
        assert_noop!(Hpc::do_register_cluster(owner(1), bad.clone()), error);
        // The same holds for a change.
        let mut bad = spec(1);
        change(&mut bad);
        let again = Hpc::do_update_cluster(owner(1), 1, bad).unwrap_err();
        assert!(matches!(again, sp_runtime::DispatchError::Module(_)));
    };
    run(|| {
        refused(|s| s.name = name(""), Error::BadName);
        refused(
            |s| s.name = vec![0xff, 0xfe].try_into().unwrap(),
            Error::BadName,
        );
        refused(|s| s.partitions[0].name = name(""), Error::BadName);
        refused(|s| s.partitions[0].name = name("a b"), Error::BadName);
        refused(|s| s.partitions[0].name = name("a,b"), Error::BadName);
        refused(|s| s.partitions[0].name = name("ä"), Error::BadName);
        refused(|s| s.partitions = Default::default(), Error::NoPartitions);
        refused(
            |s| s.partitions.try_push(partition("cpu", 1)).unwrap(),
            Error::DuplicatePartition,
        );
        refused(|s| s.partitions[0].nodes = 0, Error::EmptyPartition);
        refused(|s| s.partitions[0].cpus_per_node = 0, Error::EmptyPartition);
        refused(
            |s| s.partitions[0].memory_mib_per_node = 0,
            Error::EmptyPartition,
        );
        refused(|s| s.partitions[0].max_walltime = 0, Error::EmptyPartition);
        refused(|s| s.partitions[0].plan = 77, Error::BadPlan);
        // Another provider's.
        refused(|s| s.partitions[0].plan = 2, Error::BadPlan);
        refused(|s| s.max_open_jobs = 0, Error::NoJobsAtOnce);
        refused(|s| s.min_score = 101, Error::BadScore);
    });
}

#[test]
fn every_call_should_refuse_when_the_caller_does_not_own_the_provider() {
    run(|| {
        for who in [ALICE, worker(1)] {
            let e = Error::<Test>::NotAnOwner;
            assert_noop!(Hpc::do_register_cluster(who, spec(1)), e);
            assert_noop!(
                Hpc::do_update_cluster(who, 1, spec(1)),
                Error::<Test>::NotAnOwner
            );
            assert_noop!(
                Hpc::do_set_cluster_state(who, 1, ClusterState::Draining),
                Error::<Test>::NotAnOwner
            );
            assert_noop!(
                Hpc::do_allow_template(who, 1, template(), name("x")),
                Error::<Test>::NotAnOwner
            );
            assert_noop!(
                Hpc::do_disallow_template(who, 1, template()),
                Error::<Test>::NotAnOwner
            );
        }
        for who in [ALICE, worker(1), owner(2)] {
            assert_noop!(
                Hpc::do_deregister_cluster(who, 1),
                Error::<Test>::NotYourCluster
            );
        }
        let who = owner(2);
        assert_noop!(
            Hpc::do_update_cluster(who, 1, spec(2)),
            Error::<Test>::NotYourCluster
        );
        assert_noop!(
            Hpc::do_set_cluster_state(who, 1, ClusterState::Draining),
            Error::<Test>::NotYourCluster
        );
        assert_noop!(
            Hpc::do_allow_template(who, 1, template(), name("x")),
            Error::<Test>::NotYourCluster
        );
        assert_noop!(
            Hpc::do_disallow_template(who, 1, template()),
            Error::<Test>::NotYourCluster
        );
        assert_noop!(
            Hpc::do_update_cluster(who, 44, spec(2)),
            Error::<Test>::UnknownCluster
        );
        assert_noop!(
            Hpc::do_deregister_cluster(who, 44),
            Error::<Test>::UnknownCluster
        );
    });
}

#[test]
fn suspended_owner_should_only_be_able_to_withdraw_when_suspended() {
    run(|| {
        Suspended::insert(owner(1), ());
        assert!(Hpc::do_register_cluster(owner(1), spec(1)).is_err());
        assert!(Hpc::do_update_cluster(owner(1), 1, spec(1)).is_err());
        assert!(Hpc::do_allow_template(owner(1), 1, Default::default(), name("x")).is_err());
        assert_ok!(Hpc::do_set_cluster_state(
            owner(1),
            1,
            ClusterState::Draining
        ));
        assert_ok!(Hpc::do_disallow_template(owner(1), 1, template()));
        assert_ok!(Hpc::do_deregister_cluster(owner(1), 1));
        Suspended::remove(owner(1));
    });
}

#[test]
fn update_should_keep_partitions_in_place_when_jobs_are_open() {
    run(|| {
        let job = submit(&[1]);
        let mut renamed = spec(1);
        renamed.partitions[0].name = name("other");
        assert_noop!(
            Hpc::do_update_cluster(owner(1), 1, renamed.clone()),
            Error::<Test>::PartitionInUse
        );
        let mut more = spec(1);
        more.partitions.try_push(partition("gpu", 1)).unwrap();
        more.max_open_jobs = 1;
        assert_ok!(Hpc::update_cluster(
            RuntimeOrigin::signed(owner(1)),
            1,
            more.clone()
        ));
        assert_noop!(
            Hpc::do_update_cluster(owner(1), 1, spec(1)),
            Error::<Test>::PartitionInUse
        );
        assert_eq!(Hpc::cluster(1).unwrap().spec, more);
        assert_eq!(Hpc::cluster(1).unwrap().open_jobs, 1);
        assert_ok!(Hpc::do_cancel(&ALICE, job));
        assert_ok!(Hpc::do_update_cluster(owner(1), 1, renamed));
    });
}

#[test]
fn deregister_should_wait_when_jobs_are_open_and_return_the_deposit_after() {
    run(|| {
        let job = submit(&[1]);
        let origin = RuntimeOrigin::signed(owner(1));
        assert_noop!(
            Hpc::do_deregister_cluster(owner(1), 1),
            Error::<Test>::OpenJobsRemain
        );
        assert_ok!(Hpc::set_cluster_state(
            origin.clone(),
            1,
            ClusterState::Draining
        ));
        assert_ok!(Hpc::do_cancel(&ALICE, job));
        assert_ok!(Hpc::deregister_cluster(origin, 1));
        assert_eq!(deposit(owner(1)), 0);
        assert_eq!(Hpc::cluster(1), None);
        assert_eq!(Hpc::templates(1), vec![]);
        // The number stays used.
        assert_eq!(Hpc::do_register_cluster(owner(1), spec(1)), Ok(4));
    });
}

#[test]
fn depositor_should_get_the_deposit_back_when_the_provider_is_gone() {
    run(|| {
        let gone = Organisations::take(1).unwrap();
        assert_noop!(
            Hpc::do_deregister_cluster(ALICE, 1),
            Error::<Test>::NotYourCluster
        );
        assert_ok!(Hpc::do_deregister_cluster(owner(1), 1));
        assert_eq!(deposit(owner(1)), 0);
        Organisations::insert(1, gone);
    });
}

#[test]
fn templates_should_be_counted_and_bounded_when_allowed_and_disallowed() {
    run(|| {
        let origin = RuntimeOrigin::signed(owner(1));
        let hash = |n: u8| [n; 32].into();
        let (free, one) = (Balances::free_balance(owner(1)), deposit(owner(1)));
        for n in 2..=4 {
            assert_ok!(Hpc::allow_template(
                origin.clone(),
                1,
                hash(n),
                name("more")
            ));
        }
        assert!(deposit(owner(1)) > one);
        assert_noop!(
            Hpc::do_allow_template(owner(1), 1, hash(5), name("x")),
            Error::<Test>::TooManyTemplates
        );
        assert_noop!(
            Hpc::do_allow_template(owner(1), 1, hash(4), name("x")),
            Error::<Test>::TemplateAlreadyAllowed
        );
        assert_noop!(
            Hpc::do_allow_template(owner(1), 1, hash(5), name("")),
            Error::<Test>::BadName
        );
        assert_noop!(
            Hpc::do_disallow_template(owner(1), 1, hash(5)),
            Error::<Test>::TemplateNotAllowed
        );
        assert_eq!(Hpc::templates(1).len(), 4);
        for n in 2..=4 {
            assert_ok!(Hpc::disallow_template(origin.clone(), 1, hash(n)));
        }
        assert_eq!(Hpc::templates(1), vec![(template(), name("one"))]);
        assert_eq!(
            (Balances::free_balance(owner(1)), deposit(owner(1))),
            (free, one)
        );
    });
}

#[test]
fn a_later_owner_should_pay_for_what_it_adds_when_the_organisation_has_changed_hands() {
    run(|| {
        let of_one_template = deposit(owner(1));
        Organisations::mutate_extant(1, |o| o.owner = BOB);
        // What is taken away still goes back to who paid for it.
        assert_ok!(Hpc::do_disallow_template(BOB, 1, template()));
        assert!(deposit(owner(1)) < of_one_template);
        assert_eq!(deposit(BOB), 0);
        assert_ok!(Hpc::do_allow_template(BOB, 1, template(), name("x")));
        assert_eq!((deposit(owner(1)), deposit(BOB)), (0, of_one_template));
        assert_ok!(Hpc::do_deregister_cluster(BOB, 1));
        assert_eq!(deposit(BOB), 0);
    });
}
