//! Clients of a cluster, and a place that its nodes see.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use tempfile::TempDir;
use ve_slurm::{
    conformance::Bed,
    rest::{Endpoint, RestConfig, SlurmRest, TokenSource},
    Scheduler, SchedulerJobId,
};

use crate::cluster::Cluster;

pub struct RestBed {
    shared: TempDir,
    state: TempDir,
    counter: AtomicU32,
    pub config: RestConfig,
    partition: Option<String>,
    cluster: Option<Cluster>,
}

impl RestBed {
    /// The cluster that the environment names, or one that is started.
    pub fn new() -> Self {
        if std::env::var_os("VE_SLURM_REST").is_some() {
            Self::with(None, |name| std::env::var(name).ok())
        } else {
            Self::of(Cluster::shared())
        }
    }

    /// A cluster whose daemons can be stopped; `None` if the environment names another.
    pub fn own() -> Option<Self> {
        if std::env::var_os("VE_SLURM_REST").is_some() {
            eprintln!("left out: the daemons of the cluster that VE_SLURM_REST names are not the test's to stop");
            return None;
        }
        Some(Self::of(Cluster::own()))
    }

    fn of(cluster: Cluster) -> Self {
        let env = cluster.env.clone();
        Self::with(Some(cluster), |name| env.get(name).cloned())
    }

    fn with(cluster: Option<Cluster>, var: impl Fn(&str) -> Option<String>) -> Self {
        let needed =
            |name: &str| var(name).unwrap_or_else(|| panic!("{name} is needed with VE_SLURM_REST"));
        // Jobs run as somebody else and write beside what the tests write.
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        let place = var("VE_SLURM_SHARED").map_or_else(std::env::temp_dir, PathBuf::from);
        let shared = TempDir::with_prefix_in("ve-rest-", place).expect("shared directory");
        fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o777)).expect("open to all");
        let state = TempDir::new().expect("state directory");
        let config = RestConfig {
            settle: Duration::from_secs(8),
            ..RestConfig::new(
                Endpoint::Url(needed("VE_SLURM_REST")),
                TokenSource::Key {
                    file: needed("VE_SLURM_JWT_KEY").into(),
                    lifetime: Duration::from_secs(300),
                },
                needed("VE_SLURM_CLUSTER"),
                needed("VE_SLURM_USER"),
                state.path(),
            )
        };
        Self {
            shared,
            state,
            counter: AtomicU32::new(0),
            config,
            partition: var("VE_SLURM_PARTITION"),
            cluster,
        }
    }

    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("a cluster of the test's own")
    }

    pub fn rest(&self) -> SlurmRest {
        SlurmRest::new(self.config.clone()).expect("configured")
    }

    /// A file of the test's own, for a token or a key.
    pub fn secret(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.state.path().join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
        path
    }

    pub fn rest_with(&self, tokens: TokenSource) -> SlurmRest {
        let config = RestConfig {
            tokens,
            ..self.config.clone()
        };
        SlurmRest::new(config).expect("configured")
    }

    pub fn path(&self) -> &Path {
        self.shared.path()
    }
}

#[async_trait]
impl Bed for RestBed {
    async fn client(&self) -> Arc<dyn Scheduler> {
        Arc::new(self.rest())
    }

    fn shared_dir(&self) -> PathBuf {
        self.path().to_owned()
    }

    fn fresh_handle(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        format!("ve-{:x}-{}-{number}", now.as_nanos(), std::process::id())
    }

    fn unknown_id(&self) -> SchedulerJobId {
        SchedulerJobId("60000000:ve-never-1".into())
    }

    fn partition(&self) -> Option<String> {
        self.partition.clone()
    }

    fn shortest_limit(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn forgets_accounting(&self) -> bool {
        false
    }
}
