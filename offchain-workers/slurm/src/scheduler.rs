//! The seam to a batch scheduler.

use async_trait::async_trait;

use crate::types::{Attempt, Health, Lookup, SchedulerJobId, Status, SubmitSpec};

/// Why a submission gave no job id. What matters is whether a job may exist nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The request can never be taken as it is; no job exists. The text names the field and the remedy.
    #[error("the scheduler refused the job: {0}")]
    Refused(String),
    /// Nothing was created, but the same request may be taken later.
    #[error("the scheduler takes no job now ({0}); nothing was created, try again later")]
    Unavailable(String),
    /// The answer was lost: a job may or may not exist. Never submit again before `find` answered `Absent`.
    #[error("it is not known whether the job was taken ({0}); look it up by its handle")]
    Unknown(String),
}

/// Why a question about a job had no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Every source that could know has answered, and none knows this job.
    #[error("the scheduler knows no such job")]
    Absent,
    /// Not every source answered; ask again later.
    #[error("the scheduler gave no usable answer ({0}); ask again later")]
    Unknown(String),
}

/// Why a job was not forgotten.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgetError {
    /// It has not ended. Cancel it and wait for its end first.
    #[error("the job has not ended; cancel it and wait for its end first")]
    StillActive,
    /// Not everything could be removed; call again later.
    #[error("not everything of the job could be removed ({0}); try again later")]
    Unknown(String),
}

/// A batch scheduler, seen by the provider role.
///
/// Contract, checked by [`crate::conformance`] for every implementation:
///
/// * **Not knowing is an answer of its own.** A source that is unreachable, late or unreadable gives `Unknown`.
///   `Absent` is said only when every source that could know (queue and accounting) has answered.
/// * **One handle, one run.** Whatever is killed at whatever instant, and however many clients call at once, a handle
///   is started once; again only if the specification allows requeueing and a node was lost, and then each attempt
///   has its own rows in accounting.
/// * **An end is final.** Once `status` said [`Status::Ended`], it says the same until the job is forgotten, and
///   `attempts` has every row with `ended` and `state` filled in.
/// * **Jobs do not need their client.** A submitted job that was started goes on when the client dies.
/// * Each call bounds its own waiting; none blocks the executor.
#[async_trait]
pub trait Scheduler: Send + Sync {
    /// Whether queue and accounting answer.
    async fn health(&self) -> Health;

    /// Hands a job over. Idempotent by handle: if a job of this handle exists, in any state, its id comes back and
    /// nothing is created, even when the rest of the specification differs.
    ///
    /// Persist the intent before calling. Files named in the specification must be complete on disk. Takes neither the
    /// script's success nor a free slot to return: a job that has to wait is `Queued`.
    async fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError>;

    /// Looks for jobs by handle, ended ones included.
    async fn find(&self, handle: &str) -> Lookup;

    /// Where a job stands.
    async fn status(&self, id: &SchedulerJobId) -> Status;

    /// Where several jobs stand, one answer for each, in order. Says what asking for each would say; an implementation
    /// asks its sources once for all of them if it can.
    async fn statuses(&self, ids: &[SchedulerJobId]) -> Vec<Status> {
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            all.push(self.status(id).await);
        }
        all
    }

    /// Asks for the end of a job. Idempotent; returns as soon as the wish is durable, not when the job has ended: read
    /// `status` for that. A job that has already ended keeps its end. Tasks never started are not started any more.
    async fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError>;

    /// Accounting: all rows known so far, by task, then by attempt. Rows of running tasks are included, with
    /// `elapsed_ms` up to now.
    async fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError>;

    /// Removes what the scheduler keeps of an ended job, once its outputs and accounting have been collected.
    /// Idempotent: a job that is gone already is a success. Never touches the work directory. A scheduler whose
    /// accounting cannot be removed removes the rest.
    async fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError>;

    /// Asks every job of the user that this client acts for to end, whatever its name: a job may have submitted others.
    /// Returns how many there still were: until that is 0 it is called again. A scheduler without users of its own has none.
    async fn end_all(&self) -> Result<usize, QueryError> {
        Ok(0)
    }
}
