//! The loop: read the finalised chain, the records and the schedulers; decide one step per job; do it; again.
//!
//! Steps of different jobs run side by side, steps of one job one after the other: a job with a step under way is left
//! out until that step has ended. Calls to the chain are gathered from all jobs into batches.

use crate::{
    context::{now_ms, Context},
    local::LocalJob,
    policy::{on_error, Outside, StepError, Verdict},
    reconcile::{needs_scheduler, reconcile, Action, InScheduler, Now, Observed, Settlement},
    view::{Batch, ChainJob, Snapshot},
};
use futures::{stream, FutureExt, StreamExt};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet};
use virtengine_primitives::{
    hpc::{JobProgress, JobState, MAX_BATCH},
    AgreementId, ClusterId, Moment,
};

/// Pause after something happened, so that what happens at the same time is decided together.
const GATHER: Duration = Duration::from_millis(15);
/// Jobs whose scheduler is asked at the same time.
const LOOKS: usize = 32;
/// Between two looks at the money of an ended job: a small part of the shortest time that a chain gives to answer a
/// dispute.
const LOOK_AT_MONEY: Duration = Duration::from_secs(3);
/// After this long without another failure a job's failures are forgotten.
const FORGIVEN: Duration = Duration::from_secs(600);

/// What a finished task says of each of its jobs.
type Done = Vec<(AgreementId, Result<(), StepError>)>;

/// The provider role.
pub struct Role {
    context: Arc<Context>,
    tasks: JoinSet<Done>,
    /// Jobs with a step under way.
    busy: HashSet<AgreementId>,
    /// Jobs whose last steps failed: how many in a row, and when to look again.
    failing: HashMap<AgreementId, (u32, Instant)>,
    /// Ended jobs whose money has not been moved yet: when to look at it again.
    unsettled: HashMap<AgreementId, Instant>,
    /// Ended jobs whose money has been moved: only their retention counts.
    settled: HashSet<AgreementId>,
    failed_rounds: u32,
}

/// A job with all that is needed to decide on it.
struct Candidate {
    id: AgreementId,
    cluster: ClusterId,
    observed: Observed,
    job: Option<ChainJob>,
    local: Option<LocalJob>,
}

/// Calls gathered in one round.
#[derive(Default)]
struct Calls {
    accept: Vec<AgreementId>,
    decline: Vec<(AgreementId, virtengine_primitives::hpc::DeclineReason)>,
    update: Vec<(AgreementId, JobProgress)>,
    report: Vec<(AgreementId, virtengine_primitives::billing::UsageReport)>,
    complete: Vec<(AgreementId, virtengine_primitives::hpc::JobEnd)>,
    open_evidence: Vec<(AgreementId, sp_core::H256)>,
}

impl Calls {
    fn into_batches(self) -> Vec<Batch> {
        fn chunks<T: Clone>(
            items: Vec<T>,
            batch: fn(Vec<T>) -> Batch,
        ) -> impl Iterator<Item = Batch> {
            let chunks: Vec<_> = items
                .chunks(MAX_BATCH as usize)
                .map(|c| batch(c.to_vec()))
                .collect();
            chunks.into_iter()
        }
        chunks(self.accept, Batch::Accept)
            .chain(chunks(self.decline, Batch::Decline))
            .chain(chunks(self.update, Batch::Update))
            .chain(chunks(self.report, Batch::Report))
            .chain(chunks(self.complete, Batch::Complete))
            .chain(chunks(self.open_evidence, Batch::OpenEvidence))
            .collect()
    }
}

/// What the chain says about a job of a cluster of ours. Where the money of an ended one stands is not known yet.
pub(crate) fn observe(cluster: ClusterId, job: Option<&ChainJob>) -> Observed {
    match job {
        None => Observed::Gone,
        Some(job) if job.ended_at.is_some() || matches!(job.state, JobState::Ended(_)) => {
            Observed::Ended(if job.assignment.cluster == cluster {
                Settlement::Unknown
            } else {
                // It ended at somebody else's, who answers for it.
                Settlement::Settled
            })
        }
        Some(job) if job.assignment.cluster != cluster => Observed::Elsewhere,
        Some(job) => Observed::Open {
            state: job.state,
            deadline: job.deadline,
            cancel_requested: job.cancel_by.is_some(),
            started: job.started_at.is_some(),
        },
    }
}

impl Role {
    /// A role that has done nothing yet.
    pub fn new(context: Context) -> Self {
        Self {
            context: Arc::new(context),
            tasks: JoinSet::new(),
            busy: HashSet::new(),
            failing: HashMap::new(),
            unsettled: HashMap::new(),
            settled: HashSet::new(),
            failed_rounds: 0,
        }
    }

