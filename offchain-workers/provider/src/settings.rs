//! What the role is told.

use crate::{
    identities::PoolSettings,
    policy::{Outside, StepError},
    reconcile::Intervals,
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use ve_slurm::{identity::Identity, Scheduler};
use virtengine_primitives::ClusterId;

/// As whom jobs run, and where their files lie.
#[derive(Clone)]
pub enum RunAs {
    /// As the worker's own user, below the cluster's work directory.
    Worker(Arc<dyn Scheduler>),
    /// As members of a pool, below their directories.
    Members(PoolSettings),
}

/// One cluster that the worker looks after.
#[derive(Clone)]
pub struct ClusterSettings {
    /// Its number on chain.
    pub id: ClusterId,
    /// Directory below which the worker keeps what it needs for each job, and, without a pool, the job its files.
    pub work_dir: PathBuf,
    /// As whom its jobs run.
    pub run_as: RunAs,
    /// The scheduler's names of the kinds of accelerator that the chain knows by number; it tells no others apart.
    pub gpu_types: BTreeMap<u8, String>,
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
    /// Most bytes that the inputs and outputs of one customer's jobs may take on one cluster; `None`: no limit.
    pub customer_quota: Option<u64>,
    /// The `PATH` that a job sees.
    pub job_path: String,
}

impl ClusterSettings {
    /// The pool, if jobs run as its members.
    pub fn pool(&self) -> Option<&PoolSettings> {
        match &self.run_as {
            RunAs::Worker(_) => None,
            RunAs::Members(pool) => Some(pool),
        }
    }

    /// The scheduler, as the user that the job runs as. `None` if that was not decided yet, so that nobody can have it.
    pub(crate) fn scheduler(
        &self,
        identity: Option<&str>,
    ) -> Result<Option<Arc<dyn Scheduler>>, StepError> {
        match (&self.run_as, identity) {
            (RunAs::Worker(scheduler), _) => Ok(Some(scheduler.clone())),
            (RunAs::Members(_), None) => Ok(None),
            (RunAs::Members(pool), Some(user)) => {
                let client = self.member(pool, user).and_then(|m| pool.clients.of(&m));
                client
                    .map(Some)
                    .map_err(StepError::unanswered(Outside::Scheduler))
            }
        }
    }

    /// The member of that unix user. The error is for people.
    pub(crate) fn member(&self, pool: &PoolSettings, user: &str) -> Result<Identity, String> {
        let nobody = || {
            format!(
                "the job belongs to {user}, who is in no identity pool of cluster {}: put `users` back as it was",
                self.id
            )
        };
        pool.pool.known(user).ok_or_else(nobody)
    }
}

impl Settings {
    /// The cluster of that number.
    pub fn cluster(&self, id: ClusterId) -> Option<&ClusterSettings> {
        self.clusters.iter().find(|c| c.id == id)
    }
}
