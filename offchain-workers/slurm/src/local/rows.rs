//! Accounting out of the records of a job.

use std::io;

use super::{
    clock,
    dir::JobDir,
    records::{JobRecord, Over, TaskEnd},
};
use crate::types::{Allocated, Attempt, EndState, UnixMs};

/// What can still become of tasks that have no final row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// They may yet run: no row.
    Open,
    /// They never will, because the job was cancelled.
    Cancelled(UnixMs),
    /// They never will, because the node was lost.
    Lost(UnixMs),
}

/// All rows of a job, by task, then by attempt.
pub(crate) fn rows(
    dir: &JobDir,
    record: &JobRecord,
    cluster: &str,
    last: u32,
    rest: Rest,
) -> io::Result<Vec<Attempt>> {
    let spec = &record.spec;
    let boot_id = clock::boot_id();
    // When each attempt was submitted or requeued, and whether this is still the boot in which it was started.
    let mut submitted = record.submitted;
    let mut attempts = Vec::new();
    for number in 1..=last {
        let same_boot = dir
            .started(number)?
            .is_some_and(|started| started.boot_id == boot_id);
        attempts.push((number, submitted, same_boot));
        if let Some(end) = dir.attempt_end(number)? {
            submitted = end.wall_ms;
        }
    }
    let row = |task: u32, attempt: u32, submitted: UnixMs| Attempt {
        cluster: cluster.to_owned(),
        job: if spec.array_tasks > 1 {
            format!("{}_{task}", dir.handle())
        } else {
            dir.handle()
        },
        task,
        attempt,
        submitted,
        started: None,
        ended: None,
        allocated: Allocated {
            cpus: spec.cpus,
            memory_mib: spec.memory_mib,
            nodes: spec.nodes,
            gpus: spec.gpus,
        },
        elapsed_ms: 0,
        state: None,
        by_owner: false,
        detail: String::new(),
    };
    let mut all = Vec::new();
    for task in 0..spec.array_tasks {
        let mut final_state = None;
        for (attempt, submitted, same_boot) in &attempts {
            let Some(begin) = dir.begin(*attempt, task)? else {
                continue;
            };
            let mut row = row(task, *attempt, *submitted);
            row.started = Some(begin.wall_ms);
            match dir.task_end(*attempt, task)? {
                Some(end) => {
                    row.ended = Some(end.wall_ms);
                    row.elapsed_ms = end.elapsed_ms;
                    row.detail = end.detail;
                    final_state = Some(end.state.clone());
                    row.state = Some(end.state);
                }
                None => {
                    final_state = None;
                    if *same_boot {
                        row.elapsed_ms = clock::boot_ms().saturating_sub(begin.boot_ms);
                    }
                }
            }
            all.push(row);
        }
        // The row that says why nothing more comes of this task.
        let missing = match (&final_state, rest) {
            (_, Rest::Open) => None,
            (None, Rest::Cancelled(at)) => Some((EndState::Cancelled, at)),
            (None, Rest::Lost(at)) => Some((EndState::NodeFailure, at)),
            // Would have been started again, had it not been cancelled.
            (Some(EndState::NodeFailure), Rest::Cancelled(at)) if spec.requeue => {
                Some((EndState::Cancelled, at))
            }
            _ => None,
        };
        if let Some((state, at)) = missing {
            let mut row = row(task, last.saturating_add(1), submitted);
            row.ended = Some(at);
            row.state = Some(state);
            all.push(row);
        }
    }
    Ok(all)
}

/// How long a task may still run: the wall time less what earlier attempts used. `None` if it needs no further
/// attempt.
pub(crate) fn budget_ms(
    dir: &JobDir,
    record: &JobRecord,
    task: u32,
    attempts: u32,
) -> io::Result<Option<u64>> {
    let mut left = record.spec.walltime_s.saturating_mul(1000);
    for attempt in 1..=attempts {
        if let Some(TaskEnd {
            state, elapsed_ms, ..
        }) = dir.task_end(attempt, task)?
        {
            if state != EndState::NodeFailure {
                return Ok(None);
            }
            left = left.saturating_sub(elapsed_ms);
        }
    }
    Ok((left > 0).then_some(left))
}

/// Whether another attempt is due after attempt `last` is over, leaving aside a cancellation.
pub(crate) fn wants_another(
    dir: &JobDir,
    record: &JobRecord,
    last: u32,
    over: Over,
) -> io::Result<bool> {
    if over != Over::Lost || !record.spec.requeue || last >= MAX_ATTEMPTS {
        return Ok(false);
    }
    for task in 0..record.spec.array_tasks {
        if budget_ms(dir, record, task, last)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A job that loses its node this often is the cause of it.
pub(crate) const MAX_ATTEMPTS: u32 = 5;
