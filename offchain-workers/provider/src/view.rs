//! What the role needs of the chain, as a seam: answers at one finalised block, and calls in batches.

use async_trait::async_trait;
use sp_core::{crypto::AccountId32, H256};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use ve_chain::ChainError;
use virtengine_primitives::{
    billing::{Agreement, Dispute, PricePlan, UsageReport},
    envelope::{EncryptionKey, KeyId},
    hpc::{Cluster, DeclineReason, Job, JobEnd, JobProgress},
    AgreementId, BlockNumber, ClusterId, Moment, Name, PlanId, ProviderId, TemplateHash,
};

/// A job as the chain keeps it.
pub type ChainJob = Job<AccountId32>;

/// Calls of one kind for several jobs, at most `MAX_BATCH`.
#[derive(Clone, Debug, PartialEq)]
pub enum Batch {
    /// Accepts jobs.
    Accept(Vec<AgreementId>),
    /// Declines jobs.
    Decline(Vec<(AgreementId, DeclineReason)>),
    /// Tells how far jobs are.
    Update(Vec<(AgreementId, JobProgress)>),
    /// Reports usage.
    Report(Vec<(AgreementId, UsageReport)>),
    /// Ends jobs.
    Complete(Vec<(AgreementId, JobEnd)>),
    /// Opens the evidence in disputes.
    OpenEvidence(Vec<(AgreementId, H256)>),
}

impl Batch {
    /// Name for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept(_) => "accept",
            Self::Decline(_) => "decline",
            Self::Update(_) => "update",
            Self::Report(_) => "report",
            Self::Complete(_) => "complete",
            Self::OpenEvidence(_) => "open-evidence",
        }
    }

    /// The jobs, in order.
    pub fn jobs(&self) -> Vec<AgreementId> {
        match self {
            Self::Accept(jobs) => jobs.clone(),
            Self::Decline(items) => items.iter().map(|(job, _)| *job).collect(),
            Self::Update(items) => items.iter().map(|(job, _)| *job).collect(),
            Self::Report(items) => items.iter().map(|(job, _)| *job).collect(),
            Self::Complete(items) => items.iter().map(|(job, _)| *job).collect(),
            Self::OpenEvidence(items) => items.iter().map(|(job, _)| *job).collect(),
        }
    }
}

/// The outcome of each item of a batch, in order: done, or the runtime's words.
pub type Outcomes = Vec<Result<(), String>>;

/// Jobs that something happened to, each with the cluster that it was given to meanwhile, if it was.
pub type News = BTreeMap<AgreementId, Option<ClusterId>>;

/// The chain, as the role sees it.
#[async_trait]
pub trait ChainView: Send + Sync + 'static {
    /// Which chain.
    fn genesis(&self) -> H256;
    /// Time from a block to the next, as the chain means it. Asked for once.
    async fn block_time(&self) -> Result<Duration, ChainError>;
    /// Returns when there is news, or after `at_most`. Never fails: a silent chain is noticed by reading it.
    async fn wait(&self, at_most: Duration);
    /// The latest finalised block, to read from.
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, ChainError>;
    /// The tip of the best chain, which may still be replaced: good only for what can be undone.
    async fn tip(&self) -> Result<Arc<dyn Snapshot>, ChainError>;
    /// Sends a batch and waits until its outcome is final. `included` is told each time when it comes into a block of
    /// the best chain. On `Err` nothing is known about it.
    async fn send(
        &self,
        batch: Batch,
        included: &(dyn Fn() + Send + Sync),
    ) -> Result<Outcomes, ChainError>;
}

/// Answers that are all taken at one block.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// Height of the block.
    fn number(&self) -> BlockNumber;
    /// Time of the block.
    async fn timestamp(&self) -> Result<Moment, ChainError>;
    /// What happened to jobs in the blocks after `since`, this one included. `None` if that cannot be told, because it
    /// was too long ago. Only says where to look: what is true is read at the block.
    async fn news(&self, since: BlockNumber) -> Result<Option<News>, ChainError>;
    /// One page, at most [`PAGE`](virtengine_primitives::apis::PAGE), of what is assigned to a cluster and has not
    /// ended, in order of number.
    async fn open_jobs(
        &self,
        cluster: ClusterId,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, ChainJob)>, ChainError>;
    /// A job.
    async fn job(&self, id: AgreementId) -> Result<Option<ChainJob>, ChainError>;
    /// An agreement.
    async fn agreement(
        &self,
        id: AgreementId,
    ) -> Result<Option<Agreement<AccountId32>>, ChainError>;
    /// The open dispute of an agreement.
    async fn dispute(&self, id: AgreementId) -> Result<Option<Dispute>, ChainError>;
    /// A price plan.
    async fn plan(&self, id: PlanId) -> Result<Option<(ProviderId, PricePlan)>, ChainError>;
    /// A cluster.
    async fn cluster(&self, id: ClusterId) -> Result<Option<Cluster>, ChainError>;
    /// The templates that a cluster runs.
    async fn templates(&self, id: ClusterId) -> Result<Vec<(TemplateHash, Name)>, ChainError>;
    /// Unrevoked encryption keys of an account.
    async fn keys(&self, who: &AccountId32) -> Result<Vec<(KeyId, EncryptionKey)>, ChainError>;
    /// Unrevoked encryption keys of the active arbiters, a list for each who has any; of at most `most` of them.
    async fn arbiter_keys(&self, most: usize) -> Result<Vec<Vec<EncryptionKey>>, ChainError>;
    /// The organisation that an account owns or works for.
    async fn provider_of(&self, who: &AccountId32) -> Result<Option<ProviderId>, ChainError>;
}