    /// Works until `stop` becomes true, then waits for steps under way, at most the configured time. Steps that do not
    /// end are left: they are taken up again by the next start.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let begun = Instant::now();
            let pause = match self.round().await {
                Ok(()) => {
                    self.failed_rounds = 0;
                    self.context.metrics.healthy.set(1);
                    self.context.health.good();
                    self.context.settings.poll
                }
                Err(error) => {
                    self.note(None, &error);
                    self.context.metrics.healthy.set(0);
                    self.context.health.bad(error.to_string());
                    let pause = crate::policy::pause(self.failed_rounds, rand::random());
                    self.failed_rounds = self.failed_rounds.saturating_add(1);
                    pause
                }
            };
            self.context
                .metrics
                .reconcile_seconds
                .observe(begun.elapsed().as_secs_f64());
            let failed = self.failed_rounds > 0;
            tokio::select! {
                _ = stop.changed() => {}
                () = self.wait(pause, failed) => {}
            }
        }
        tracing::info!(steps = self.tasks.len(), "draining");
        let drain = self.context.settings.drain;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, all).await.is_err() {
            tracing::warn!("some steps did not end in time; the next start takes them up again");
        }
    }

    /// Waits for a step that ended, news of the chain, or `pause`.
    async fn wait(&mut self, pause: Duration, only_time: bool) {
        let chain = self.context.chain.clone();
        let news = async {
            if only_time {
                tokio::time::sleep(pause).await;
            } else {
                chain.wait(pause).await;
            }
        };
        let soonest = self.failing.values().map(|(_, at)| *at).min();
        let retry = async {
            match soonest {
                Some(at) => tokio::time::sleep_until(at.max(Instant::now() + GATHER).into()).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => Some(done),
            () = news => None,
            () = retry => None,
        };
        if let Some(done) = ended {
            self.settle(done);
            tokio::time::sleep(GATHER).await;
        }
        while let Some(done) = self.tasks.try_join_next() {
            self.settle(done);
        }
    }

    fn note(&self, job: Option<AgreementId>, error: &StepError) {
        if let StepError::Unanswered { outside, .. } = error {
            self.context
                .metrics
                .unanswered
                .with_label_values(&[outside.name()])
                .inc();
        }
        match job {
            Some(job) => tracing::warn!(job, %error, "step not done"),
            None => tracing::warn!(%error, "nothing can be decided now"),
        }
    }

    fn settle(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let done = match done {
            Ok(done) => done,
            Err(error) => return tracing::error!(%error, "a step was cancelled"),
        };
        for (job, result) in done {
            self.busy.remove(&job);
            match result {
                Ok(()) => {
                    self.failing.remove(&job);
                }
                Err(error) => {
                    self.note(Some(job), &error);
                    let failures = self.failing.get(&job).map_or(0, |(n, _)| *n);
                    // What is hopeless was recorded as the job's end by the step itself.
                    let pause = match on_error(&error, failures, rand::random()) {
                        Verdict::DecideAgain(pause) => pause,
                        Verdict::End(..) => Duration::ZERO,
                    };
                    self.failing
                        .insert(job, (failures.saturating_add(1), Instant::now() + pause));
                }
            }
        }
    }

    /// One look at everything.
    async fn round(&mut self) -> Result<(), StepError> {
        let context = self.context.clone();
        let snapshot = context
            .chain
            .snapshot()
            .await
            .map_err(StepError::unanswered(Outside::Chain))?;
        let block_time = snapshot
            .timestamp()
            .await
            .map_err(StepError::unanswered(Outside::Chain))?;
        let now = Now {
            block: snapshot.number(),
            moment: now_ms(),
        };
        context.metrics.finalized_block.set(now.block.into());
        let lag = now.moment.saturating_sub(block_time) / 1000;
        context
            .metrics
            .chain_lag
            .set(i64::try_from(lag).unwrap_or(i64::MAX));

        let mut phases: HashMap<&str, i64> = HashMap::new();
        let mut candidates = Vec::new();
        for cluster in &context.settings.clusters {
            let open = snapshot
                .open_jobs(cluster.id)
                .await
                .map_err(StepError::unanswered(Outside::Chain))?;
            let mut open: BTreeMap<_, _> = open.into_iter().collect();
            for local in context.records.of_cluster(cluster.id) {
                *phases.entry(local.phase()).or_default() += 1;
                let id = local.agreement;
                let job = open.remove(&id);
                if !self.is_due(&local, job.is_some(), now.moment) {
                    continue;
                }
                let job = match job {
                    Some(job) => Some(job),
                    None => snapshot
                        .job(id)
                        .await
                        .map_err(StepError::unanswered(Outside::Chain))?,
                };
                let observed = observe(cluster.id, job.as_ref());
                candidates.push(Candidate {
                    id,
                    cluster: cluster.id,
                    observed,
                    job,
                    local: Some(local),
                });
            }
            for (id, job) in open {
                if self.is_free(id) {
                    let observed = observe(cluster.id, Some(&job));
                    candidates.push(Candidate {
                        id,
                        cluster: cluster.id,
                        observed,
                        job: Some(job),
                        local: None,
                    });
                }
            }
        }
        for phase in LocalJob::PHASES {
            context
                .metrics
                .jobs
                .with_label_values(&[phase])
                .set(phases.get(phase).copied().unwrap_or(0));
        }
        self.failing
            .retain(|_, (_, until)| until.elapsed() < FORGIVEN);

        let looked: Vec<(Candidate, InScheduler)> = stream::iter(candidates)
            .map(|mut candidate| {
                let (context, snapshot) = (context.clone(), snapshot.clone());
                async move {
                    if candidate.observed == Observed::Ended(Settlement::Unknown) {
                        let settlement = context.settlement_known(&*snapshot, candidate.id).await;
                        candidate.observed = Observed::Ended(settlement);
                    }
                    let look = match &candidate.local {
                        Some(local) if needs_scheduler(&candidate.observed, Some(local)) => {
                            context
                                .look(candidate.cluster, local, candidate.job.as_ref())
                                .await
                        }
                        _ => InScheduler::Unknown,
                    };
                    (candidate, look)
                }
            })
            .buffer_unordered(LOOKS)
            .collect()
            .await;

        let mut calls = Calls::default();
        for (candidate, look) in looked {
            let action = reconcile(
                &candidate.observed,
                candidate.local.as_ref(),
                look,
                &context.settings.intervals,
                now,
            );
            if action != Action::Wait {
                tracing::debug!(job = candidate.id, action = action.name(), ?look, "decided");
            }
            self.rest(&candidate, &action);
            self.begin(candidate, action, &snapshot, &mut calls);
        }
        for batch in calls.into_batches() {
            let context = context.clone();
            self.busy.extend(batch.jobs());
            self.tasks.spawn(async move {
                let jobs = batch.jobs();
                let sent = AssertUnwindSafe(context.send(batch)).catch_unwind().await;
                sent.unwrap_or_else(|_| {
                    jobs.into_iter().map(|job| (job, Err(panicked()))).collect()
                })
            });
        }
        Ok(())
    }

    fn is_free(&self, id: AgreementId) -> bool {
        !self.busy.contains(&id)
            && self
                .failing
                .get(&id)
                .is_none_or(|(_, until)| *until <= Instant::now())
    }

    /// Whether to look at a recorded job in this round. An end is final: from then on only its money is looked at, now
    /// and then, because it may be disputed; and once that has been moved, nothing until its directory may go.
    fn is_due(&self, local: &LocalJob, is_open: bool, now: Moment) -> bool {
        let id = local.agreement;
        let rests = local.retired_at.is_some_and(|at| {
            if self.settled.contains(&id) {
                now < at.saturating_add(self.context.settings.intervals.retention)
            } else {
                self.unsettled
                    .get(&id)
                    .is_some_and(|at| *at > Instant::now())
            }
        });
        self.is_free(id) && (is_open || !rests)
    }

    /// Remembers when to look again at an ended job for which there is nothing to do now.
    fn rest(&mut self, candidate: &Candidate, action: &Action) {
        let retired = matches!(&candidate.local, Some(local) if local.retired_at.is_some());
        self.unsettled.remove(&candidate.id);
        self.settled.remove(&candidate.id);
        if !retired || *action != Action::Wait {
            return;
        }
        if matches!(
            candidate.observed,
            Observed::Ended(Settlement::Settled) | Observed::Gone
        ) {
            self.settled.insert(candidate.id);
        } else {
            let again = Instant::now() + LOOK_AT_MONEY;
            self.unsettled.insert(candidate.id, again);
        }
    }

    fn begin(
        &mut self,
        candidate: Candidate,
        action: Action,
        snapshot: &Arc<dyn Snapshot>,
        calls: &mut Calls,
    ) {
        let id = candidate.id;
        match action {
            Action::Wait => return,
            Action::Accept => return calls.accept.push(id),
            Action::Decline(reason) => return calls.decline.push((id, reason)),
            Action::Update(progress) => {
                // The chain refuses a start before the acceptance; clocks of machines differ by a little.
                let accepted = candidate
                    .job
                    .as_ref()
                    .and_then(|j| j.accepted_at)
                    .unwrap_or_default();
                let progress = match progress {
                    JobProgress::Running(at) => JobProgress::Running(at.max(accepted)),
                    other => other,
                };
                return calls.update.push((id, progress));
            }
            Action::Report(report) => return calls.report.push((id, report)),
            Action::Complete(end) => return calls.complete.push((id, end)),
            Action::OpenEvidence(hash) => return calls.open_evidence.push((id, hash)),
            _ => {}
        }
        if self.tasks.len() >= self.context.settings.parallel {
            // Its turn comes when a step has ended.
            return;
        }
        self.busy.insert(id);
        let (context, snapshot) = (self.context.clone(), snapshot.clone());
        self.tasks.spawn(async move {
            let Candidate {
                cluster,
                job,
                local,
                ..
            } = candidate;
            let local = local.unwrap_or_else(|| LocalJob::new(id, cluster));
            let step =
                AssertUnwindSafe(context.perform(action, job, local, snapshot)).catch_unwind();
            vec![(id, step.await.unwrap_or_else(|_| Err(panicked())))]
        });
    }
}

