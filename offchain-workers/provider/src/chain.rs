//! The seam to the chain, over `ve-chain`.

use crate::view::{Batch, ChainJob, ChainView, News, Outcomes, Snapshot};
use async_trait::async_trait;
use sp_core::{crypto::AccountId32, H256};
use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex, OnceCell};
use ve_chain::{At, Call, Chain, ChainError, Head, Heads, Progress, Submitter, Until};
use virtengine_primitives::{
    billing::{Agreement, Dispute, PricePlan},
    envelope::{EncryptionKey, KeyId},
    hpc::Cluster,
    AgreementId, BlockNumber, ClusterId, Moment, Name, PlanId, ProviderId, TemplateHash,
};

/// Most blocks whose events are read to learn what happened; after a longer silence everything is looked at.
const MOST_BLOCKS: BlockNumber = 20;

/// A chain behind a node.
pub struct NodeChain {
    chain: Chain,
    submitter: Submitter,
    heads: Mutex<Heads>,
    block_time: OnceCell<Duration>,
    /// The latest finalised block that was read, with what it answered.
    finalized: std::sync::Mutex<Option<Arc<NodeSnapshot>>>,
}

impl NodeChain {
    /// Over a connection; `submitter` signs with the worker's hot key.
    pub fn new(chain: Chain, submitter: Submitter) -> Self {
        let heads = Mutex::new(chain.finalized());
        Self {
            chain,
            submitter,
            heads,
            block_time: OnceCell::new(),
            finalized: std::sync::Mutex::default(),
        }
    }

    /// The call of a batch; declines and answers to disputes have one call each.
    fn call(batch: &Batch) -> Call {
        use ve_chain::calls::{billing, hpc, utility};
        match batch {
            Batch::Accept(jobs) => hpc::accept_many(jobs),
            Batch::Decline(items) => utility::force_batch(
                items
                    .iter()
                    .map(|(job, reason)| hpc::decline(*job, *reason))
                    .collect(),
            ),
            Batch::Update(items) => hpc::update_many(items),
            Batch::Report(items) => billing::report_many(items),
            Batch::Complete(items) => hpc::complete_many(items),
            Batch::OpenEvidence(items) => utility::force_batch(
                items
                    .iter()
                    .map(|(agreement, evidence)| billing::open_evidence(*agreement, *evidence))
                    .collect(),
            ),
        }
    }
}

/// The event by which an item of a batch is known to have been done.
fn proof(batch: &Batch) -> (&'static str, &'static str, &'static str) {
    match batch {
        Batch::Accept(_) => ("Hpc", "JobAccepted", "job"),
        Batch::Decline(_) => ("Hpc", "JobDeclined", "job"),
        Batch::Update(_) => ("Hpc", "JobProgressed", "job"),
        Batch::Report(_) => ("Billing", "Reported", "agreement"),
        Batch::Complete(_) => ("Hpc", "JobEnded", "job"),
        Batch::OpenEvidence(_) => ("Billing", "EvidenceOpened", "agreement"),
    }
}

#[async_trait]
impl ChainView for NodeChain {
    fn genesis(&self) -> H256 {
        self.chain.genesis()
    }

    async fn block_time(&self) -> Result<Duration, ChainError> {
        let ask = || async {
            let at = self.chain.at_finalized().await?;
            let expected = at.constant("Babe", "ExpectedBlockTime").await;
            expected.map(Duration::from_millis)
        };
        self.block_time.get_or_try_init(ask).await.copied()
    }

