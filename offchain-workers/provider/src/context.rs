//! What every step works with, and the dispatch from an action to its step.

use crate::{
    archive::Artifacts,
    failpoints::Observer,
    files::{AsMember, Direct, JobFiles},
    health::Health,
    identities::Identities,
    library::Library,
    local::{LocalJob, Submission},
    metrics::Metrics,
    policy::{on_error, Outside, StepError, Verdict},
    reconcile::{Action, InScheduler, Observed, OnChain},
    records::Records,
    settings::{ClusterSettings, Settings},
    view::{ChainJob, ChainView, Snapshot},
    watch::observe,
};
use sp_core::crypto::AccountId32;
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Instant};
use ve_envelope::{Binding, PublicKey, Sealer, SecretKey, MAX_RECIPIENTS};
use ve_slurm::{identity::Identity, Lookup, QueryError, Scheduler, SchedulerJobId, Status};
use virtengine_primitives::{hpc::JobState, AgreementId, ClusterId, Moment};

/// Unix milliseconds by the machine's clock.
pub fn now_ms() -> Moment {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Everything that a step needs.
pub struct Context {
    /// The chain.
    pub chain: Arc<dyn ChainView>,
    /// The worker's records.
    pub records: Records,
    /// Who has which identity, of each cluster that has a pool.
    pub identities: HashMap<ClusterId, Identities>,
    /// Sealed bodies.
    pub artifacts: Artifacts,
    /// Templates that can be run.
    pub library: Library,
    /// Opens payloads; its public half is registered on chain.
    pub secret: SecretKey,
    /// Settings.
    pub settings: Settings,
    /// Counters.
    pub metrics: Metrics,
    /// For `/healthz`.
    pub health: Health,
    /// Told of every named place; [`crate::failpoints::unobserved`] but in tests.
    pub observer: Observer,
}

/// Where the files of a job lie, and how they are reached.
#[derive(Clone)]
pub struct Place {
    /// As whom the job runs; `None`: as the worker's own user.
    pub identity: Option<Identity>,
    /// The job's files.
    pub files: Arc<dyn JobFiles>,
    /// The job's own directory; private.
    pub home: PathBuf,
    /// What the worker keeps of the job; private. The same as `home` if the job runs as the worker's own user.
    pub own: PathBuf,
}

impl Place {
    /// Where the script runs, below [`Self::home`]: inputs before, outputs after.
    pub const WORK: &str = "work";
    /// Logs, one a task, below [`Self::home`].
    pub const LOGS: &str = "logs";

    /// Where the script runs.
    pub fn work(&self) -> PathBuf {
        self.home.join(Self::WORK)
    }

    /// File that the log of an array task goes to.
    pub fn log(&self, task: u32) -> PathBuf {
        self.home.join(Self::LOGS).join(format!("{task}.log"))
    }

    /// The sealed result while it is being made.
    pub fn sealed(&self) -> PathBuf {
        self.own.join("sealed")
    }

    /// Does something with the job's files, away from what must not wait.
    pub(crate) async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn JobFiles) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StepError> {
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || work(&*files)).await;
        done.map_err(StepError::unanswered(Outside::Disk))?
            .map_err(StepError::files)
    }
}

/// Of registered keys, those that something can be sealed to.
pub(crate) fn usable(keys: Vec<virtengine_primitives::envelope::EncryptionKey>) -> Vec<PublicKey> {
    let probe = Binding::result([0; 32], 0);
    keys.into_iter()
        .filter(|key| key.revoked_at.is_none())
        .map(|key| PublicKey::from_bytes(key.public))
        .filter(|key| Sealer::new(std::slice::from_ref(key), &probe).is_ok())
        .collect()
}

/// One job in one step.
pub(crate) struct Step<'a> {
    pub context: &'a Context,
    pub snapshot: &'a dyn Snapshot,
    pub cluster: &'a ClusterSettings,
    pub job: &'a ChainJob,
    pub id: AgreementId,
}

impl Context {
    /// Tells the observer where a job is.
    pub(crate) fn passed(&self, place: &'static str) {
        debug_assert!(
            [crate::failpoints::NAMES, crate::failpoints::WITH_POOL]
                .iter()
                .any(|names| names.contains(&place)),
            "{place} is not in the list"
        );
        (self.observer)(place);
    }

