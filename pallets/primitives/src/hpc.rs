//! Clusters and jobs.

use crate::{
    billing::{Allocation, Component, Fault, Quantities},
    envelope::EnvelopeHeader,
    *,
};

/// Resources of a job, over all its nodes and, for an array, of **one** task.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Resources {
    /// Nodes; at least 1.
    pub nodes: u32,
    /// Processors in all; at least one a node.
    pub cpus: u32,
    /// Memory in MiB in all.
    pub memory_mib: u64,
    /// Accelerators in all.
    pub gpus: u32,
    /// The provider's number for the kind of accelerator; 0 if none is wanted.
    pub gpu_type: u8,
    /// Tasks of an array; 1 for a plain job. All tasks are billed.
    pub array_tasks: u32,
}

impl Resources {
    /// Whether the numbers make sense by themselves.
    pub fn is_well_formed(&self) -> bool {
        self.nodes > 0 && self.cpus >= self.nodes && self.memory_mib > 0 && self.array_tasks > 0
    }

    /// What one second of it may be billed as, over all array tasks.
    pub fn per_second(&self) -> Option<Quantities> {
        let tasks = u128::from(self.array_tasks);
        let mut all = alloc::vec![
            (
                Component::CpuSeconds,
                u128::from(self.cpus).checked_mul(tasks)?
            ),
            (
                Component::MemoryMibSeconds,
                u128::from(self.memory_mib).checked_mul(tasks)?
            ),
        ];
        if self.gpus > 0 {
            all.push((
                Component::GpuSeconds(self.gpu_type),
                u128::from(self.gpus).checked_mul(tasks)?,
            ));
        }
        all.push((
            Component::NodeSeconds,
            u128::from(self.nodes).checked_mul(tasks)?,
        ));
        all.try_into().ok()
    }

    /// The allocation of a job that may run for `walltime` seconds.
    pub fn allocation(&self, walltime: u64) -> Option<Allocation> {
        Some(Allocation {
            per_second: self.per_second()?,
            walltime,
        })
    }
}

/// A partition of a cluster: nodes of one kind.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Partition {
    /// Its name in the cluster's scheduler.
    pub name: Name,
    /// Number of nodes.
    pub nodes: u32,
    /// Processors of each node.
    pub cpus_per_node: u32,
    /// Memory of each node in MiB.
    pub memory_mib_per_node: u64,
    /// Accelerators of each node.
    pub gpus_per_node: u32,
    /// The provider's number for the kind of accelerator; 0 if none.
    pub gpu_type: u8,
    /// Longest wall time in seconds.
    pub max_walltime: u64,
    /// The price plan in force for new jobs.
    pub plan: PlanId,
}

impl Partition {
    /// Whether a job of this shape can ever run here.
    pub fn fits(&self, r: &Resources, walltime: u64) -> bool {
        let nodes = u64::from(r.nodes);
        r.nodes <= self.nodes
            && u64::from(r.cpus) <= nodes.saturating_mul(self.cpus_per_node.into())
            && r.memory_mib <= nodes.saturating_mul(self.memory_mib_per_node)
            && u64::from(r.gpus) <= nodes.saturating_mul(self.gpus_per_node.into())
            && (r.gpus == 0 || r.gpu_type == self.gpu_type)
            && walltime <= self.max_walltime
    }
}

/// Whether a cluster takes new jobs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum ClusterState {
    /// Takes jobs.
    #[codec(index = 0)]
    Open,
    /// Finishes what it has.
    #[codec(index = 1)]
    Draining,
}

/// A cluster as its provider registers it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct ClusterSpec {
    /// What people call it.
    pub name: Name,
    /// Its partitions; at least one, with distinct names.
    pub partitions: BoundedVec<Partition, ConstU32<16>>,
    /// Most jobs that may be assigned to it at once.
    pub max_open_jobs: u32,
    /// Least identity score of a customer.
    pub min_score: u8,
    /// Whether scripts outside the allow-list are taken.
    pub custom_scripts: bool,
}

/// A registered cluster.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Cluster {
    /// Whose it is.
    pub provider: ProviderId,
    /// What was registered.
    pub spec: ClusterSpec,
    /// Whether it takes jobs.
    pub state: ClusterState,
    /// Jobs assigned to it and not ended. Invariant: at most `spec.max_open_jobs`, except after the provider
    /// lowered the limit.
    pub open_jobs: u32,
}

/// What a job runs.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum Workload {
    /// A template of the cluster's allow-list.
    #[codec(index = 0)]
    Template(TemplateHash),
    /// A script inside the payload; only on clusters that take custom scripts.
    #[codec(index = 1)]
    Script,
}

