//! The seam to the chain, over `ve-chain`.

use crate::view::{Batch, ChainJob, ChainView, News, Outcomes, Snapshot};
use async_trait::async_trait;
use futures::future::try_join_all;
use sp_core::{crypto::AccountId32, H256};
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    hash::Hash,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex, OnceCell};
use ve_chain::{At, Call, Chain, ChainError, Head, Heads, Progress, Submitter, Until};
use ve_slurm::Gather;
use virtengine_primitives::{
    billing::{Agreement, Dispute, PricePlan},
    envelope::{EncryptionKey, KeyId},
    hpc::Cluster,
    AgreementId, BlockNumber, ClusterId, Moment, Name, PlanId, ProviderId, TemplateHash,
};

/// Most blocks whose events are read to learn what happened; after a longer silence everything is looked at.
const MOST_BLOCKS: BlockNumber = 20;

/// Pallets whose events name a job or an agreement.
const TELL_OF_JOBS: [&str; 4] = ["Hpc", "Billing", "Escrow", "Providers"];

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

/// A block. What several steps ask of it is asked of the node once, and what they ask at the same time together: to run
/// the runtime costs more than most steps.
struct NodeSnapshot {
    at: At,
    jobs: Answers<AgreementId, Option<ChainJob>>,
    agreements: Answers<AgreementId, Option<Agreement<AccountId32>>>,
    plans: Answers<PlanId, Option<(ProviderId, PricePlan)>>,
    clusters: Answers<ClusterId, Option<Cluster>>,
}

/// Answers of one block, which do not change.
struct Answers<K, V> {
    known: std::sync::Mutex<HashMap<K, V>>,
    asked: Gather<K, Result<V, ChainError>>,
}

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self {
            known: std::sync::Mutex::default(),
            asked: Gather::default(),
        }
    }
}

impl<K: Copy + Eq + Hash, V: Clone> Answers<K, V> {
    fn known(&self) -> MutexGuard<'_, HashMap<K, V>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, asked for unless it is known. `ask` gives one for each of some keys, in order.
    async fn get<F>(&self, key: K, ask: impl Fn(Vec<K>) -> F) -> Result<V, ChainError>
    where
        F: Future<Output = Result<Vec<V>, ChainError>>,
    {
        let ask = &ask;
        let ask_all = |keys: Vec<K>| async move {
            let unknown: HashSet<K> = {
                let known = self.known();
                let unknown = keys.iter().filter(|key| !known.contains_key(key));
                unknown.copied().collect()
            };
            let unknown: Vec<K> = unknown.into_iter().collect();
            if !unknown.is_empty() {
                match ask(unknown.clone()).await {
                    Ok(answers) => self.known().extend(unknown.into_iter().zip(answers)),
                    Err(error) => return vec![Err(error); keys.len()],
                }
            }
            let known = self.known();
            let missing = || ChainError::Incompatible("an answer is missing".into());
            let answer = |key: &K| known.get(key).cloned().ok_or_else(missing);
            keys.iter().map(answer).collect()
        };
        let mut answer = self.known().get(&key).cloned().map(Ok);
        loop {
            match answer {
                Some(answer) => return answer,
                // Not yet; or whoever asked for it was interrupted.
                None => answer = self.asked.put(key, ask_all).await,
            }
        }
    }
}

impl NodeSnapshot {
    fn new(at: At) -> Self {
        Self {
            at,
            jobs: Answers::default(),
            agreements: Answers::default(),
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
            let at = chain.at_head(Head { hash, number });
            for event in at.events_of(&TELL_OF_JOBS).await? {
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
        let ask = |ids: Vec<_>| async move { self.at.jobs(&ids).await };
        self.jobs.get(id, ask).await
    }
    async fn agreement(
        &self,
        id: AgreementId,
    ) -> Result<Option<Agreement<AccountId32>>, ChainError> {
        let ask = |ids: Vec<_>| async move { self.at.agreements(&ids).await };
        self.agreements.get(id, ask).await
    }
    async fn dispute(&self, id: AgreementId) -> Result<Option<Dispute>, ChainError> {
        self.at.dispute(id).await
    }
    async fn plan(&self, id: PlanId) -> Result<Option<(ProviderId, PricePlan)>, ChainError> {
        let ask = |ids: Vec<_>| try_join_all(ids.into_iter().map(|id| self.at.plan(id)));
        self.plans.get(id, ask).await
    }
    async fn cluster(&self, id: ClusterId) -> Result<Option<Cluster>, ChainError> {
        let ask = |ids: Vec<_>| try_join_all(ids.into_iter().map(|id| self.at.cluster(id)));
        self.clusters.get(id, ask).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;

    #[tokio::test]
    async fn answer_should_be_asked_for_once_when_many_want_it() {
        let answers = Answers::default();
        let asked = std::sync::Mutex::new(Vec::new());
        let ask = |keys: Vec<u32>| {
            asked.lock().unwrap().push(keys.clone());
            async move {
                tokio::task::yield_now().await;
                Ok(keys.into_iter().map(|key| key * 2).collect())
            }
        };
        let wanted = (0..300).map(|n| n % 150);
        let all = join_all(wanted.clone().map(|key| answers.get(key, ask))).await;
        for (key, answer) in wanted.zip(all) {
            assert_eq!(answer.unwrap(), key * 2);
        }
        let asked = asked.into_inner().unwrap();
        assert!(asked.len() <= 4, "{asked:?}");
        let mut keys = asked.concat();
        keys.sort_unstable();
        assert_eq!(keys, (0..150).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn answer_should_be_asked_for_again_when_there_was_none() {
        let answers = Answers::<u32, u32>::default();
        let silent = |_| async { Err(ChainError::Incompatible("silent".into())) };
        let both = join_all([1, 2].map(|key| answers.get(key, silent))).await;
        assert!(both.iter().all(Result::is_err));
        let short = |_| async { Ok(Vec::new()) };
        assert!(answers.get(1, short).await.is_err());
        let told = |keys: Vec<u32>| async move { Ok(keys) };
        assert_eq!(answers.get(1, told).await.unwrap(), 1);
        assert_eq!(answers.get(1, silent).await.unwrap(), 1);
    }
}