    /// Our name for a job in the scheduler: `ve-<genesis8>-<agreement>`.
    pub fn handle(&self, id: AgreementId) -> String {
        format!("ve-{}-{id}", self.genesis8())
    }

    /// First eight hexadecimal digits of the genesis hash.
    pub fn genesis8(&self) -> String {
        hex::encode(&self.chain.genesis().as_bytes()[..4])
    }

    /// Where the files of a job lie that has what it needs. `until`: when a member's process is not waited for any more, even
    /// one that is at work.
    pub(crate) fn known_place(
        &self,
        cluster: &ClusterSettings,
        local: &LocalJob,
        until: Option<Instant>,
    ) -> Result<Place, StepError> {
        let handle = self.handle(local.agreement);
        let own = cluster.work_dir.join(&handle);
        let (Some(settings), Some(user)) = (cluster.pool(), &local.identity) else {
            return Ok(Place {
                identity: None,
                files: Arc::new(Direct::new(&own)),
                home: own.clone(),
                own,
            });
        };
        let member = cluster.member(settings, user);
        let member = member.map_err(StepError::unanswered(Outside::Disk))?;
        let home = settings.pool.home(&member).join(&handle);
        let files = AsMember::new(settings.agent.clone(), member.clone(), home.clone(), until);
        Ok(Place {
            identity: Some(member),
            files: Arc::new(files),
            home,
            own,
        })
    }

    /// The scheduler's name for a job: from the record, or looked up by handle.
    pub(crate) async fn find(
        &self,
        cluster: &ClusterSettings,
        local: &LocalJob,
    ) -> Result<Option<SchedulerJobId>, StepError> {
        if let Some(known) = &local.scheduler_job {
            return Ok(Some(known.clone()));
        }
        let Some(scheduler) = cluster.scheduler(local.identity.as_deref())? else {
            return Ok(None);
        };
        match scheduler.find(&self.handle(local.agreement)).await {
            Lookup::Absent => Ok(None),
            Lookup::Unknown(reason) => Err(StepError::Unanswered {
                outside: Outside::Scheduler,
                reason,
            }),
            Lookup::Found(ids) => {
                if ids.len() > 1 {
                    tracing::warn!(
                        job = local.agreement,
                        found = ids.len(),
                        "more than one job of this handle"
                    );
                }
                Ok(ids.into_iter().next())
            }
        }
    }

    /// What the scheduler says of a job that the chain knows to have started at `started_at`.
    pub(crate) async fn look(
        &self,
        cluster: ClusterId,
        local: &LocalJob,
        started_at: Option<Moment>,
    ) -> InScheduler {
        let Some(cluster) = self.settings.cluster(cluster) else {
            return InScheduler::Unknown;
        };
        let found = self.find(cluster, local).await;
        let known = found.and_then(|id| Ok(id.zip(cluster.scheduler(local.identity.as_deref())?)));
        match known {
            Ok(Some((id, scheduler))) => {
                let status = scheduler.status(&id).await;
                let submitted = local.submission == Submission::Done;
                self.understand(&*scheduler, &id, submitted, started_at, status)
                    .await
            }
            Ok(None) => InScheduler::Absent,
            Err(error) => {
                tracing::warn!(job = local.agreement, %error, "the scheduler was asked");
                self.unclear()
            }
        }
    }

    /// A question to a scheduler that had no usable answer.
    fn unclear(&self) -> InScheduler {
        let who = [Outside::Scheduler.name()];
        self.metrics.unanswered.with_label_values(&who).inc();
        InScheduler::Unknown
    }

    /// What a status means. `submitted`: the hand-over is on record.
    pub(crate) async fn understand(
        &self,
        scheduler: &dyn Scheduler,
        id: &SchedulerJobId,
        submitted: bool,
        started_at: Option<Moment>,
        status: Status,
    ) -> InScheduler {
        match status {
            Status::Queued => InScheduler::Pending,
            Status::Running { since, first } if first || started_at.is_some() => {
                InScheduler::Running { since }
            }
            Status::Ended(_) if submitted && started_at.is_some() => {
                InScheduler::Ended { since: started_at }
            }
            // The chain is told when the first attempt began, which may not be the present one.
            running_or_ended @ (Status::Running { .. } | Status::Ended(_)) => {
                match scheduler.attempts(id).await {
                    Ok(rows) => {
                        let first = rows.iter().filter_map(|row| row.started).min();
                        match running_or_ended {
                            Status::Running { since, .. } => InScheduler::Running {
                                since: first.unwrap_or(since),
                            },
                            _ => InScheduler::Ended { since: first },
                        }
                    }
                    Err(error) => {
                        tracing::warn!(scheduler_job = %id, %error, "the accounting was asked");
                        self.unclear()
                    }
                }
            }
            Status::Absent => InScheduler::Absent,
            Status::Unknown(reason) => {
                tracing::warn!(scheduler_job = %id, reason, "the scheduler does not know now");
                self.unclear()
            }
        }
    }