/// An input as the chain knows it: a sealed artifact. Its content key is inside the payload.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct InputRef {
    /// Blake2b-256 of the ciphertext, its name in the artifact store.
    pub hash: H256,
    /// Length of the ciphertext in bytes.
    pub length: u64,
}

/// Most clusters that a customer may propose.
pub const MAX_CANDIDATES: u32 = 8;
/// Most inputs of a job.
pub const MAX_INPUTS: u32 = 16;
/// Most jobs in one batched call.
pub const MAX_BATCH: u32 = 64;

/// A job as its customer submits it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct JobRequest {
    /// Clusters and partitions (index) that the customer accepts. Their order means nothing: the cheapest eligible
    /// one is taken, ties by hash.
    pub candidates: BoundedVec<(ClusterId, u8), ConstU32<MAX_CANDIDATES>>,
    /// What to run.
    pub workload: Workload,
    /// Parameters, input names and input keys, sealed to the candidates' providers.
    pub payload: EnvelopeHeader,
    /// Sealed inputs.
    pub inputs: BoundedVec<InputRef, ConstU32<MAX_INPUTS>>,
    /// What it needs.
    pub resources: Resources,
    /// Longest run in seconds.
    pub walltime: u64,
    /// In what the customer pays.
    pub asset: AssetKind,
    /// The most the job may cost; held at submission, what is not charged comes back.
    pub ceiling: Balance,
    /// Blocks after an assignment within which the job must be running.
    pub start_within: BlockNumber,
    /// Block at which the job ends whatever happens.
    pub end_by: BlockNumber,
}

/// A candidate that passed the filter, with the plan in force at submission.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Candidate {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Which of its partitions.
    pub partition: u8,
    /// The plan that prices the job there, frozen.
    pub plan: PlanId,
    /// The most the job can cost there: `max(minimum charge, price(allocation.most()))`.
    pub cost: Balance,
}

/// Where a job stands. Deadlines are checked by every call that touches the job.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum JobState {
    /// A cluster was chosen; its provider has not accepted yet.
    #[codec(index = 0)]
    Assigned,
    /// The provider accepted and is bonded.
    #[codec(index = 1)]
    Accepted,
    /// Inputs are being fetched and checked.
    #[codec(index = 2)]
    Staging,
    /// In the cluster's own queue, first time or again.
    #[codec(index = 3)]
    Queued,
    /// Runs; usage is metered.
    #[codec(index = 4)]
    Running,
    /// Ended.
    #[codec(index = 5)]
    Ended(EndReason),
}

impl JobState {
    /// Whether a provider may move a job from `self` to `to` with an update (ends have their own call).
    pub fn may_become(&self, to: &JobState) -> bool {
        use JobState::*;
        matches!(
            (self, to),
            (Accepted, Staging)
                | (Accepted | Staging, Queued)
                | (Accepted | Staging | Queued, Running)
                | (Running, Queued)
        )
    }
}

/// Why a job ended.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum EndReason {
    /// Ran to its end with exit status 0.
    #[codec(index = 0)]
    Completed,
    /// The script ended with another status (for an array: some task did).
    #[codec(index = 1)]
    Failed,
    /// Ran into its memory limit.
    #[codec(index = 2)]
    OutOfMemory,
    /// Ran into its time limit.
    #[codec(index = 3)]
    TimedOut,
    /// Its customer cancelled it.
    #[codec(index = 4)]
    Cancelled,
    /// An input was missing, did not match its hash or could not be opened, or the parameters are outside the
    /// template's schema.
    #[codec(index = 5)]
    BadInput,
    /// A node died under it.
    #[codec(index = 6)]
    NodeFailure,
    /// A node did not come up for it.
    #[codec(index = 7)]
    BootFailure,
    /// Pushed aside by other work.
    #[codec(index = 8)]
    Preempted,
    /// The provider gave it up for a reason of its own.
    #[codec(index = 9)]
    ProviderFailure,
    /// No candidate took it, or its end was not reported before `end_by`. Set by the chain alone.
    #[codec(index = 10)]
    Expired,
    /// Processes of this other job of its customer kept the provider from its files, so that it could not start in time.
    /// The chain checks that this was possible ([`Job::may_be_obstructed_by`]), and believes that it was so; nothing is
    /// charged, so a dispute has no amount.
    #[codec(index = 11)]
    Obstructed(AgreementId),
}

impl EndReason {
    /// Whether a provider may report it. `Expired` is the chain's.
    pub fn is_reportable(&self) -> bool {
        !matches!(self, Self::Expired)
    }

