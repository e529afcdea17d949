//! The conformance suite's bed on a real cluster.

use std::{
    path::PathBuf,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::Duration,
};

use async_trait::async_trait;
use ve_slurm::{
    conformance::Bed, slurm::Identity, EndState, Scheduler, SchedulerJobId, SlurmCli,
    SlurmCliConfig, SubmitSpec,
};

use crate::{
    cluster::Cluster,
    real::{run::OwnBed, variable, Daemons},
};

pub struct CliBed {
    pub cluster: Cluster,
    counter: AtomicU32,
}

impl CliBed {
    pub fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            counter: AtomicU32::new(0),
        }
    }

    fn cli(&self, user: &str, identity: Identity) -> SlurmCli {
        SlurmCli::new(SlurmCliConfig {
            access: self.cluster.access(user),
            identity,
            state_dir: self.cluster.home.path().join("submissions"),
        })
        .expect("directory")
    }

    pub fn job(&self, body: &str) -> SubmitSpec {
        ve_slurm::conformance::job(self, body).expect("job")
    }
}

#[async_trait]
impl Bed for CliBed {
    async fn client(&self) -> Arc<dyn Scheduler> {
        Arc::new(self.cli(&self.cluster.user, Identity::default()))
    }

    fn shared_dir(&self) -> PathBuf {
        self.cluster.home.path().to_owned()
    }

    fn fresh_handle(&self) -> String {
        let number = 1_000 + self.counter.fetch_add(1, Ordering::Relaxed);
        // A cluster that was given knows the handles of earlier runs.
        format!("ve-{:08x}-{number}", std::process::id())
    }

    fn unknown_id(&self) -> SchedulerJobId {
        SchedulerJobId("67000000:ve-0123abcd-1".into())
    }

    fn partition(&self) -> Option<String> {
        Some(self.cluster.partition.clone())
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

impl OwnBed for CliBed {
    fn daemons(&self) -> &Daemons {
        self.cluster.daemons()
    }

    fn client_of(&self, user: &str, identity: Identity) -> Arc<dyn Scheduler> {
        Arc::new(self.cli(user, identity))
    }
}