/// A defect of ours in one job's step must not take the other jobs down: it is decided again, later and later.
fn panicked() -> StepError {
    let reason = "a defect of the worker, see its log; please report it".into();
    StepError::Unanswered {
        outside: Outside::Store,
        reason,
    }
}

impl Context {
    /// Sends a batch and records what follows from its outcome.
    async fn send(&self, batch: Batch) -> Done {
        let (name, jobs) = (batch.name(), batch.jobs());
        self.passed(match &batch {
            Batch::Accept(_) | Batch::Decline(_) => "accept-before-send",
            Batch::Update(_) => "update-before-send",
            Batch::Report(_) => "report-before-send",
            Batch::Complete(_) => "complete-before-send",
            Batch::OpenEvidence(_) => "dispute-before-send",
        });
        let outcome = self.chain.send(batch.clone()).await;
        self.passed(match &batch {
            Batch::Accept(_) | Batch::Decline(_) => "accept-after-send",
            Batch::Update(_) => "update-after-send",
            Batch::Report(_) => "report-after-send",
            Batch::Complete(_) => "complete-after-send",
            Batch::OpenEvidence(_) => "dispute-after-send",
        });
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let outcomes = match outcome {
            Ok(outcomes) if outcomes.len() == jobs.len() => outcomes,
            other => {
                self.metrics
                    .calls_failed
                    .with_label_values(&[name])
                    .inc_by(count(jobs.len()));
                let reason = match other {
                    Err(error) => error.to_string(),
                    Ok(_) => "it told of another number of jobs than it was sent".into(),
                };
                let unanswered = || StepError::Unanswered {
                    outside: Outside::Chain,
                    reason: reason.clone(),
                };
                return jobs
                    .into_iter()
                    .map(|job| (job, Err(unanswered())))
                    .collect();
            }
        };
        let done = outcomes.iter().filter(|o| o.is_ok()).count();
        self.metrics
            .calls_submitted
            .with_label_values(&[name])
            .inc_by(count(done));
        self.metrics
            .calls_failed
            .with_label_values(&[name])
            .inc_by(count(outcomes.len() - done));
        let mut results = Vec::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            let mut result =
                outcome.map_err(|reason| StepError::Refused(format!("{name}: {reason}")));
            if let Batch::Report(_) = batch {
                // On chain or refused for good: either way this report is not sent again. What is due after it is
                // computed from what the chain then has.
                if result.is_ok() {
                    self.metrics.usage_reports.inc();
                }
                if let Err(error) = self.forget_report(job).await {
                    result = Err(error);
                }
            }
            if let Batch::OpenEvidence(_) = batch {
                // Whether it is to be answered again (it was refused, or there is another dispute) the chain says.
                if let Err(error) = self.forget_opening(job).await {
                    result = Err(error);
                }
            }
            tracing::info!(job, call = name, ok = result.is_ok(), "sent");
            results.push((job, result));
        }
        results
    }

    /// Where the money of an ended job stands; unknown if the chain does not say.
    async fn settlement_known(&self, snapshot: &dyn Snapshot, job: AgreementId) -> Settlement {
        self.settlement(snapshot, job)
            .await
            .unwrap_or_else(|error| {
                let who = [Outside::Chain.name()];
                self.metrics.unanswered.with_label_values(&who).inc();
                tracing::warn!(job, %error, "the chain was asked about the money of an ended job");
                Settlement::Unknown
            })
    }

    async fn forget_opening(&self, job: AgreementId) -> Result<(), StepError> {
        let Some(mut local) = self.records.get(job) else {
            return Ok(());
        };
        local.opening = None;
        self.records.put(&local).await
    }

    async fn forget_report(&self, job: AgreementId) -> Result<(), StepError> {
        let Some(mut local) = self.records.get(job) else {
            return Ok(());
        };
        local.outgoing = None;
        local.reported_at = Some(now_ms());
        self.records.put(&local).await
    }
}
