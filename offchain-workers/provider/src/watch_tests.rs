use super::*;
use crate::{
    archive::Artifacts,
    failpoints::unobserved,
    health::Health,
    library::Library,
    local::LocalJob,
    metrics::Metrics,
    reconcile::Intervals,
    records::Records,
    settings::{ClusterSettings, Settings},
    view::{Batch, ChainView, Outcomes},
};
use async_trait::async_trait;
use sp_core::{crypto::AccountId32, H256};
use std::sync::{Arc, Mutex};
use ve_chain::ChainError;
use ve_envelope::{seal, Binding, SecretKey};
use virtengine_primitives::{billing::*, envelope::*, hpc::*, *};

const OURS: ClusterId = 1;
const THEIRS: ClusterId = 2;

/// One block of a chain that counts what it is asked.
#[derive(Default)]
struct Block {
    number: BlockNumber,
    jobs: BTreeMap<AgreementId, ChainJob>,
    /// What it says happened; `None`: it cannot tell.
    news: Option<News>,
    pages: Mutex<u32>,
    read: Mutex<Vec<AgreementId>>,
}

impl Block {
    fn asked(&self) -> (u32, Vec<AgreementId>) {
        let pages = std::mem::take(&mut *self.pages.lock().unwrap());
        let mut read = std::mem::take(&mut *self.read.lock().unwrap());
        read.sort_unstable();
        (pages, read)
    }
}

#[async_trait]
impl Snapshot for Block {
    fn number(&self) -> BlockNumber {
        self.number
    }
    async fn timestamp(&self) -> Result<Moment, ChainError> {
        Ok(0)
    }
    async fn news(&self, _: BlockNumber) -> Result<Option<News>, ChainError> {
        Ok(self.news.clone())
    }
    async fn open_jobs(
        &self,
        cluster: ClusterId,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, ChainJob)>, ChainError> {
        *self.pages.lock().unwrap() += 1;
        let open = self
            .jobs
            .iter()
            .filter(|(id, job)| job.assignment.cluster == cluster && Some(**id) > after);
        let page = open.map(|(id, job)| (*id, job.clone()));
        Ok(page.take(PAGE as usize).collect())
    }
    async fn job(&self, id: AgreementId) -> Result<Option<ChainJob>, ChainError> {
        self.read.lock().unwrap().push(id);
        Ok(self.jobs.get(&id).cloned())
    }
    async fn agreement(
        &self,
        _: AgreementId,
    ) -> Result<Option<Agreement<AccountId32>>, ChainError> {
        Ok(None)
    }
    async fn dispute(&self, _: AgreementId) -> Result<Option<Dispute>, ChainError> {
        Ok(None)
    }
    async fn plan(&self, _: PlanId) -> Result<Option<(ProviderId, PricePlan)>, ChainError> {
        Ok(None)
    }
    async fn cluster(&self, _: ClusterId) -> Result<Option<Cluster>, ChainError> {
        Ok(None)
    }
    async fn templates(&self, _: ClusterId) -> Result<Vec<(TemplateHash, Name)>, ChainError> {
        Ok(Vec::new())
    }
    async fn keys(&self, _: &AccountId32) -> Result<Vec<(KeyId, EncryptionKey)>, ChainError> {
        Ok(Vec::new())
    }
    async fn arbiter_keys(&self, _: usize) -> Result<Vec<Vec<EncryptionKey>>, ChainError> {
        Ok(Vec::new())
    }
    async fn provider_of(&self, _: &AccountId32) -> Result<Option<ProviderId>, ChainError> {
        Ok(None)
    }
}

/// The watch is given its blocks and asks for none.
struct NoChain;

#[async_trait]
impl ChainView for NoChain {
    fn genesis(&self) -> H256 {
        H256::zero()
    }
    async fn block_time(&self) -> Result<Duration, ChainError> {
        unreachable!("nothing is waited for")
    }
    async fn wait(&self, _: Duration) {}
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, ChainError> {
        unreachable!()
    }
    async fn tip(&self) -> Result<Arc<dyn Snapshot>, ChainError> {
        unreachable!()
    }
    async fn send(&self, _: Batch, _: &(dyn Fn() + Send + Sync)) -> Result<Outcomes, ChainError> {
        unreachable!()
    }
}

fn job(cluster: ClusterId) -> ChainJob {
    let key = SecretKey::generate().unwrap();
    let binding = Binding::payload([0; 32], &[0; 32]);
    let (payload, _) = seal(b"{}", &[key.public()], &binding).unwrap();
    Job {
        customer: AccountId32::new([0; 32]),
        request: JobRequest {
            candidates: Default::default(),
            workload: Workload::Script,
            payload,
            inputs: Default::default(),
            resources: Resources {
                nodes: 1,
                cpus: 1,
                memory_mib: 1,
                gpus: 0,
                gpu_type: 0,
                array_tasks: 1,
            },
            walltime: 1,
            asset: AssetKind::Native,
            ceiling: 1,
            start_within: 1,
            end_by: 1,
        },
        remaining: Default::default(),
        assignment: Candidate {
            cluster,
            partition: 0,
            plan: 0,
            cost: 1,
        },
        provider: 0,
        state: JobState::Assigned,
        deadline: 1_000,
        start_by: 1_000,
        accepted_at: None,
        started_at: None,
        cancel_by: None,
        end: None,
        ended_at: None,
    }
}

