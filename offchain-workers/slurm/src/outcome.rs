//! What many rows of accounting say together.

use std::collections::BTreeMap;

use crate::types::{Attempt, EndState};

/// Tasks of a job by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskOutcomes {
    /// Ended with status 0.
    pub done: u32,
    /// Ended otherwise.
    pub failed: u32,
    /// Stopped on request, before or while they ran.
    pub cancelled: u32,
}

/// The last attempt of each task, by task.
pub fn latest(rows: &[Attempt]) -> Vec<&Attempt> {
    let mut last: BTreeMap<u32, &Attempt> = BTreeMap::new();
    for row in rows {
        let slot = last.entry(row.task).or_insert(row);
        if row.attempt >= slot.attempt {
            *slot = row;
        }
    }
    last.into_values().collect()
}

/// How urgently an end state of one task decides the end of the whole job. What leaves the customer's money alone
/// comes first: a job of which one task met a node failure is not reported as the customer's fault.
fn weight(state: &EndState) -> u8 {
    match state {
        EndState::Completed => 0,
        EndState::Failed { .. } => 1,
        EndState::OutOfMemory => 2,
        EndState::TimedOut => 3,
        EndState::Cancelled => 4,
        EndState::Preempted => 5,
        EndState::BootFailure => 6,
        EndState::NodeFailure => 7,
        EndState::Unknown(_) => 8,
    }
}

/// The end of a whole job out of the last attempts of its tasks; `None` while a task has not ended or if there is no row.
///
/// One task: its end. Several: `Completed` only if all are; otherwise the first task, by index, with the heaviest of
/// `Unknown`, `NodeFailure`, `BootFailure`, `Preempted`, `Cancelled`, `TimedOut`, `OutOfMemory`, `Failed`.
pub fn overall(rows: &[Attempt]) -> Option<EndState> {
    let mut heaviest: Option<&EndState> = None;
    for row in latest(rows) {
        let state = row.state.as_ref()?;
        if heaviest.is_none_or(|h| weight(state) > weight(h)) {
            heaviest = Some(state);
        }
    }
    heaviest.cloned()
}

/// Tasks by outcome. Tasks that have not ended are in none of the counts.
pub fn tasks(rows: &[Attempt]) -> TaskOutcomes {
    let mut counts = TaskOutcomes::default();
    for state in latest(rows).iter().filter_map(|row| row.state.as_ref()) {
        let count = match state {
            EndState::Completed => &mut counts.done,
            EndState::Cancelled => &mut counts.cancelled,
            _ => &mut counts.failed,
        };
        *count = count.saturating_add(1);
    }
    counts
}
