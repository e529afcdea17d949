//! The shapes that cross the seam between the provider role and a batch scheduler.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// Milliseconds since the Unix epoch, UTC.
pub type UnixMs = u64;

/// How a scheduler names one job. Opaque to callers: keep it beside the agreement and hand it back.
///
/// It names the whole job: all tasks of an array and all attempts. In a SLURM cluster it is the (base) job id with the
/// handle, because numbers can begin again; in the local scheduler it is the handle.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchedulerJobId(pub String);

impl fmt::Display for SchedulerJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A signal that a scheduler may send ahead of the time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningSignal {
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`.
    Usr2,
    /// `SIGINT`. Prefer another: a worker that a shell started in the background ignores it, its local jobs inherit
    /// that, and no trap in a script changes it.
    Int,
    /// `SIGTERM`.
    Term,
}

/// A warning ahead of the time limit, so that a job can write a checkpoint.
///
/// It is delivered to the process of the script itself and to nothing else (`sbatch --signal=B:USR1@60`): a
/// script that wants its program to see it either `exec`s the program or traps the signal and passes it on.
/// A script that does not handle the signal dies of it, which counts as [`EndState::TimedOut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Which signal.
    pub signal: WarningSignal,
    /// How many seconds before the limit. SLURM may be up to 60 s early.
    pub seconds_before: u32,
}

/// Everything a scheduler has to know about a job.
///
/// All resource numbers are those of **one** task over all its nodes, as in the chain's `Resources`.
/// Besides `environment` a script sees exactly these variables, whatever the scheduler. In a SLURM cluster it sees the cluster's
/// own as well, which launchers need: `SLURM_*` and those that choose accelerators.
///
/// | variable | value |
/// |---|---|
/// | `VE_HANDLE` | the handle |
/// | `VE_TASK` | index of the array task, from 0 |
/// | `VE_TASKS` | number of array tasks; 1 for a plain job |
/// | `VE_ATTEMPT` | number of the attempt, from 1; more than 1 after a requeue |
/// | `VE_CPUS` | `cpus` |
/// | `VE_MEMORY_MIB` | `memory_mib` |
/// | `VE_RUN` | opaque name of this run in the scheduler |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitSpec {
    /// Our name for the job, `ve-<genesis8>-<agreement>`: 1 to 64 bytes out of `a-z A-Z 0-9 - _`. It becomes the
    /// job's name and comment, and is what [`crate::Scheduler::find`] searches for. One handle is one job: see
    /// [`crate::Scheduler::submit`].
    pub handle: String,
    /// Partition (queue) to run in. The local scheduler has only one and ignores it.
    pub partition: Option<String>,
    /// As whom the job runs, where the scheduler has users (`local` has not and refuses one). `None`: as this process.
    /// Paths below `work_dir` are the identity's: this process may not even be able to see whether they exist.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// Absolute path of the directory in which the script starts. Must exist.
    pub work_dir: PathBuf,
    /// Text of the script. It must begin with `#!`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub script: String,
    /// Processors; at least 1.
    pub cpus: u32,
    /// Memory in MiB; at least 1.
    pub memory_mib: u64,
    /// Nodes; at least 1 and at most `cpus`.
    pub nodes: u32,
    /// Accelerators in all.
    pub gpus: u32,
    /// The scheduler's name of the kind of accelerator, where it tells kinds apart.
    pub gpu_type: Option<String>,
    /// Longest run in seconds; at least 1. Measured while running. Where the scheduler allows it (`local` does)
    /// this is the budget of all attempts together, elsewhere that of each attempt. SLURM keeps whole minutes: rounded up.
    pub walltime_s: u64,
    /// Number of array tasks, indices from 0; 1 for a plain job.
    pub array_tasks: u32,
    /// Warning ahead of the limit.
    pub warning: Option<Warning>,
    /// Whether the job may be started again after its node was lost.
    pub requeue: bool,
    /// Largest size in bytes of any one file the job writes, its output included. `None`: no limit.
    pub max_file_bytes: Option<u64>,
    /// Most processes that a task may have at once. `None`: no limit. SLURM counts threads, and those of all jobs of the
    /// same user on a node.
    pub max_processes: Option<u32>,
    /// The whole environment of the script, besides the variables listed above. Nothing of the worker's own
    /// environment leaks into it; name `PATH` and `HOME` if the script wants them. Keys that begin with `VE_` are
    /// the scheduler's and refused.
    pub environment: BTreeMap<String, String>,
    /// Absolute path of the file for standard output. `%a` stands for the index of the array task and is required
    /// when there is more than one. The file is emptied by the first attempt and appended to by later ones.
    pub stdout: PathBuf,
    /// The same for standard error. May be the same path as `stdout`.
    pub stderr: PathBuf,
}