async fn context(directory: &std::path::Path) -> Context {
    let database = ve_store::Database::in_memory().await.unwrap();
    let scheduler = ve_slurm::LocalConfig::new(directory.join("scheduler"), "/bin/false");
    let library = directory.join("library");
    std::fs::create_dir(&library).unwrap();
    Context {
        chain: Arc::new(NoChain),
        records: Records::load(database).await.unwrap(),
        identities: Default::default(),
        artifacts: Artifacts(ve_store::Artifacts::open("memory:///").unwrap()),
        library: Library::open(&library).unwrap(),
        secret: SecretKey::generate().unwrap(),
        settings: Settings {
            clusters: vec![ClusterSettings {
                id: OURS,
                work_dir: directory.join("jobs"),
                run_as: crate::RunAs::Worker(Arc::new(
                    ve_slurm::LocalScheduler::open(scheduler).unwrap(),
                )),
                gpu_types: Default::default(),
                custom_scripts: false,
                partitions: false,
            }],
            intervals: Intervals {
                report: 1,
                log: 1,
                cancel: 1,
                retention: 1,
            },
            poll: Duration::from_secs(1),
            input_grace: Duration::from_secs(1),
            parallel: 1,
            drain: Duration::from_secs(1),
            customer_quota: None,
            job_path: String::new(),
        },
        metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
        health: Health::default(),
        observer: unobserved(),
    }
}

fn seen(watch: &Watch, id: AgreementId) -> bool {
    watch.seen.contains_key(&id)
}

#[tokio::test]
async fn refresh_should_read_what_the_events_name_and_nothing_else_when_all_has_been_seen() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(directory.path()).await;
    let like = job(OURS);
    let mut block = Block {
        number: 10,
        jobs: (0..250).map(|id| (id, like.clone())).collect(),
        ..Block::default()
    };
    let mut watch = Watch::default();
    watch.refresh(&context, &block).await.unwrap();
    assert_eq!(watch.all().count(), 250);
    assert_eq!(block.asked(), (3, vec![]));

    // The same block again, and one in which nothing happened to our jobs.
    watch.refresh(&context, &block).await.unwrap();
    block.number = 11;
    block.news = Some(News::from([(7_000, Some(THEIRS)), (8_000, None)]));
    watch.refresh(&context, &block).await.unwrap();
    assert_eq!(block.asked(), (0, vec![]));

    // One was given to somebody else, one is pruned, one is new.
    block.number = 12;
    block.jobs.insert(3, job(THEIRS));
    block.jobs.remove(&4);
    block.jobs.insert(300, like.clone());
    block.news = Some(News::from([
        (3, Some(THEIRS)),
        (4, None),
        (300, Some(OURS)),
        (5, None),
    ]));
    watch.refresh(&context, &block).await.unwrap();
    assert_eq!(block.asked(), (0, vec![3, 4, 5, 300]));
    assert!(!seen(&watch, 3) && !seen(&watch, 4) && seen(&watch, 300));

    // What was asked for is looked at once more.
    watch.look_again(5);
    watch.refresh(&context, &block).await.unwrap();
    watch.refresh(&context, &block).await.unwrap();
    assert_eq!(block.asked(), (0, vec![5]));

    // Nobody can tell what happened.
    (block.number, block.news) = (500, None);
    watch.refresh(&context, &block).await.unwrap();
    assert_eq!(block.asked(), (3, vec![]));
}

#[tokio::test]
async fn refresh_should_keep_what_is_recorded_when_the_chain_does_not_hold_it_open_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(directory.path()).await;
    for id in [1, 2, 3] {
        context.records.put(&LocalJob::new(id, OURS)).await.unwrap();
    }
    let block = Block {
        number: 10,
        jobs: BTreeMap::from([(1, job(OURS)), (2, job(THEIRS))]),
        ..Block::default()
    };
    let mut watch = Watch::default();
    watch.refresh(&context, &block).await.unwrap();
    let observed = |id| watch.seen.get(&id).map(|seen| seen.observed);
    assert!(matches!(observed(1), Some(Observed::Open(_))));
    assert_eq!(observed(2), Some(Observed::Elsewhere));
    assert_eq!(observed(3), Some(Observed::Gone));
}

#[tokio::test]
async fn refresh_should_decide_nothing_when_the_node_is_behind_what_was_seen() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(directory.path()).await;
    let mut block = Block {
        number: 10,
        jobs: BTreeMap::from([(1, job(OURS))]),
        ..Block::default()
    };
    let mut watch = Watch::default();
    watch.refresh(&context, &block).await.unwrap();
    block.number = 9;
    block.jobs.clear();
    for _ in 0..2 {
        let refused = watch.refresh(&context, &block).await;
        assert!(matches!(
            refused,
            Err(StepError::Unanswered {
                outside: Outside::Chain,
                ..
            })
        ));
        assert!(seen(&watch, 1));
    }
    (block.number, block.news) = (11, Some(News::from([(1, None)])));
    watch.refresh(&context, &block).await.unwrap();
    assert!(!seen(&watch, 1));
}
