//! What the role is told.

use crate::{identities::PoolSettings, reconcile::Intervals};
use std::{path::PathBuf, sync::Arc, time::Duration};
use ve_slurm::Scheduler;
use virtengine_primitives::ClusterId;

/// One cluster that the worker looks after.
#[derive(Clone)]
pub struct ClusterSettings {
    /// Its number on chain.
    pub id: ClusterId,
    /// Directory below which the worker keeps what it needs for each job, and, without a pool, the job its files.
    pub work_dir: PathBuf,
    /// As whom its jobs run, and where their files lie; `None`: as the worker's own user, below `work_dir`.
    pub pool: Option<PoolSettings>,
    /// The cluster's scheduler.
    pub scheduler: Arc<dyn Scheduler>,
    /// Whether scripts outside the template library are run. Never with the `local` scheduler, which confines nothing.
    pub custom_scripts: bool,
    /// Whether the scheduler knows partitions by name (`local` does not).
    pub partitions: bool,
}

/// Settings of the provider role.
#[derive(Clone)]
pub struct Settings {
    /// The clusters.
    pub clusters: Vec<ClusterSettings>,
    /// Intervals of reporting and cleaning.
    pub intervals: Intervals,
    /// Longest time between two looks at everything.
    pub poll: Duration,
    /// How long an input that is not in the artifact store is waited for.
    pub input_grace: Duration,
    /// Most steps at work at once.
    pub parallel: usize,
    /// How long steps under way may take to end when the worker is told to stop.
    pub drain: Duration,
    /// The `PATH` that a job sees.
    pub job_path: String,
}

impl Settings {
    /// The cluster of that number.
    pub fn cluster(&self, id: ClusterId) -> Option<&ClusterSettings> {
        self.clusters.iter().find(|c| c.id == id)
    }
}
