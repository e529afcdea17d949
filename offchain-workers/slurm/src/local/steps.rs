//! Named steps: the instants between two durable effects.

use std::{io, sync::Arc};

/// An instant at which a crash matters. Each is passed just **after** what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Client: the job's directory is complete under a temporary name.
    Prepared,
    /// Client: the job exists.
    Persisted,
    /// Client: it was decided to start the job; no process yet.
    Launching,
    /// Client: the process that starts the shim has ended well.
    Launched,
    /// Client: the wish to cancel is durable.
    CancelPersisted,
    /// Client: the job's directory has been taken away under another name; not removed yet.
    Detached,
    /// Shim: holds the job's lock; the start is not durable.
    Locked,
    /// Shim: the start of the attempt is durable.
    Started,
    /// Shim: the start of a task is durable; no process yet.
    TaskBegun,
    /// Shim: the task's process exists.
    TaskSpawned,
    /// Shim: the task's process has ended; the end is not durable.
    TaskExited,
    /// Shim: the end of a task is durable.
    TaskRecorded,
    /// Shim: the end of the attempt is durable.
    AttemptRecorded,
    /// Both: a record is about to be written. An error from the observer stands for the disk's.
    Writing,
}

impl Step {
    /// All of the client's steps.
    pub const CLIENT: [Self; 6] = [
        Self::Prepared,
        Self::Persisted,
        Self::Launching,
        Self::Launched,
        Self::CancelPersisted,
        Self::Detached,
    ];
    /// All of the shim's steps.
    pub const SHIM: [Self; 7] = [
        Self::Locked,
        Self::Started,
        Self::TaskBegun,
        Self::TaskSpawned,
        Self::TaskExited,
        Self::TaskRecorded,
        Self::AttemptRecorded,
    ];

    /// The step's name, as in the source.
    pub fn name(&self) -> String {
        format!("{self:?}")
    }
}

/// Is told of each step. Failure tests kill the process from inside it; everybody else uses [`unobserved`].
/// An error makes the operation fail as if the disk had.
pub type Observer = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Observes nothing.
pub fn unobserved() -> Observer {
    Arc::new(|_| Ok(()))
}
