//! What accounting itself says, asked another way: as the administrator, with other fields, read by other code.

use std::collections::BTreeSet;

use ve_slurm::{Attempt, SchedulerJobId};

use super::Daemons;

/// Every started attempt of a job is there once, with sacct's times and seconds, and nothing else is.
pub fn assert_equal(daemons: &Daemons, id: &SchedulerJobId, attempts: &[Attempt]) {
    let job = id.0.split(':').next().expect("number");
    let text = daemons.admin(&[
        "sacct",
        "--duplicates",
        "--allocations",
        "--parsable2",
        "--noheader",
        "--allusers",
        "-j",
        job,
        "--format=JobIDRaw,Submit,Start,End,ElapsedRaw,AllocCPUS,AllocTRES",
    ]);
    let mut truth = BTreeSet::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        if fields[6].is_empty() {
            continue;
        }
        let s = |i: usize| fields[i].parse::<u64>().expect(line);
        truth.insert((s(0), s(1), s(2), s(3), s(4), s(5)));
    }
    let mut ours = BTreeSet::new();
    for attempt in attempts.iter().filter(|a| a.started.is_some()) {
        let s = |ms: Option<u64>| ms.expect("known") / 1000;
        let new = ours.insert((
            attempt.job.parse().expect("number"),
            attempt.submitted / 1000,
            s(attempt.started),
            s(attempt.ended),
            attempt.elapsed_ms / 1000,
            u64::from(attempt.allocated.cpus),
        ));
        assert!(new, "twice: {attempt:?}");
    }
    assert_eq!(ours, truth, "{text}");
}