    /// Who answers for it.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Completed
            | Self::Failed
            | Self::OutOfMemory
            | Self::TimedOut
            | Self::Cancelled
            | Self::BadInput
            | Self::Obstructed(_) => Fault::Payer,
            Self::NodeFailure | Self::BootFailure | Self::Preempted | Self::ProviderFailure => {
                Fault::Provider
            }
            Self::Expired => Fault::Silence,
        }
    }
}

/// Tasks of an array by outcome; for a plain job one of them is 1.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct TaskCounts {
    /// Ended with exit status 0.
    pub done: u32,
    /// Ended otherwise.
    pub failed: u32,
    /// Never ran or were stopped on request.
    pub cancelled: u32,
}

/// The end of a job as its provider reports it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct JobEnd {
    /// Why.
    pub reason: EndReason,
    /// Exit status of the script as a shell gives it (128 + signal); 0 if it never ran.
    pub exit_code: u16,
    /// Tasks by outcome; their sum is the number of array tasks.
    pub tasks: TaskCounts,
    /// Outputs, whole or partial, sealed to the customer; `None` if there are none.
    pub result: Option<EnvelopeHeader>,
}

/// Progress of a job as its provider reports it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum JobProgress {
    /// Inputs are being fetched.
    #[codec(index = 0)]
    Staging,
    /// Handed to the cluster's scheduler, or requeued by it.
    #[codec(index = 1)]
    Queued,
    /// Runs since the given moment, which is not before the acceptance and not in the future.
    #[codec(index = 2)]
    Running(Moment),
}

/// Why a provider turns a job down.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum DeclineReason {
    /// No room for it now.
    #[codec(index = 0)]
    NoCapacity,
    /// The payload could not be fetched or opened.
    #[codec(index = 1)]
    UnreadablePayload,
    /// It asks for something the provider does not run.
    #[codec(index = 2)]
    NotAllowed,
    /// It cannot be running in the time the customer gives.
    #[codec(index = 3)]
    TooLittleTime,
    /// The cluster is down or about to be.
    #[codec(index = 4)]
    Maintenance,
}

/// A job as the chain keeps it.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Job<AccountId> {
    /// Who bought it.
    pub customer: AccountId,
    /// What was asked.
    pub request: JobRequest,
    /// Candidates still open, cheapest last; the current one is not among them.
    pub remaining: BoundedVec<Candidate, ConstU32<MAX_CANDIDATES>>,
    /// Where it is, or was last.
    pub assignment: Candidate,
    /// The provider of that cluster.
    pub provider: ProviderId,
    /// Where it stands.
    pub state: JobState,
    /// The next block at which the chain will act if nobody else does. Of an ended job: the last one.
    pub deadline: BlockNumber,
    /// Block before which the current cluster must have it running; set anew with every assignment.
    pub start_by: BlockNumber,
    /// When it was accepted; periods cannot start earlier.
    pub accepted_at: Option<Moment>,
    /// When it first ran, as its provider reported it; kept over a requeue.
    pub started_at: Option<Moment>,
    /// The customer asked for the end; a provider that does not end it before this block loses its say.
    pub cancel_by: Option<BlockNumber>,
    /// How it ended.
    pub end: Option<JobEnd>,
    /// Block at which it ended.
    pub ended_at: Option<BlockNumber>,
}

impl<AccountId: PartialEq> Job<AccountId> {
    /// Whether processes of another job could be in this one's way before it starts: the other job is of the same customer
    /// on the same cluster, has started, and had not ended when this one was assigned there.
    pub fn may_be_obstructed_by(&self, other: &Self) -> bool {
        let assigned_at = self.start_by.saturating_sub(self.request.start_within);
        other.customer == self.customer
            && other.assignment.cluster == self.assignment.cluster
            && other.started_at.is_some()
            && other
                .ended_at
                .is_none_or(|ended_at| ended_at >= assigned_at)
    }
}

/// Chooses among eligible candidates: the lowest cost; ties by `blake2_256(job ++ cluster ++ partition)`. The order in
/// which the customer listed them, free capacity and score never rank. Returns them in order, the best **last**.
pub fn rank(
    job: AgreementId,
    mut candidates: alloc::vec::Vec<Candidate>,
) -> alloc::vec::Vec<Candidate> {
    candidates.sort_by_key(|c| {
        core::cmp::Reverse((
            c.cost,
            blake2_256(&(job, c.cluster, c.partition).encode()),
            c.cluster,
            c.partition,
        ))
    });
    candidates
}
