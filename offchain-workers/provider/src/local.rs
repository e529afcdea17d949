//! What the worker remembers about a job, and nothing that the chain or the scheduler knows better.
//!
//! The record is written before every request to the outside, so that after a crash the next reconciliation knows what
//! may have happened. It holds no parameter, no key and no plaintext of the customer: whatever of the payload is needed
//! again is opened again.

use serde::{Deserialize, Serialize};
use sp_core::H256;
use ve_slurm::SchedulerJobId;
use ve_templates::Outputs;
use virtengine_primitives::{
    billing::UsageReport,
    hpc::{DeclineReason, JobEnd},
    AgreementId, ClusterId, Moment,
};

/// What the check of an assigned job said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// It can run here.
    Accept,
    /// It cannot, and why.
    Decline(DeclineReason),
}

/// How far the hand-over to the scheduler went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Submission {
    /// Not begun.
    #[default]
    None,
    /// About to submit, or submitted: only the scheduler knows.
    Intended,
    /// The scheduler has it.
    Done,
}

/// How much of the job's log has been sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCursor {
    /// Number of the next chunk.
    pub chunk: u64,
    /// Array task whose log is being read; the logs follow each other in order of tasks.
    pub task: u32,
    /// Byte of the log at which it begins.
    pub offset: u64,
    /// Where it ends, once decided: a chunk that is written again after a crash is the same chunk.
    pub until: Option<u64>,
}

/// Room on disk for a job: its inputs, and the most that its outputs may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Account of the customer.
    pub customer: [u8; 32],
    /// In bytes.
    pub bytes: u64,
}

/// The worker's record of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalJob {
    /// Which job.
    pub agreement: AgreementId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// When the worker first saw it.
    #[serde(default)]
    pub seen_at: Option<Moment>,
    /// Outcome of the check before acceptance.
    #[serde(default)]
    pub admission: Option<Admission>,
    /// The unix user that it runs as, where the cluster has a pool of them.
    #[serde(default)]
    pub identity: Option<String>,
    /// Room on disk that is kept for it until its record goes.
    #[serde(default)]
    pub room: Option<Room>,
    /// All inputs, if there are any, lie checked and opened in the work directory.
    #[serde(default)]
    pub staged: bool,
    /// When an input was first found missing, to give its upload some time.
    #[serde(default)]
    pub missing_since: Option<Moment>,
    /// Which of its files are outputs, once it is handed over: the template's words, not the customer's.
    #[serde(default)]
    pub outputs: Option<Outputs>,
    /// Hand-over to the scheduler.
    #[serde(default)]
    pub submission: Submission,
    /// The scheduler's name for it, once known.
    #[serde(default)]
    pub scheduler_job: Option<SchedulerJobId>,
    /// When the scheduler was last asked to stop it.
    #[serde(default)]
    pub cancelled_at: Option<Moment>,
    /// When usage was last looked at.
    #[serde(default)]
    pub reported_at: Option<Moment>,
    /// The report on its way: sent again, unchanged, until the chain has a report of its number.
    #[serde(default)]
    pub outgoing: Option<UsageReport>,
    /// All usage has been reported.
    #[serde(default)]
    pub metered_out: bool,
    /// Log chunks sealed so far.
    #[serde(default)]
    pub log: LogCursor,
    /// When the log was last looked at.
    #[serde(default)]
    pub logged_at: Option<Moment>,
    /// How it ended, once its result lies sealed in the worker's own directory and is only to be stored.
    #[serde(default)]
    pub sealed: Option<JobEnd>,
    /// How it ended, results sealed and stored: complete in itself, sent unchanged.
    #[serde(default)]
    pub end: Option<JobEnd>,
    /// The answer to a dispute on its way: the evidence is readable, and this is what the chain is told of it.
    #[serde(default)]
    pub opening: Option<H256>,
    /// When the finalised chain was first seen to have ended it, or to have given it to somebody else.
    #[serde(default)]
    pub retired_at: Option<Moment>,
}

impl LocalJob {
    /// An empty record.
    pub fn new(agreement: AgreementId, cluster: ClusterId) -> Self {
        Self {
            agreement,
            cluster,
            seen_at: None,
            admission: None,
            identity: None,
            room: None,
            staged: false,
            missing_since: None,
            outputs: None,
            submission: Submission::None,
            scheduler_job: None,
            cancelled_at: None,
            reported_at: None,
            outgoing: None,
            metered_out: false,
            log: LogCursor::default(),
            logged_at: None,
            sealed: None,
            end: None,
            opening: None,
            retired_at: None,
        }
    }

    /// The check said that it can run here.
    pub fn is_admitted(&self) -> bool {
        self.admission == Some(Admission::Accept)
    }

    /// One word for people and metrics.
    pub fn phase(&self) -> &'static str {
        match self {
            Self {
                retired_at: Some(_),
                ..
            } => "retired",
            Self { end: Some(_), .. } => "ending",
            Self {
                submission: Submission::Done,
                ..
            } => "submitted",
            Self {
                submission: Submission::Intended,
                ..
            } => "submitting",
            Self { staged: true, .. } => "staged",
            Self {
                admission: Some(Admission::Accept),
                ..
            } => "admitted",
            Self {
                admission: Some(Admission::Decline(_)),
                ..
            } => "declined",
            _ => "new",
        }
    }

    /// All words that [`Self::phase`] gives.
    pub const PHASES: [&'static str; 8] = [
        "new",
        "admitted",
        "declined",
        "staged",
        "submitting",
        "submitted",
        "ending",
        "retired",
    ];
}