/// How a job, or one task of one attempt, ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndState {
    /// The script ended with status 0.
    Completed,
    /// The script ended otherwise.
    Failed {
        /// Status as a shell gives it: 128 + signal number if a signal ended it.
        exit_code: u16,
    },
    /// It wanted more memory than it was given.
    OutOfMemory,
    /// It ran into its time limit.
    TimedOut,
    /// It was cancelled, before or while it ran.
    Cancelled,
    /// The node was lost under it.
    NodeFailure,
    /// It was started but its first process could not be.
    BootFailure,
    /// Pushed aside by other work.
    Preempted,
    /// The scheduler used a word that this version does not know, given here as it came. Decide nothing on it.
    Unknown(String),
}

impl EndState {
    /// Status of the script as a shell would give it where the scheduler did not report one: 0 if completed or
    /// never run, 137 where the scheduler had to kill it.
    pub fn exit_code(&self) -> u16 {
        match self {
            Self::Completed | Self::Cancelled | Self::BootFailure => 0,
            Self::Failed { exit_code } => *exit_code,
            Self::OutOfMemory
            | Self::TimedOut
            | Self::NodeFailure
            | Self::Preempted
            | Self::Unknown(_) => 137,
        }
    }
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits to be started, for the first time or again.
    Queued,
    /// At least one task of the present attempt was started and not all have ended.
    Running {
        /// Start of the present attempt's first task.
        since: UnixMs,
        /// It is known that there was no attempt before. If not, [`crate::Scheduler::attempts`] says whether there was.
        first: bool,
    },
    /// All tasks ended and none will be started again. For an array see [`crate::overall`].
    Ended(EndState),
    /// Every source that could know has answered, and none knows this job.
    Absent,
    /// Not every source answered, or the answer made no sense; the reason is for people. Ask again later and destroy
    /// nothing meanwhile.
    Unknown(String),
}

/// Answer to a search by handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// Jobs of that handle, oldest first, ended ones included. More than one means that something outside this
    /// program made another.
    Found(Vec<SchedulerJobId>),
    /// Every source that could know (queue **and** accounting) has answered, and none knows the handle.
    Absent,
    /// Not every source answered; the reason is for people. Not a licence to submit again.
    Unknown(String),
}

/// Whether a scheduler can be worked with now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Queue and accounting answer.
    Ok,
    /// Something does not; the reason is for people and says what to look at.
    Unknown(String),
}

/// What was set aside for one task, whether it used it or not. This, times [`Attempt::elapsed_ms`], is what usage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocated {
    /// Processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Nodes.
    pub nodes: u32,
    /// Accelerators.
    pub gpus: u32,
}

/// One row of accounting: one task in one attempt.
///
/// A plain job that was never requeued has one row. An array has one per task, and one more for every task that was
/// started again. Tasks that were never started and still may be have no row; tasks that never will be have one with
/// `started: None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Name of the cluster in its accounting; with `job`, `task` and `submitted` the key of the row.
    pub cluster: String,
    /// The scheduler's own id of this row, for evidence.
    pub job: String,
    /// Index of the array task, from 0.
    pub task: u32,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When the job was submitted or, for a later attempt, requeued.
    pub submitted: UnixMs,
    /// When it was started; `None` if it never was.
    pub started: Option<UnixMs>,
    /// When it ended; `None` while it runs. Wall clock: may disagree with `elapsed_ms` if the clock was set.
    pub ended: Option<UnixMs>,
    /// What was set aside for it.
    pub allocated: Allocated,
    /// How long it ran, or has run so far, in milliseconds by a clock that never goes back; time for which the
    /// scheduler had suspended it is not in it. May exceed the wall time by the grace between the polite and the hard kill: cap it before billing.
    pub elapsed_ms: u64,
    /// How it ended; `None` while it runs.
    pub state: Option<EndState>,
    /// Whether it was cancelled as the user that it ran as: by whoever acts for that user here, or by the job itself.
    #[serde(default)]
    pub by_owner: bool,
    /// What the scheduler adds for people ("more than 64 processes"), or empty.
    pub detail: String,
}
