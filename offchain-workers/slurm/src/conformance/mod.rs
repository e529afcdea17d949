//! What every [`Scheduler`] must do, as checks that run against the real thing.
//!
//! A test of an implementation provides a [`Bed`] and runs each [`Case`]:
//!
//! ```ignore
//! for case in Case::ALL {
//!     check(&bed, case).await.expect(case.name());
//! }
//! ```
//!
//! Scripts need `/bin/bash` and the usual small tools. Nothing here knows how the scheduler works.

mod cases;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use crate::{
    scheduler::Scheduler,
    types::{Attempt, EndState, SchedulerJobId, Status, SubmitSpec},
};

/// Where a conformance run takes place.
#[async_trait]
pub trait Bed: Send + Sync {
    /// A new client, which knows nothing that an earlier one kept in memory.
    async fn client(&self) -> Arc<dyn Scheduler>;

    /// A directory that exists and that jobs see under the same path. Cases make directories of their own in it.
    fn shared_dir(&self) -> PathBuf;

    /// A handle that was never used before.
    fn fresh_handle(&self) -> String;

    /// An id of the right form that no job has.
    fn unknown_id(&self) -> SchedulerJobId;

    /// Partition to submit to.
    fn partition(&self) -> Option<String> {
        None
    }

    /// Shortest time limit that the scheduler can keep.
    fn shortest_limit(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// How long a job of no length may take to end, and an end to be noticed.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Whether accounting itself can be forgotten. SLURM's is the cluster's, and kept by its own rules.
    fn forgets_accounting(&self) -> bool {
        true
    }

    /// Limit of a job that is warned, and the lead of its warning: the script must have begun by then. SLURM warns up to
    /// a minute early.
    fn warned(&self) -> (Duration, Duration) {
        let shortest = self.shortest_limit();
        (shortest.saturating_mul(2), shortest)
    }

    /// How a job ends that takes too much memory. SLURM can tell only where cgroups hold the limit; elsewhere it kills the
    /// script, which looks like any other failure.
    fn memory_end(&self) -> EndState {
        EndState::OutOfMemory
    }
}

/// One behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Case {
    /// A job runs once, ends `Completed`, and accounting says what it had and for how long.
    Accounting,
    /// The exit code of a script arrives.
    FailingExitCode,
    /// A job is found by its handle before, while and after it runs; absent means absent.
    Find,
    /// Questions about a job that never was have a definite answer.
    UnknownJob,
    /// The same handle twice, and from two clients at once, is one run.
    DoubleSubmit,
    /// A job goes on without its client, and another client takes over.
    ClientRestart,
    /// A running job is cancelled; twice is once; an ended job keeps its end.
    Cancel,
    /// A job at its limit ends `TimedOut`.
    TimeLimit,
    /// A job that heeds its warning ends in its own way.
    WarningHeeded,
    /// A job that ignores warning and polite request is killed.
    WarningIgnored,
    /// A job that never heard of its warning dies of it, as out of time.
    WarningUnhandled,
    /// More memory than asked for ends `OutOfMemory`.
    OutOfMemory,
    /// A file, output included, does not grow beyond its limit.
    OutputFlood,
    /// Tasks of an array know their index and have a row each.
    Array,
    /// One failing task makes the array fail; the others count as done.
    ArrayWithFailure,
    /// Nothing of the client's environment reaches a script.
    CleanEnvironment,
    /// Background processes, detached ones included, die with their script.
    LeftOvers,
    /// Ended jobs can be forgotten, others not.
    Forget,
    /// A request that makes no sense is refused, and nothing is created.
    Refusals,
    /// Asked about many jobs at once, a scheduler says of each what it says when asked about it alone.
    Statuses,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Accounting,
        Self::FailingExitCode,
        Self::Find,
        Self::UnknownJob,
        Self::DoubleSubmit,
        Self::ClientRestart,
        Self::Cancel,
        Self::TimeLimit,
        Self::WarningHeeded,
        Self::WarningIgnored,
        Self::WarningUnhandled,
        Self::OutOfMemory,
        Self::OutputFlood,
        Self::Array,
        Self::ArrayWithFailure,
        Self::CleanEnvironment,
        Self::LeftOvers,
        Self::Forget,
        Self::Refusals,
        Self::Statuses,
    ];

    /// Its name, as in the source.
    pub fn name(&self) -> String {
        format!("{self:?}")
    }
}

