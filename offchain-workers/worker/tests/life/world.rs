//! A provider's whole world in a directory: chain, artifacts, scheduler, library, keys, one customer.

use crate::{
    chain::{FileChain, State, CLUSTER, GENESIS, OTHER_CLUSTER},
    cluster::Share,
};
use prometheus::Registry;
use sp_core::{crypto::AccountId32, H256};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;
use ve_envelope::{open, seal, seal_with_key, Binding, ContentKey, SealedBody, SecretKey};
use ve_provider::{
    failpoints::{unobserved, Observer},
    now_ms,
    reconcile::Intervals,
    Artifacts, ClusterSettings, Context, Health, Identities, Library, Metrics, PoolSettings,
    Records, Role, RunAs, Settings,
};
use ve_slurm::{LocalConfig, LocalScheduler, Lookup, QueryError, Scheduler};
use ve_store::Database;
use virtengine_primitives::{billing::*, blake2_256, hpc::*, AgreementId, AssetKind, Name};

pub const CUSTOMER: [u8; 32] = [7; 32];
pub const ARBITER: [u8; 32] = [8; 32];
/// File of a world whose cluster is SLURM's.
const SHARE: &str = "share.json";

/// The world, found again by its directory.
pub struct World {
    pub root: PathBuf,
    pub chain: FileChain,
    /// The worker's database.
    pub store: PathBuf,
    /// Most bytes of one customer's jobs.
    pub customer_quota: Option<u64>,
    /// As whom jobs run; `None`: as the worker's own user.
    pub pool: Option<PoolSettings>,
    /// How often the scheduler is asked.
    pub poll: Duration,
    /// What `/healthz` would say.
    pub health: Health,
}