    /// Unrevoked encryption keys of an account, as many as an envelope has room for beside our own.
    ///
    /// One that nothing can be sealed to is left out, however it came to be registered: it must not keep a job from
    /// being ended.
    pub(crate) async fn keys_of(
        &self,
        snapshot: &dyn Snapshot,
        who: &AccountId32,
    ) -> Result<Vec<PublicKey>, StepError> {
        let keys = snapshot
            .keys(who)
            .await
            .map_err(StepError::unanswered(Outside::Chain))?;
        let mut keys = usable(keys.into_iter().map(|(_, key)| key).collect());
        keys.truncate(MAX_RECIPIENTS as usize - 1);
        Ok(keys)
    }

    /// Does one step. A step that turns out to be hopeless ends the job: that end is recorded here.
    pub(crate) async fn perform(
        &self,
        action: Action,
        id: AgreementId,
        cluster: ClusterId,
        snapshot: Arc<dyn Snapshot>,
    ) -> Result<(), StepError> {
        let known = self.records.get(id);
        let mut local = known.unwrap_or_else(|| LocalJob::new(id, cluster));
        let Some(cluster) = self.settings.cluster(local.cluster) else {
            return Err(StepError::Unanswered {
                outside: Outside::Store,
                reason: format!("cluster {} is not in the configuration", local.cluster),
            });
        };
        // What needs no job of the chain: it may be gone.
        match &action {
            Action::Cancel => return self.cancel(cluster, local).await,
            Action::Clean => return self.clean(cluster, local).await,
            Action::Disclose => return self.disclose(local, &*snapshot).await,
            _ => {}
        }
        let job = snapshot.job(id).await;
        let job = job.map_err(StepError::unanswered(Outside::Chain))?;
        if action == Action::Retire {
            let elsewhere = job.as_ref().is_some_and(|j| j.ended_at.is_none());
            return self.retire(local, elsewhere).await;
        }
        let observed = observe(local.cluster, job.as_ref());
        let (Some(job), Observed::Open(OnChain { state, .. })) = (job, observed) else {
            return Err(StepError::Refused("it is not open here any more".into()));
        };
        let step = Step {
            context: self,
            snapshot: &*snapshot,
            cluster,
            job: &job,
            id,
        };
        let done = match action {
            Action::Adopt => {
                local.seen_at = Some(now_ms());
                self.records.put(&local).await?;
                self.passed("adopted");
                match state {
                    JobState::Assigned => step.admit(&mut local).await,
                    _ => Ok(()),
                }
            }
            Action::Admit => step.admit(&mut local).await,
            Action::Stage => match step.stage(&mut local).await {
                Err(error) => Err(step.obstructed(&local, error).await),
                done => done,
            },
            Action::Submit => match step.submit(&mut local).await {
                Err(error) => Err(step.obstructed(&local, error).await),
                done => done,
            },
            Action::MarkSubmitted => step.mark_submitted(&mut local).await,
            Action::Meter { last } => step.meter(&mut local, last).await,
            Action::Log => step.log(&mut local).await,
            Action::Collect(cause) => step.collect(&mut local, cause).await,
            _ => Ok(()),
        };
        if let Err(error) = &done {
            if let Verdict::End(reason, explanation) = on_error(error, 0, 0.0) {
                tracing::warn!(job = local.agreement, ?reason, "the job cannot be done");
                step.give_up(&mut local, reason, &explanation).await?;
                return Ok(());
            }
        }
        done
    }
}

impl From<QueryError> for StepError {
    fn from(error: QueryError) -> Self {
        Self::Unanswered {
            outside: Outside::Scheduler,
            reason: error.to_string(),
        }
    }
}