    async fn wait(&self, at_most: Duration) {
        let news = async {
            let mut heads = self.heads.lock().await;
            if heads.next().await.is_err() {
                // Unreachable or silent: the time alone decides when to look again.
                drop(heads);
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(at_most, news).await;
    }

    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, ChainError> {
        let at = self.chain.at_finalized().await?;
        let mut known = self
            .finalized
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let same = known.take().filter(|known| known.at.hash() == at.hash());
        let snapshot = same.unwrap_or_else(|| Arc::new(NodeSnapshot::new(at)));
        *known = Some(snapshot.clone());
        Ok(snapshot)
    }

    async fn tip(&self) -> Result<Arc<dyn Snapshot>, ChainError> {
        Ok(Arc::new(NodeSnapshot::new(self.chain.at_best().await?)))
    }

    async fn send(
        &self,
        batch: Batch,
        included: &(dyn Fn() + Send + Sync),
    ) -> Result<Outcomes, ChainError> {
        let jobs = batch.jobs();
        let progress = |progress| {
            if matches!(progress, Progress::Included(_)) {
                included();
            }
        };
        let call = Self::call(&batch);
        let done = self
            .submitter
            .submit_until(call, Until::Finalized, progress)
            .await;
        match done {
            Ok(done) => {
                let (pallet, event, field) = proof(&batch);
                let is_of = |e: &ve_chain::ChainEvent, field: &str, job: AgreementId| {
                    e.integer(field) == Some(u128::from(job))
                };
                Ok(jobs
                    .into_iter()
                    .map(|job| {
                        if done
                            .events
                            .iter()
                            .any(|e| e.is(pallet, event) && is_of(e, field, job))
                        {
                            return Ok(());
                        }
                        let refusal = done
                            .events
                            .iter()
                            .find(|e| {
                                matches!(e.name.as_str(), "ItemFailed" | "ReportRejected")
                                    && is_of(e, field, job)
                            })
                            .map(|e| e.fields.to_string());
                        Err(refusal.unwrap_or_else(|| "the chain did not do it".into()))
                    })
                    .collect())
            }
            // The call as a whole was refused (the account is no hot key any more, ...): every item was.
            Err(error @ ChainError::RuntimeRefused { .. }) => {
                let reason = error.to_string();
                Ok(jobs.into_iter().map(|_| Err(reason.clone())).collect())
            }
            Err(error) => Err(error),
        }
    }
}

/// A block. What several steps ask of it is asked of the node once: to run the runtime costs more than most steps.
struct NodeSnapshot {
    at: At,
    jobs: Answers<AgreementId, Option<ChainJob>>,
    plans: Answers<PlanId, Option<(ProviderId, PricePlan)>>,
    clusters: Answers<ClusterId, Option<Cluster>>,
}

/// Answers of one block, which do not change.
type Answers<K, V> = std::sync::Mutex<HashMap<K, V>>;

/// The answer, asked for unless it is known.
async fn once<K: Eq + Hash, V: Clone>(
    known: &Answers<K, V>,
    key: K,
    ask: impl Future<Output = Result<V, ChainError>>,
) -> Result<V, ChainError> {
    let answers = || known.lock().unwrap_or_else(PoisonError::into_inner);
    let found = answers().get(&key).cloned();
    if let Some(answer) = found {
        return Ok(answer);
    }
    let answer = ask.await?;
    answers().insert(key, answer.clone());
    Ok(answer)
}

impl NodeSnapshot {
    fn new(at: At) -> Self {
        Self {
            at,
            jobs: Answers::default(),
            plans: Answers::default(),
            clusters: Answers::default(),
        }
    }
}

#[async_trait]
impl Snapshot for NodeSnapshot {
    fn number(&self) -> BlockNumber {
        self.at.number()
    }
    async fn timestamp(&self) -> Result<Moment, ChainError> {
        self.at.timestamp().await
    }
    async fn news(&self, since: BlockNumber) -> Result<Option<News>, ChainError> {
        if self.number().saturating_sub(since) > MOST_BLOCKS {
            return Ok(None);
        }
        let chain = self.at.chain();
        let mut news = News::new();
        for number in since.saturating_add(1)..=self.number() {
            let Some(hash) = chain.hash_of(number).await? else {
                return Ok(None);
            };
            for event in chain.at_head(Head { hash, number }).events().await? {
                let job = event.integer("job").or_else(|| event.integer("agreement"));
                let Some(job) = job.and_then(|job| AgreementId::try_from(job).ok()) else {
                    continue;
                };
                let to = event.is("Hpc", "JobAssigned").then(|| {
                    let cluster = event.integer("cluster")?;
                    ClusterId::try_from(cluster).ok()
                });
                let known = news.entry(job).or_default();
                *known = to.flatten().or(*known);
            }
        }
        Ok(Some(news))
    }
    async fn open_jobs(
        &self,
        cluster: ClusterId,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, ChainJob)>, ChainError> {
        self.at.open_jobs(cluster, after).await
    }
    async fn job(&self, id: AgreementId) -> Result<Option<ChainJob>, ChainError> {
        once(&self.jobs, id, self.at.job(id)).await
    }
    async fn agreement(
        &self,
        id: AgreementId,
    ) -> Result<Option<Agreement<AccountId32>>, ChainError> {
        self.at.agreement(id).await
    }
    async fn dispute(&self, id: AgreementId) -> Result<Option<Dispute>, ChainError> {
        self.at.dispute(id).await
    }
    async fn plan(&self, id: PlanId) -> Result<Option<(ProviderId, PricePlan)>, ChainError> {
        once(&self.plans, id, self.at.plan(id)).await
    }
    async fn cluster(&self, id: ClusterId) -> Result<Option<Cluster>, ChainError> {
        once(&self.clusters, id, self.at.cluster(id)).await
    }
    async fn templates(&self, id: ClusterId) -> Result<Vec<(TemplateHash, Name)>, ChainError> {
        self.at.templates(id).await
    }
    async fn keys(&self, who: &AccountId32) -> Result<Vec<(KeyId, EncryptionKey)>, ChainError> {
        self.at.keys(who).await
    }
    async fn arbiter_keys(&self, most: usize) -> Result<Vec<Vec<EncryptionKey>>, ChainError> {
        self.at.arbiter_keys(most).await
    }
    async fn provider_of(&self, who: &AccountId32) -> Result<Option<ProviderId>, ChainError> {
        self.at.provider_of(who).await
    }
}
