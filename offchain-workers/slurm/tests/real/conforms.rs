//! The conformance suite as one test: its cases share a cluster, and mostly wait.

use std::{sync::Arc, time::Instant};

use tokio::{sync::Semaphore, task::JoinSet};
use ve_slurm::conformance::{check, Bed, Case};

/// Those that wait for a time limit, which SLURM counts in minutes, begin first.
const SLOW: [Case; 4] = [
    Case::WarningIgnored,
    Case::TimeLimit,
    Case::WarningHeeded,
    Case::WarningUnhandled,
];

/// Runs every case, `at_once` of them side by side, and names all that fail.
pub async fn assert_conforms(bed: Arc<impl Bed + 'static>, at_once: usize) {
    let turns = Arc::new(Semaphore::new(at_once));
    let mut cases = Case::ALL;
    cases.sort_by_key(|case| !SLOW.contains(case));
    let mut running = JoinSet::new();
    for case in cases {
        let turn = turns.clone().acquire_owned().await.expect("open");
        let bed = bed.clone();
        running.spawn(async move {
            let from = Instant::now();
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
