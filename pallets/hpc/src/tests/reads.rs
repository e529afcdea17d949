//! Pages.

use crate::mock::*;
use frame_support::assert_ok;
use virtengine_primitives::hpc::Job;

#[test]
fn jobs_should_come_in_pages_in_order_of_number() {
    run(|| {
        let mut large = spec(3);
        large.max_open_jobs = 1_000;
        assert_ok!(Hpc::do_update_cluster(owner(3), 3, large));
        let mut small = request(&[3]);
        small.ceiling = 20;
        let jobs: Vec<_> = (0..130)
            .map(|_| Hpc::do_submit(ALICE, small.clone()).unwrap())
            .collect();
        let numbers =
            |page: Vec<(u64, Job<u64>)>| page.into_iter().map(|(id, _)| id).collect::<Vec<u64>>();
        assert_eq!(numbers(Hpc::jobs_of(ALICE, None)), jobs[..100]);
        assert_eq!(numbers(Hpc::jobs_of(ALICE, Some(jobs[99]))), jobs[100..]);
        assert_eq!(numbers(Hpc::jobs_of(ALICE, Some(jobs[129]))), vec![0u64; 0]);
        assert_eq!(numbers(Hpc::open_jobs(3, None)), jobs[..100]);
        assert_eq!(numbers(Hpc::open_jobs(3, Some(jobs[99]))), jobs[100..]);
        assert_ok!(Hpc::do_cancel(&ALICE, jobs[100]));
        // The number to continue from need not be there any more.
        assert_eq!(numbers(Hpc::open_jobs(3, Some(jobs[100]))), jobs[101..]);
        assert_eq!(numbers(Hpc::jobs_of(ALICE, Some(jobs[99]))), jobs[100..]);
        assert_eq!(numbers(Hpc::jobs_of(BOB, None)), vec![0u64; 0]);
        assert_eq!(numbers(Hpc::open_jobs(1, None)), vec![0u64; 0]);
        assert_eq!(Hpc::next_job(), 131);

        let some = [jobs[3], 1_000, jobs[1], jobs[3]].map(|id| (id, Hpc::job(id)));
        let (ids, answers): (Vec<_>, Vec<_>) = some.into_iter().unzip();
        assert_eq!(Hpc::jobs(ids), answers);
        assert!(answers[1].is_none() && answers[2].is_some());
        assert_eq!(Hpc::jobs(jobs.clone()).len(), 100);
    });
}

#[test]
fn clusters_should_come_in_pages_with_the_number_to_continue_from() {
    run(|| {
        for _ in 0..110 {
            assert_ok!(Hpc::do_register_cluster(owner(1), spec(1)).map(|_| ()));
        }
        assert_ok!(Hpc::do_deregister_cluster(owner(1), 50));
        let (page, next) = Hpc::clusters(0);
        assert_eq!((page.len(), next), (100, Some(102)));
        assert!(page.iter().all(|(id, _)| *id != 50));
        let (page, next) = Hpc::clusters(102);
        assert_eq!((page.len(), next), (12, None));
        assert_eq!(Hpc::clusters(u32::MAX), (vec![], None));
    });
}

#[test]
fn limits_should_be_those_of_the_configuration() {
    run(|| assert_eq!(Hpc::limits(), (5, 5, 1_000)));
}
