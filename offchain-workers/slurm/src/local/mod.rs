//! The local scheduler: jobs as processes of this machine, for development chains and a provider's own templates.
//!
//! It isolates nothing: jobs run as the worker's own user. What it does share with a cluster is the contract: a job
//! outlives the client that submitted it, runs once, and leaves accounting that no crash can change.
//!
//! One directory per job, named by its handle, holds everything:
//!
//! ```text
//! <state>/.ve-local.json        tells the directory from an empty mount point
//! <state>/<handle>/job.json     the specification; the job exists once this directory has its name
//!                  script       copy of the script
//!                  lock         held by the shim as long as it lives
//!                  cancel.json  the wish to end it
//!                  a1/          first attempt: started, begin and end of each task, last sign of life, ended
//!                  end.json     over for good
//! ```
//!
//! Clients start waiting jobs whenever they are called; without a client, running jobs go on and waiting jobs wait.

pub(crate) mod clock;
pub(crate) mod dir;
mod glance;
mod judge;
pub(crate) mod processes;
mod queue;
pub(crate) mod records;
pub(crate) mod rows;
mod state;
pub(crate) mod steps;

use std::{
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    scheduler::{ForgetError, QueryError, Scheduler, SubmitError},
    types::{Attempt, Health, Lookup, SchedulerJobId, Status, SubmitSpec},
};
pub use records::ShimCommand;
use state::State;
pub use steps::{unobserved, Observer, Step};

/// Longest wait for one call. The disk may hang; the executor must not.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What the machine gives to jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Capacity {
    /// All processors and all memory of this machine.
    pub fn of_this_machine() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let memory_kib = std::fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| {
                let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
                line.split_ascii_whitespace().next()?.parse::<u64>().ok()
            })
            .unwrap_or(1024 * 1024);
        Self {
            cpus: u32::try_from(cpus).unwrap_or(1),
            memory_mib: memory_kib / 1024,
        }
    }
}

/// Configuration of the local scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConfig {
    /// Where jobs are kept. Made on first use if it does not exist; its parent must. All clients of one machine name
    /// the same directory. Must be on a local file system.
    pub state_dir: PathBuf,
    /// Name of the cluster in accounting.
    pub cluster: String,
    /// What jobs may use together.
    pub capacity: Capacity,
    /// How to start the shim.
    pub shim: ShimCommand,
    /// Between the polite and the hard kill of a job that is cancelled or out of time.
    pub kill_grace: Duration,
}

impl LocalConfig {
    /// The whole machine, cluster `local`, five seconds of grace, and `program shim …` as the shim.
    pub fn new(state_dir: impl Into<PathBuf>, program: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            cluster: "local".to_owned(),
            capacity: Capacity::of_this_machine(),
            shim: ShimCommand {
                program: program.into(),
                args: vec!["shim".into()],
            },
            kill_grace: Duration::from_secs(5),
        }
    }
}

/// Why the local scheduler could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory exists but was not made by the local scheduler.
    #[error("{0} exists but holds no jobs of the local scheduler: if a file system should be mounted there, mount it; otherwise name a directory that does not exist yet")]
    NotOurs(PathBuf),
    /// It was made by another version.
    #[error("{path} has layout {found}, this version knows layout {known}: use the worker that made it until its jobs have ended")]
    Layout {
        /// Which directory.
        path: PathBuf,
        /// Its layout.
        found: u32,
        /// The layout of this version.
        known: u32,
    },
    /// It cannot be read or made.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A client of the local scheduler. Any number of clients, in one process or many, may share a state directory.
#[derive(Clone)]
pub struct LocalScheduler {
    state: Arc<State>,
}

impl LocalScheduler {
    /// Opens the state directory, or makes it. Blocks on the disk for a moment.
    pub fn open(config: LocalConfig) -> Result<Self, OpenError> {
        Self::open_observed(config, unobserved())
    }

    /// The same, with an observer of the client's steps.
    pub fn open_observed(config: LocalConfig, observer: Observer) -> Result<Self, OpenError> {
        Ok(Self {
            state: Arc::new(State::open(config, observer)?),
        })
    }

    /// Starts waiting jobs that fit, in the order of their submission. Submitting, cancelling and asking for a status do
    /// this as well, so a caller that polls its jobs need not call it.
    pub async fn tick(&self) {
        let _ = self.blocking(|state| state.tick()).await;
    }

    /// The directory in which the jobs are kept.
    pub fn state_dir(&self) -> &Path {
        self.state.path()
    }

    /// Runs file work where it may block. `Err` with a reason if there was no answer in time.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, String> {
        let state = self.state.clone();
        let task = tokio::task::spawn_blocking(move || work(&state));
        match tokio::time::timeout(CALL_TIMEOUT, task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("the local scheduler failed: {error}")),
            Err(_) => Err(format!(
                "the local scheduler's disk did not answer within {} s",
                CALL_TIMEOUT.as_secs()
            )),
        }
    }
}

#[async_trait]
impl Scheduler for LocalScheduler {
    async fn health(&self) -> Health {
        self.blocking(|state| state.health())
            .await
            .unwrap_or_else(Health::Unknown)
    }

    async fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError> {
        let spec = spec.clone();
        self.blocking(move |state| {
            let id = state.submit(&spec)?;
            state.advance();
            Ok(id)
        })
        .await
        .unwrap_or_else(|reason| Err(SubmitError::Unknown(reason)))
    }

    async fn find(&self, handle: &str) -> Lookup {
        let handle = handle.to_owned();
        self.blocking(move |state| state.find(&handle))
            .await
            .unwrap_or_else(Lookup::Unknown)
    }

    async fn status(&self, id: &SchedulerJobId) -> Status {
        let id = id.clone();
        self.blocking(move |state| state.status(&id))
            .await
            .unwrap_or_else(Status::Unknown)
    }

    async fn statuses(&self, ids: &[SchedulerJobId]) -> Vec<Status> {
        let (ids, all) = (ids.to_vec(), ids.len());
        self.blocking(move |state| state.statuses(&ids))
            .await
            .unwrap_or_else(|reason| vec![Status::Unknown(reason); all])
    }

    async fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError> {
        let id = id.clone();
        self.blocking(move |state| state.cancel(&id))
            .await
            .unwrap_or_else(|reason| Err(QueryError::Unknown(reason)))
    }

    async fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError> {
        let id = id.clone();
        self.blocking(move |state| state.attempts(&id))
            .await
            .unwrap_or_else(|reason| Err(QueryError::Unknown(reason)))
    }

    async fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError> {
        let id = id.clone();
        self.blocking(move |state| state.forget(&id))
            .await
            .unwrap_or_else(|reason| Err(ForgetError::Unknown(reason)))
    }
}
