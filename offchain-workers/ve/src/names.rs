//! What states and reasons are called, in tables, in JSON and on the command line.

use virtengine_primitives::hpc::{EndReason, JobState};

/// `assigned`, `accepted`, `staging`, `queued`, `running`, or how it ended: see [`reason`].
pub fn state(state: &JobState) -> &'static str {
    match state {
        JobState::Assigned => "assigned",
        JobState::Accepted => "accepted",
        JobState::Staging => "staging",
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Ended(why) => reason(why),
    }
}

/// `completed`, `failed`, `out-of-memory`, `timed-out`, `cancelled`, `bad-input`, `node-failure`, `boot-failure`,
/// `preempted`, `provider-failure`, `expired`, `obstructed`.
pub fn reason(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Completed => "completed",
        EndReason::Failed => "failed",
        EndReason::OutOfMemory => "out-of-memory",
        EndReason::TimedOut => "timed-out",
        EndReason::Cancelled => "cancelled",
        EndReason::BadInput => "bad-input",
        EndReason::NodeFailure => "node-failure",
        EndReason::BootFailure => "boot-failure",
        EndReason::Preempted => "preempted",
        EndReason::ProviderFailure => "provider-failure",
        EndReason::Expired => "expired",
        EndReason::Obstructed(_) => "obstructed",
    }
}

/// All states by name, in the order of a job's life.
pub const STATES: [&str; 17] = [
    "assigned",
    "accepted",
    "staging",
    "queued",
    "running",
    "completed",
    "failed",
    "out-of-memory",
    "timed-out",
    "cancelled",
    "bad-input",
    "node-failure",
    "boot-failure",
    "preempted",
    "provider-failure",
    "expired",
    "obstructed",
];

/// How an end is explained to the customer.
pub fn explained(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Completed => "it ran to its end",
        EndReason::Failed => "its script ended with an error; what it used is paid",
        EndReason::OutOfMemory => "it ran into its memory limit; ask for more with --mem",
        EndReason::TimedOut => "it ran into its time limit; ask for more with --time",
        EndReason::Cancelled => "you asked for its end",
        EndReason::BadInput => "an input or a parameter could not be used",
        EndReason::NodeFailure => "a node died under it; nothing is charged",
        EndReason::BootFailure => "a node did not come up for it; nothing is charged",
        EndReason::Preempted => "other work pushed it aside; nothing is charged",
        EndReason::ProviderFailure => "the provider gave it up; nothing is charged",
        EndReason::Expired => {
            "no cluster took it or reported its end in time; what was not metered goes back"
        }
        EndReason::Obstructed(_) => {
            "processes of another job of yours stopped those that were to bring its files; nothing is charged"
        }
    }
}

/// How far a state is in a job's life, of [`LIFE`].
pub fn progress(state: &JobState) -> u64 {
    match state {
        JobState::Assigned => 0,
        JobState::Accepted => 1,
        JobState::Staging => 2,
        JobState::Queued => 3,
        JobState::Running => 4,
        JobState::Ended(_) => LIFE,
    }
}

/// Steps of a job's life.
pub const LIFE: u64 = 5;

/// Whether a job in `state` is meant by a filter: a state's name, `open` or `ended`.
pub fn matches(filter: &str, state_: &JobState) -> bool {
    let ended = matches!(state_, JobState::Ended(_));
    match filter {
        "open" => !ended,
        "ended" => ended,
        name => state(state_) == name,
    }
}
