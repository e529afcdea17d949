//! The conformance suite. One test: the cases share a cluster, and mostly wait.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::JoinSet};
use ve_slurm::conformance::{check, Case};

use crate::bed::RestBed;

/// Cases at once. Those that wait for a time limit, which SLURM counts in minutes, begin first.
const AT_ONCE: usize = 8;
const SLOW: [Case; 4] = [
    Case::WarningIgnored,
    Case::TimeLimit,
    Case::WarningUnhandled,
    Case::WarningHeeded,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slurm_rest_should_behave_as_every_scheduler_when_the_cluster_is_real() {
    let bed = Arc::new(RestBed::given_or_own());
    eprintln!("{:?}", bed.rest().api_version().await);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut cases = Case::ALL;
    cases.sort_by_key(|case| !SLOW.contains(case));
    let mut running = JoinSet::new();
    for case in cases {
        let turn = turns.clone().acquire_owned().await.expect("open");
        let bed = bed.clone();
        running.spawn(async move {
            let from = std::time::Instant::now();
            let result = check(&*bed, case).await;
            drop(turn);
            eprintln!("{}: {result:?} after {:?}", case.name(), from.elapsed());
            (case, result)
        });
    }
    let mut failures = Vec::new();
    while let Some(done) = running.join_next().await {
        if let (case, Err(failure)) = done.expect("a case panicked") {
            failures.push(format!("{}: {failure}", case.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
