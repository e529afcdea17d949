//! Clients of a cluster, and a place that its nodes see.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
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
    slurm::Identity,
    EndState, Scheduler, SchedulerJobId,
};

use crate::real::{given_directory, job_user, run::OwnBed, shared_directory, variable, Daemons};

pub struct RestBed {
    counter: AtomicU32,
    pub config: RestConfig,
    partition: String,
    cluster: Option<Daemons>,
    state: TempDir,
    // Last: the cluster is in it.
    shared: TempDir,
}

impl RestBed {
    /// The cluster that the environment names, or one of its own.
    pub fn given_or_own() -> Self {
        match variable("VE_SLURM_REST") {
            None => Self::own(),
            Some(url) => {
                let needed = |name: &str| {
                    variable(name).unwrap_or_else(|| panic!("{name} is needed with VE_SLURM_REST"))
                };
                let key = needed("VE_SLURM_JWT_KEY").into();
                let (cluster, user) = (needed("VE_SLURM_CLUSTER"), needed("VE_SLURM_USER"));
                Self::with(
                    shared_directory(given_directory()),
                    None,
                    url,
                    key,
                    &cluster,
                    &user,
                )
            }
        }
    }

    /// `None` if the environment names a cluster: its daemons are not the test's to stop.
    pub fn own_unless_given() -> Option<Self> {
        if variable("VE_SLURM_REST").is_some() {
            eprintln!("left out: it stops daemons, and VE_SLURM_REST names a cluster");
            return None;
        }
        Some(Self::own())
    }

    /// A cluster of its own.
    pub fn own() -> Self {
        let shared = shared_directory(given_directory());
        let daemons = Daemons::start(shared.path(), &[("VE_SLURM_MIN_JOB_AGE", "30")]);
        let (url, key, name) = (daemons.rest(), daemons.key(), daemons.name.clone());
        Self::with(shared, Some(daemons), url, key, &name, &job_user())
    }

    fn with(
        shared: TempDir,
        own: Option<Daemons>,
        url: String,
        key: PathBuf,
        cluster: &str,
        user: &str,
    ) -> Self {
        let state = TempDir::new().expect("state directory");
        let tokens = TokenSource::Key {
            file: key,
            lifetime: Duration::from_secs(300),
        };
        let config = RestConfig::new(Endpoint::Url(url), tokens, cluster, user, state.path());
        Self {
            counter: AtomicU32::new(0),
            config,
            partition: variable("VE_SLURM_PARTITION").unwrap_or_else(|| "main".to_owned()),
            cluster: own,
            state,
            shared,
        }
    }

    pub fn cluster(&self) -> &Daemons {
        self.cluster.as_ref().expect("a cluster of the test's own")
    }

    pub fn rest(&self) -> SlurmRest {
        SlurmRest::new(self.config.clone()).expect("configured")
    }

    pub fn rest_with(&self, tokens: TokenSource) -> SlurmRest {
        let config = RestConfig {
            tokens,
            ..self.config.clone()
        };
        SlurmRest::new(config).expect("configured")
    }

    /// A file of the test's own, for a token or a key.
    pub fn secret(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.state.path().join(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("private");
        path
    }
}

#[async_trait]
impl Bed for RestBed {
    async fn client(&self) -> Arc<dyn Scheduler> {
        Arc::new(self.rest())
    }

    fn shared_dir(&self) -> PathBuf {
        self.shared.path().to_owned()
    }

    fn fresh_handle(&self) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        // A cluster that was given knows the handles of earlier runs.
        format!("ve-{:x}-{number}", now.as_nanos())
    }

    fn unknown_id(&self) -> SchedulerJobId {
        SchedulerJobId("60000000:ve-never-1".into())
    }

    fn partition(&self) -> Option<String> {
        Some(self.partition.clone())
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

    fn warned(&self) -> (Duration, Duration) {
        (Duration::from_secs(60), Duration::from_secs(15))
    }

    fn memory_end(&self) -> EndState {
        match variable("VE_SLURM_OOM") {
            Some(_) => EndState::OutOfMemory,
            None => EndState::Failed { exit_code: 137 },
        }
    }
}

impl OwnBed for RestBed {
    fn daemons(&self) -> &Daemons {
        self.cluster()
    }

    fn client_of(&self, user: &str, identity: Identity) -> Arc<dyn Scheduler> {
        let config = RestConfig {
            user: user.to_owned(),
            identity,
            ..self.config.clone()
        };
        Arc::new(SlurmRest::new(config).expect("configured"))
    }
}