/// What is asked for.
#[derive(Clone)]
pub struct Order {
    pub seconds: f64,
    pub status: u16,
    pub tasks: u32,
    pub walltime: u64,
    /// The ciphertext of the input is uploaded.
    pub uploaded: bool,
    /// What is uploaded is something else.
    pub damaged: bool,
    /// The payload's key opens the input.
    pub good_key: bool,
    /// The input is that many bytes of noise, and the job gives it back.
    pub large: Option<u64>,
    /// The job submits others, to the cluster with this `slurm.conf`.
    pub nested: Option<String>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            seconds: 1.5,
            status: 0,
            tasks: 1,
            walltime: 60,
            uploaded: true,
            damaged: false,
            good_key: true,
            large: None,
            nested: None,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn name(text: &str) -> Name {
    text.as_bytes().to_vec().try_into().unwrap()
}

pub fn secret(path: &Path) -> SecretKey {
    SecretKey::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl World {
    pub fn at(root: &Path) -> Self {
        let share: Option<Share> = std::fs::read(root.join(SHARE))
            .ok()
            .map(|share| serde_json::from_slice(&share).unwrap());
        Self {
            root: root.to_owned(),
            chain: FileChain(root.to_owned()),
            store: root.join("worker.db"),
            customer_quota: None,
            // Each answer of SLURM's costs processes of this machine.
            poll: Duration::from_millis(if share.is_some() { 1_000 } else { 200 }),
            pool: share.map(|share| share.pool(root)),
            health: Health::default(),
        }
    }

    /// A world without jobs, whose cluster is SLURM's.
    pub fn create_on(root: &Path, share: &Share) -> Self {
        std::fs::write(root.join(SHARE), serde_json::to_vec(share).unwrap()).unwrap();
        Self::create(root)
    }

    /// A world without jobs.
    pub fn create(root: &Path) -> Self {
        for name in ["tiny", "large", "nested"] {
            let template = root.join("library").join(name);
            std::fs::create_dir_all(&template).unwrap();
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/life");
            for file in ["template.toml", "job.sh"] {
                std::fs::copy(source.join(name).join(file), template.join(file)).unwrap();
            }
        }
        let library = ve_templates::Library::open(&root.join("library")).unwrap();
        let template = library.find("tiny").unwrap().hash();
        let mut keys = Vec::new();
        for who in ["customer", "worker", "arbiter"] {
            let key = SecretKey::generate().unwrap();
            let text: String = key.to_bytes().iter().map(|b| format!("{b:02x}")).collect();
            std::fs::write(root.join(format!("{who}.key")), text).unwrap();
            if who == "customer" {
                keys.push((AccountId32::new(CUSTOMER), key.public().to_bytes()));
            }
        }
        let partition = Partition {
            name: name("all"),
            nodes: 1,
            cpus_per_node: 64,
            memory_mib_per_node: 1 << 20,
            gpus_per_node: 0,
            gpu_type: 0,
            max_walltime: 3600,
            plan: 0,
        };
        let spec = ClusterSpec {
            name: name("test"),
            partitions: vec![partition].try_into().unwrap(),
            max_open_jobs: 100,
            min_score: 0,
            custom_scripts: false,
        };
        let rate = Rate {
            component: Component::CpuSeconds,
            price_per_million: 1_000_000,
        };
        let state = State {
            born: now_ms(),
            jobs: Default::default(),
            agreements: Default::default(),
            disputes: Default::default(),
            disputing: false,
            reports: Vec::new(),
            keys,
            plan: PricePlan {
                asset: AssetKind::Native,
                rates: vec![rate].try_into().unwrap(),
                minimum_charge: 0,
            },
            cluster: Cluster {
                provider: 0,
                spec,
                state: ClusterState::Open,
                open_jobs: 0,
            },
            template,
            calls: Vec::new(),
            accepted_in: Default::default(),
            finality: 3,
            refusing: false,
            silent_until: 0,
        };
        FileChain::create(root, &state);
        Self::at(root)
    }

    pub fn artifacts(&self) -> ve_store::Artifacts {
        ve_store::Artifacts::open(&format!("file://{}/artifacts", self.root.display())).unwrap()
    }

    pub fn scheduler(&self) -> LocalScheduler {
        self.scheduler_in("scheduler")
    }

    fn scheduler_in(&self, folder: &str) -> LocalScheduler {
        let program = env!("CARGO_BIN_EXE_virtengine-worker");
        let mut config = LocalConfig::new(self.root.join(folder), program);
        config.kill_grace = Duration::from_secs(1);
        config.capacity.cpus = 64;
        LocalScheduler::open(config).unwrap()
    }

    /// Submits a job as `ve` does.
    pub async fn order(&self, id: AgreementId, order: &Order) {
        let artifacts = self.artifacts();
        let (name, input) = match (order.large, &order.nested) {
            (Some(length), _) => ("large", self.seal_noise(length)),
            (None, Some(conf)) => ("nested", self.seal_words(order, conf).await),
            (None, None) => ("tiny", self.seal_words(order, &self.words()).await),
        };
        let (key, sealed) = input;
        let (hash, length) = (H256(sealed.hash), sealed.length);
        let key = if order.good_key {
            *key.to_bytes()
        } else {
            [9; 32]
        };
        let parameters = match name {
            "large" | "nested" => serde_json::json!({}),
            _ => {
                serde_json::json!({ "seconds": order.seconds, "status": order.status, "tasks": order.tasks })
            }
        };
        let payload = serde_json::json!({
            "version": 1,
            "template": { "name": name, "version": "1.0.0" },
            "parameters": parameters,
            "script": null,
            "inputs": [{
                "name": "words.txt", "hash": hex(hash.as_bytes()), "length": length,
                "plain_length": sealed.plain_length, "key": hex(&key),
            }],
        });
        let worker = secret(&self.root.join("worker.key"));
        let customer = secret(&self.root.join("customer.key"));
        let (payload, sealed) = seal(
            payload.to_string().as_bytes(),
            &[worker.public(), customer.public()],
            &Binding::payload(GENESIS, &CUSTOMER),
        )
        .unwrap();
        artifacts.put_blob(sealed).await.unwrap();
        let resources = Resources {
            nodes: 1,
            cpus: 2,
            memory_mib: 64,
            gpus: 0,
            gpu_type: 0,
            array_tasks: order.tasks,
        };
        let allocation = resources.allocation(order.walltime).unwrap();
        let library = ve_templates::Library::open(&self.root.join("library")).unwrap();
        let workload = library.find(name).unwrap().hash();
        self.chain.change(|state| {
            let block = state.block();
            let request = JobRequest {
                candidates: vec![(CLUSTER, 0)].try_into().unwrap(),
                workload: Workload::Template(workload),
                payload,
                inputs: vec![InputRef { hash, length }].try_into().unwrap(),
                resources,
                walltime: order.walltime,
                asset: AssetKind::Native,
                ceiling: 1_000_000,
                start_within: 10_000,
                end_by: block + 100_000,
            };
            let assignment = Candidate {
                cluster: CLUSTER,
                partition: 0,
                plan: 0,
                cost: 1_000_000,
            };
            let job = Job {
                customer: AccountId32::new(CUSTOMER),
                request,
                remaining: Default::default(),
                assignment,
                provider: 0,
                state: JobState::Assigned,
                deadline: block + 10_000,
                start_by: block + 10_000,
                accepted_at: None,
                started_at: None,
                cancel_by: None,
                end: None,
                ended_at: None,
            };
            state.jobs.insert(id, job);
            state.agreements.insert(
                id,
                Agreement {
                    payer: AccountId32::new(CUSTOMER),
                    provider: 0,
                    asset: AssetKind::Native,
                    plan: 0,
                    ceiling: 1_000_000,
                    allocation,
                    opened_at: now_ms(),
                    started_at: None,
                    state: AgreementState::Open,
                    sequence: 0,
                    metered_until: 0,
                    metered_ms: 0,
                    cumulative: Quantities::default(),
                    charged: 0,
                    head: H256::zero(),
                    dispute_window: 10,
                    take_rate: Default::default(),
                },
            );
        });
    }

    /// Uploads the words, or what the order says in their place.
    async fn seal_words(&self, order: &Order, words: &str) -> (ContentKey, SealedBody) {
        let artifacts = self.artifacts();
        let binding = Binding::input(GENESIS, &CUSTOMER, 0);
        let (key, sealed, body) = seal_with_key(words.as_bytes(), &binding).unwrap();
        if order.uploaded {
            let length = body.len();
            artifacts.put_blob(body).await.unwrap();
            if order.damaged {
                std::fs::write(self.blob(&sealed.hash), vec![1u8; length]).unwrap();
            }
        }
        (key, sealed)
    }

    /// Where the artifact store keeps a blob.
    pub fn blob(&self, hash: &[u8]) -> PathBuf {
        self.root.join("artifacts/blobs").join(hex(hash))
    }

    pub fn words(&self) -> String {
        "CANARY-plaintext-words ".repeat(1000)
    }

    /// All that the role works with, as the binary puts it together, over this world.
    pub async fn context(&self, observer: Observer) -> Context {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let as_worker = |scheduler: LocalScheduler| RunAs::Worker(Arc::new(scheduler));
        let run_as = match &self.pool {
            Some(pool) => RunAs::Members(pool.clone()),
            None => as_worker(self.scheduler()),
        };
        let cluster = |id, work_dir: &str, run_as: RunAs| ClusterSettings {
            id,
            work_dir: self.root.join(work_dir),
            run_as,
            gpu_types: Default::default(),
            custom_scripts: false,
            partitions: false,
        };
        let settings = Settings {
            clusters: vec![
                cluster(CLUSTER, "jobs", run_as),
                cluster(
                    OTHER_CLUSTER,
                    "other-jobs",
                    as_worker(self.scheduler_in("other-scheduler")),
                ),
            ],
            intervals: Intervals {
                report: 400,
                log: 200,
                cancel: 1_000,
                retention: 1_500,
            },
            poll: self.poll,
            input_grace: Duration::from_millis(800),
            parallel: 8,
            drain: Duration::from_secs(5),
            customer_quota: self.customer_quota,
            job_path: "/usr/bin:/bin".into(),
        };
        let database = self.database().await;
        let identities = self.identities(&database).into_iter();
        Context {
            chain: Arc::new(self.chain.clone()),
            identities: identities.map(|found| (CLUSTER, found)).collect(),
            records: Records::load(database.clone()).await.unwrap(),
            artifacts: Artifacts(self.artifacts()),
            library: Library::open(&self.root.join("library")).unwrap(),
            secret: secret(&self.root.join("worker.key")),
            settings,
            metrics,
            health: self.health.clone(),
            observer,
        }
    }

    fn identities(&self, database: &Database) -> Option<Identities> {
        let settings = self.pool.as_ref()?;
        let (pool, homes) = (settings.pool.clone(), Arc::new(settings.clone()));
        Some(Identities::new(database.clone(), CLUSTER, pool, homes))
    }

    /// Number of members of the pool that are somebody's. Without a worker.
    pub async fn leased(&self) -> usize {
        match self.identities(&self.database().await) {
            Some(identities) => identities.leased().await.unwrap(),
            None => 0,
        }
    }

    /// Opens the store; the role that had it before in this process may be giving it back still.
    async fn database(&self) -> Database {
        let begun = std::time::Instant::now();
        loop {
            match Database::open(&self.store).await {
                Err(ve_store::Error::InUse(_)) if begun.elapsed() < Duration::from_secs(60) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened.unwrap(),
            }
        }
    }

    /// Runs the role in this process until `done`, at most `limit`.
    pub async fn run_until(&self, limit: Duration, done: impl Fn(&State) -> bool) {
        let (tell, stop) = watch::channel(false);
        let role = Role::new(self.context(unobserved()).await);
        let working = tokio::spawn(role.run(stop));
        let begun = std::time::Instant::now();
        while !done(&self.chain.read()) {
            assert!(
                begun.elapsed() < limit,
                "not done in time: {:?}",
                self.chain.read().calls
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tell.send(true).unwrap();
        working.await.unwrap();
    }

    /// The end of a job on chain.
    pub fn end(&self, id: AgreementId) -> Option<JobEnd> {
        self.chain.read().jobs[&id].end.clone()
    }

    pub fn handle(&self, id: AgreementId) -> String {
        format!("ve-a5a5a5a5-{id}")
    }

    pub fn home(&self, id: AgreementId) -> PathBuf {
        let member = self.pool.as_ref().map(|settings| {
            let mut members = settings.pool.members();
            settings.pool.home(&members.next().unwrap())
        });
        let all = member.unwrap_or_else(|| self.root.join("jobs"));
        all.join(self.handle(id))
    }

    /// Accounting of a job in the scheduler.
    pub async fn rows(&self, id: AgreementId) -> Vec<ve_slurm::Attempt> {
        let scheduler = self.scheduler();
        match scheduler.find(&self.handle(id)).await {
            Lookup::Found(ids) => {
                assert_eq!(ids.len(), 1, "one handle, one job");
                match scheduler.attempts(&ids[0]).await {
                    Ok(rows) => rows,
                    // Forgotten between the two questions.
                    Err(QueryError::Absent) => Vec::new(),
                    Err(error) => panic!("{error}"),
                }
            }
            Lookup::Absent => Vec::new(),
            Lookup::Unknown(why) => panic!("{why}"),
        }
    }

    /// Opens the result of a job with the customer's key and unpacks it; file contents by path.
    pub async fn result(&self, id: AgreementId) -> std::collections::BTreeMap<String, Vec<u8>> {
        let header = self.end(id).unwrap().result.expect("a result");
        let body = self
            .artifacts()
            .get_blob(&header.hash.0, header.length)
            .await
            .unwrap();
        let customer = secret(&self.root.join("customer.key"));
        let tar = open(&header, &body, &customer, &Binding::result(GENESIS, id)).unwrap();
        let out = tempfile::tempdir_in(&self.root).unwrap();
        std::fs::write(out.path().join("r.tar"), tar).unwrap();
        let status = std::process::Command::new("tar")
            .args(["-xf", "r.tar"])
            .current_dir(out.path())
            .status();
        assert!(status.unwrap().success());
        std::fs::read_dir(out.path())
            .unwrap()
            .map(|e| e.unwrap())
            .filter(|e| e.file_name() != "r.tar")
            .map(|e| {
                (
                    e.file_name().into_string().unwrap(),
                    std::fs::read(e.path()).unwrap(),
                )
            })
            .collect()
    }

    /// The log that the customer can read.
    pub async fn log(&self, id: AgreementId) -> String {
        let customer = secret(&self.root.join("customer.key"));
        let mut text = Vec::new();
        for chunk in 0.. {
            let path = ve_store::Artifacts::log_path(&GENESIS, id, chunk);
            let Some(bytes) = self.artifacts().get(&path, 1 << 24).await.unwrap() else {
                break;
            };
            let (header, body) = ve_envelope::frame::from_bytes(&bytes).unwrap();
            text.extend(open(&header, body, &customer, &Binding::log(GENESIS, id, chunk)).unwrap());
        }
        String::from_utf8(text).unwrap()
    }

    /// Checks that every report on chain follows the last one and has evidence that its customer can open and check.
    pub async fn check_reports(&self, id: AgreementId) {
        self.evidence_hashes(id, "customer").await;
    }

    /// Registers the arbiter's key.
    pub fn arbiter_appears(&self) {
        let key = secret(&self.root.join("arbiter.key"));
        self.chain.change(|state| {
            let public = key.public().to_bytes();
            state.keys.push((AccountId32::new(ARBITER), public));
        });
    }

    /// What the chain is to be told of all evidence of a job, by whoever can open it.
    pub async fn bundle(&self, id: AgreementId, who: &str) -> H256 {
        blake2_256(&self.evidence_hashes(id, who).await.concat())
    }

    /// Opens the evidence of every report on chain as somebody, and checks it.
    async fn evidence_hashes(&self, id: AgreementId, who: &str) -> Vec<[u8; 32]> {
        let reader = secret(&self.root.join(format!("{who}.key")));
        let reports = self.chain.read().reports;
        let mut hashes = Vec::new();
        let mut head = H256::zero();
        for (n, (_, report)) in reports.iter().filter(|(job, _)| *job == id).enumerate() {
            assert_eq!(report.sequence as usize, n + 1);
            let path = ve_store::Artifacts::evidence_path(&GENESIS, id, report.sequence.into());
            let bytes = self
                .artifacts()
                .get(&path, 1 << 20)
                .await
                .unwrap()
                .expect("evidence");
            let (header, body) = ve_envelope::frame::from_bytes(&bytes).unwrap();
            let binding = Binding::evidence(GENESIS, id, report.sequence.into());
            let rows = open(&header, body, &reader, &binding).unwrap();
            assert_eq!(
                blake2_256(&rows),
                report.evidence,
                "evidence of report {}",
                n + 1
            );
            let text: serde_json::Value = serde_json::from_slice(&rows[32..]).unwrap();
            assert_eq!(text["agreement"], id);
            hashes.push(report.evidence.0);
            head = ve_chain::dispute::next_head(head, &rows).unwrap();
        }
        assert_eq!(head, self.chain.read().agreements[&id].head);
        hashes
    }

    /// Cpu-seconds on chain.
    pub fn cpu_seconds(&self, id: AgreementId) -> u128 {
        let all = &self.chain.read().agreements[&id].cumulative;
        all.iter()
            .find(|(c, _)| *c == Component::CpuSeconds)
            .map_or(0, |(_, q)| *q)
    }

    /// Items that the chain did, by call.
    pub fn done(&self, id: AgreementId, call: &str) -> usize {
        let calls = self.chain.read().calls;
        calls
            .iter()
            .filter(|(name, job, outcome)| name == call && *job == id && outcome.is_ok())
            .count()
    }
}