/// Why a case failed.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs one case.
pub async fn check(bed: &dyn Bed, case: Case) -> Result<(), Failure> {
    match case {
        Case::Accounting => cases::accounting(bed).await,
        Case::FailingExitCode => cases::failing_exit_code(bed).await,
        Case::Find => cases::find(bed).await,
        Case::UnknownJob => cases::unknown_job(bed).await,
        Case::DoubleSubmit => cases::double_submit(bed).await,
        Case::ClientRestart => cases::client_restart(bed).await,
        Case::Cancel => cases::cancel(bed).await,
        Case::TimeLimit => cases::time_limit(bed).await,
        Case::WarningHeeded => cases::warning_heeded(bed).await,
        Case::WarningIgnored => cases::warning_ignored(bed).await,
        Case::WarningUnhandled => cases::warning_unhandled(bed).await,
        Case::OutOfMemory => cases::out_of_memory(bed).await,
        Case::OutputFlood => cases::output_flood(bed).await,
        Case::Array => cases::array(bed).await,
        Case::ArrayWithFailure => cases::array_with_failure(bed).await,
        Case::CleanEnvironment => cases::clean_environment(bed).await,
        Case::LeftOvers => cases::left_overs(bed).await,
        Case::Forget => cases::forget(bed).await,
        Case::Refusals => cases::refusals(bed).await,
        Case::Statuses => cases::statuses(bed).await,
    }
}

/// A job in a directory of its own, with a script of this body: one processor, 256 MiB, an hour.
pub fn job(bed: &dyn Bed, body: &str) -> io::Result<SubmitSpec> {
    let handle = bed.fresh_handle();
    let work_dir = bed.shared_dir().join(format!("work-{handle}"));
    fs::create_dir(&work_dir)?;
    Ok(SubmitSpec {
        handle,
        partition: bed.partition(),
        identity: None,
        stdout: work_dir.join("stdout"),
        stderr: work_dir.join("stderr"),
        work_dir,
        script: format!("#!/bin/bash\n{body}\n"),
        cpus: 1,
        memory_mib: 256,
        nodes: 1,
        gpus: 0,
        gpu_type: None,
        walltime_s: 3600,
        array_tasks: 1,
        warning: None,
        requeue: false,
        max_file_bytes: None,
        max_processes: None,
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
    })
}

/// Waits until a job runs. A scheduler that starts jobs when it is asked about them is asked.
pub async fn wait_running(
    client: &dyn Scheduler,
    id: &SchedulerJobId,
    patience: Duration,
) -> Result<(), Failure> {
    let until = Instant::now() + patience;
    loop {
        match client.status(id).await {
            Status::Running { .. } => return Ok(()),
            Status::Queued | Status::Unknown(_) if Instant::now() < until => {}
            other => {
                return Err(Failure(format!(
                    "job {id} does not run within {patience:?}: {other:?}"
                )))
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Polls until a job has ended, for at most `patience`. The status may only go forward meanwhile.
pub async fn wait_end(
    client: &dyn Scheduler,
    id: &SchedulerJobId,
    patience: Duration,
) -> Result<EndState, Failure> {
    let until = Instant::now() + patience;
    let mut ran = false;
    loop {
        match client.status(id).await {
            Status::Ended(state) => return Ok(state),
            Status::Running { .. } => ran = true,
            Status::Queued if ran => {
                return Err(Failure(format!("job {id} went back into the queue")));
            }
            Status::Queued => {}
            Status::Absent => return Err(Failure(format!("job {id} is absent"))),
            // Legitimate for a while.
            Status::Unknown(_) => {}
        }
        if Instant::now() >= until {
            let status = client.status(id).await;
            return Err(Failure(format!(
                "job {id} has not ended within {patience:?}: {status:?}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Polls until a file exists and is not empty.
pub async fn wait_file(path: &std::path::Path, patience: Duration) -> Result<String, Failure> {
    let until = Instant::now() + patience;
    loop {
        match fs::read_to_string(path) {
            Ok(text) if !text.is_empty() => return Ok(text),
            _ if Instant::now() >= until => {
                return Err(Failure(format!(
                    "{} did not appear within {patience:?}",
                    path.display()
                )));
            }
            _ => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
}

/// The rows of an ended job: all complete, in order.
pub async fn final_rows(
    client: &dyn Scheduler,
    id: &SchedulerJobId,
) -> Result<Vec<Attempt>, Failure> {
    let rows = client.attempts(id).await?;
    let mut before = None;
    for row in &rows {
        let key = (row.task, row.attempt);
        if before.is_some_and(|b| b >= key) {
            return Err(Failure(format!("rows are out of order: {rows:?}")));
        }
        before = Some(key);
        if row.state.is_none() || row.ended.is_none() {
            return Err(Failure(format!(
                "the job has ended, this row has not: {row:?}"
            )));
        }
        if row.started.is_some_and(|s| s < row.submitted) {
            return Err(Failure(format!("started before it was submitted: {row:?}")));
        }
    }
    Ok(rows)
}
