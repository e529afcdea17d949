//! The loop: bring what is known of all jobs to the finalised chain, ask the schedulers; decide one step per job; do it;
//! again.
//!
//! Steps of different jobs run side by side, steps of one job one after the other: a job with a step under way is left
//! out until that step has ended. Calls to the chain are gathered from all jobs into batches. A round costs what has
//! changed: the decision itself is a pure function and is made for every job, out of what is known.

use crate::{
    calls::{Calls, Outgoing},
    context::{now_ms, Context},
    local::LocalJob,
    looks::Looks,
    policy::{on_error, Outside, StepError, Verdict},
    reconcile::{is_untouched, meanwhile, reconcile, Action, InScheduler, Now, Observed, OnChain},
    view::{Batch, Snapshot},
    watch::{Seen, Watch},
};
use futures::{stream, FutureExt, StreamExt};
use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, PoisonError,
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{watch, Notify},
    task::JoinSet,
};
use virtengine_primitives::{apis::PAGE, hpc::JobState, AgreementId, BlockNumber, ClusterId};

/// Pause after something happened, so that what happens at the same time is decided together.
const GATHER: Duration = Duration::from_millis(15);
/// That pause at most.
const LONGEST_GATHER: Duration = Duration::from_millis(250);
/// After this long without another failure a job's failures are forgotten.
const FORGIVEN: Duration = Duration::from_secs(600);

/// What a finished task says of each of its jobs.
struct Done {
    /// The calls that it sent; `None` if it was a step.
    calls: Option<Sent>,
    results: Vec<(AgreementId, Result<(), StepError>)>,
}

/// What kind of calls a task sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Acceptances, beside which steps of the same jobs may be under way.
    Accept,
    Other,
}

/// The provider role.
pub struct Role {
    context: Arc<Context>,
    tasks: JoinSet<Done>,
    /// How many of the tasks send calls.
    sending: usize,
    /// Which calls are in no block yet.
    outgoing: Outgoing,
    watch: Watch,
    /// Jobs with a step or a call under way.
    busy: HashSet<AgreementId>,
    /// Jobs whose acceptance is on its way, and whether it has been in a block.
    accepting: HashMap<AgreementId, Arc<AtomicBool>>,
    /// Told when calls are in a block.
    included: Arc<Notify>,
    /// Jobs whose last steps failed: how many in a row, and when to look again.
    failing: HashMap<AgreementId, (u32, Instant)>,
    failed_rounds: u32,
    /// How long the last round took.
    took: Duration,
    /// Why nothing could be written the last time that a step had to: a full disk, most of the time.
    unwritable: Option<String>,
    /// The block whose time was last read.
    block: Option<BlockNumber>,
    /// What a height of the best chain adds to jobs, as far as it was read.
    tip: (BlockNumber, HashMap<AgreementId, Option<Seen>>),
    /// What the schedulers say.
    looks: Looks,
    /// When a scheduler's turn to be asked comes.
    next_look: Option<Instant>,
    /// Something but an answer of a scheduler has happened since they were last asked.
    news: bool,
    /// Jobs whose step found no room, and since which round: who waits longest comes first.
    waiting: HashMap<AgreementId, u64>,
    rounds: u64,
}

/// What was decided on a job.
struct Decision {
    id: AgreementId,
    seen: Seen,
    action: Action,
}

impl Role {
    /// A role that has done nothing yet.
    pub fn new(context: Context) -> Self {
        Self {
            context: Arc::new(context),
            tasks: JoinSet::new(),
            sending: 0,
            outgoing: Outgoing::default(),
            watch: Watch::default(),
            busy: HashSet::new(),
            accepting: HashMap::new(),
            included: Arc::default(),
            failing: HashMap::new(),
            failed_rounds: 0,
            took: Duration::ZERO,
            unwritable: None,
            block: None,
            tip: (0, HashMap::new()),
            looks: Looks::default(),
            next_look: None,
            news: true,
            waiting: HashMap::new(),
            rounds: 0,
        }
    }

    /// Works until `stop` becomes true, then waits for steps under way, at most the configured time. Steps that do not
    /// end are left: they are taken up again by the next start.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let begun = Instant::now();
            // A round decides nothing before it has seen everything, and what it began goes on by itself: it need not end.
            let round = tokio::select! {
                biased;
                _ = stop.changed() => break,
                round = self.round() => round,
            };
            let pause = match round {
                Ok(()) => {
                    self.failed_rounds = 0;
                    match &self.unwritable {
                        None => {
                            self.context.metrics.healthy.set(1);
                            self.context.health.good();
                        }
                        // Everything can be decided and nothing can be done.
                        Some(problem) => {
                            self.context.metrics.healthy.set(0);
                            self.context.health.bad(problem.clone());
                        }
                    }
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
            self.took = begun.elapsed();
            self.context
                .metrics
                .reconcile_seconds
                .observe(self.took.as_secs_f64());
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
        let included = self.included.clone();
        let news = async {
            if only_time {
                tokio::time::sleep(pause).await;
            } else {
                tokio::select! {
                    () = chain.wait(pause) => {}
                    () = included.notified() => {}
                }
            }
        };
        let soonest = self.failing.values().map(|(_, at)| *at).min();
        let retry = until(soonest.map(|at| at.max(Instant::now() + GATHER)));
        let turn = until(self.next_look);
        self.news = true;
        let ended = tokio::select! {
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => Some(done),
            () = self.looks.answered(), if !only_time => {
                self.news = false;
                None
            }
            () = turn, if !only_time => {
                self.news = false;
                None
            }
            () = news => None,
            () = retry => None,
        };
        if let Some(done) = ended {
            self.settle(done);
            // With very many jobs a round takes a while: then more is gathered for it.
            let gather = GATHER.max(self.took.min(LONGEST_GATHER));
            tokio::time::sleep(gather).await;
        }
        while let Some(done) = self.tasks.try_join_next() {
            self.news = true;
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
        if done.calls.is_some() {
            self.sending = self.sending.saturating_sub(1);
        }
        for (job, result) in done.results {
            if done.calls == Some(Sent::Accept) {
                self.accepting.remove(&job);
            } else {
                self.busy.remove(&job);
            }
            if done.calls.is_some() || result.is_err() {
                // What the chain says of it may have changed, or was not what we thought.
                self.watch.look_again(job);
            }
            match result {
                Ok(()) => {
                    self.failing.remove(&job);
                    if done.calls.is_none() {
                        self.unwritable = None;
                    }
                }
                Err(error) => {
                    self.note(Some(job), &error);
                    if let StepError::Unanswered {
                        outside: Outside::Store | Outside::Disk,
                        ..
                    } = &error
                    {
                        self.unwritable = Some(error.to_string());
                    }
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
        let snapshot = context.chain.snapshot().await;
        let snapshot = snapshot.map_err(StepError::unanswered(Outside::Chain))?;
        let now = Now {
            block: snapshot.number(),
            moment: now_ms(),
        };
        if self.block != Some(now.block) {
            let block_time = snapshot.timestamp().await;
            let block_time = block_time.map_err(StepError::unanswered(Outside::Chain))?;
            let lag = now.moment.saturating_sub(block_time) / 1000;
            let lag = i64::try_from(lag).unwrap_or(i64::MAX);
            context.metrics.chain_lag.set(lag);
            context.metrics.finalized_block.set(now.block.into());
            self.block = Some(now.block);
        }
        self.watch.refresh(&context, &*snapshot).await?;
        let phases = context.records.phases();
        for phase in LocalJob::PHASES {
            let count = phases.get(phase).copied().unwrap_or(0);
            context.metrics.jobs.with_label_values(&[phase]).set(count);
        }
        self.failing
            .retain(|_, (_, until)| until.elapsed() < FORGIVEN);

        let ahead = self.look_ahead().await?;
        self.look_at_schedulers(&ahead, now);
        let mut decisions = self.decide(&ahead, now);
        self.rounds = self.rounds.saturating_add(1);
        let (waited, now) = (std::mem::take(&mut self.waiting), self.rounds);
        let since = |id| waited.get(&id).copied().unwrap_or(now);
        // Logs wait for everything else.
        decisions.sort_by_key(|d| (d.action == Action::Log, since(d.id), d.id));
        let mut calls = Calls::default();
        for Decision { id, seen, action } in decisions {
            tracing::debug!(job = id, action = action.name(), "decided");
            if let Some(step) = calls.take(id, action, seen.accepted_at) {
                if !self.begin(id, seen.cluster, step, &snapshot) {
                    self.waiting.insert(id, since(id));
                }
            }
        }
        for batch in calls.into_batches(&self.outgoing) {
            self.send(batch);
        }
        Ok(())
    }

    fn is_free(&self, id: AgreementId) -> bool {
        is_free(&self.busy, &self.failing, id)
    }

    /// What the best chain adds to jobs that are to be accepted, or whose acceptance is in a block that is not final.
    async fn look_ahead(&mut self) -> Result<HashMap<AgreementId, Seen>, StepError> {
        let records = &self.context.records;
        let wanted: Vec<(AgreementId, ClusterId)> = self
            .watch
            .all()
            .filter(|(id, seen)| {
                let assigned = matches!(
                    seen.observed,
                    Observed::Open(OnChain {
                        state: JobState::Assigned,
                        ..
                    })
                );
                let included = self.accepting.get(id);
                assigned
                    && self.is_free(*id)
                    && included.is_none_or(|i| i.load(Ordering::SeqCst))
                    && records.with(*id, |local| local.is_some_and(LocalJob::is_admitted))
            })
            .map(|(id, seen)| (id, seen.cluster))
            .collect();
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let tip = self.context.chain.tip().await;
        let tip = tip.map_err(StepError::unanswered(Outside::Chain))?;
        // Each job is read once at each height.
        if self.tip.0 != tip.number() {
            self.tip = (tip.number(), HashMap::new());
        }
        let known = &mut self.tip.1;
        let unknown = wanted.iter().filter(|(id, _)| !known.contains_key(id));
        let looked: Vec<_> = stream::iter(unknown.copied().collect::<Vec<_>>())
            .map(|(id, cluster)| {
                let tip = tip.clone();
                async move {
                    let job = tip.job(id).await;
                    let job = job.map_err(StepError::unanswered(Outside::Chain))?;
                    Ok::<_, StepError>((id, Seen::ahead(cluster, job.as_ref())))
                }
            })
            .buffer_unordered(PAGE as usize)
            .collect()
            .await;
        for looked in looked {
            let (id, seen) = looked?;
            known.insert(id, seen);
        }
        let ahead = wanted
            .iter()
            .filter_map(|(id, _)| Some((*id, known.get(id).copied()??)));
        Ok(ahead.collect())
    }

    /// Asks the schedulers about every job for which it matters what they say.
    fn look_at_schedulers(&mut self, ahead: &HashMap<AgreementId, Seen>, now: Now) {
        let (busy, failing) = (&self.busy, &self.failing);
        let jobs = self
            .watch
            .all()
            .filter(|(id, _)| is_free(busy, failing, *id));
        let jobs = jobs.map(|(id, seen)| (id, *ahead.get(&id).unwrap_or(seen)));
        let news = std::mem::take(&mut self.news);
        self.next_look = self.looks.ask(&self.context, jobs, now.moment, news);
    }

    /// What is to be done now, of all that is not under way.
    fn decide(&mut self, ahead: &HashMap<AgreementId, Seen>, now: Now) -> Vec<Decision> {
        let context = self.context.clone();
        let intervals = &context.settings.intervals;
        let mut decisions = Vec::new();
        let mut over = Vec::new();
        for (id, seen) in self.watch.all() {
            if !self.is_free(id) {
                continue;
            }
            let seen = *ahead.get(&id).unwrap_or(seen);
            let action = context.records.with(id, |local| {
                let look = match local.is_some_and(|l| is_untouched(&seen.observed, l)) {
                    true => InScheduler::Absent,
                    false => self.looks.of(id),
                };
                let action = reconcile(&seen.observed, local, look, intervals, now);
                match (&action, local) {
                    (Action::Accept, Some(local)) if self.accepting.contains_key(&id) => {
                        meanwhile(local)
                    }
                    (_, None) if !matches!(seen.observed, Observed::Open(_)) => {
                        over.push(id);
                        action
                    }
                    _ => action,
                }
            });
            if action != Action::Wait {
                decisions.push(Decision { id, seen, action });
            }
        }
        // Cleared away, or never ours: forgotten, unless another cluster of ours has it.
        for id in over {
            self.watch.look_again(id);
        }
        decisions
    }

    /// Begins a step; `false` if there is no room before another one has ended.
    fn begin(
        &mut self,
        id: AgreementId,
        cluster: ClusterId,
        step: Action,
        snapshot: &Arc<dyn Snapshot>,
    ) -> bool {
        let steps = self.tasks.len().saturating_sub(self.sending);
        if steps >= self.context.settings.parallel {
            return false;
        }
        self.busy.insert(id);
        self.looks.outdated(id);
        let (context, snapshot) = (self.context.clone(), snapshot.clone());
        self.tasks.spawn(async move {
            let took = context
                .metrics
                .step_seconds
                .with_label_values(&[step.name()]);
            let took = took.start_timer();
            let step =
                AssertUnwindSafe(context.perform(step, id, cluster, snapshot)).catch_unwind();
            let result = step.await.unwrap_or_else(|_| Err(panicked()));
            took.observe_duration();
            Done {
                calls: None,
                results: vec![(id, result)],
            }
        });
        true
    }

    /// Sends a batch.
    fn send(&mut self, batch: Batch) {
        let context = self.context.clone();
        let jobs = batch.jobs();
        let seen = Arc::new(AtomicBool::new(false));
        let sent = match batch {
            Batch::Accept(_) => {
                let all = jobs.iter().map(|job| (*job, seen.clone()));
                self.accepting.extend(all);
                Sent::Accept
            }
            _ => {
                self.busy.extend(jobs.iter().copied());
                jobs.iter().for_each(|job| self.looks.outdated(*job));
                Sent::Other
            }
        };
        self.sending += 1;
        let way = Mutex::new(Some(self.outgoing.enter(&batch)));
        let careful = self.unwritable.is_some();
        let notify = self.included.clone();
        self.tasks.spawn(async move {
            let included = || {
                seen.store(true, Ordering::SeqCst);
                way.lock().unwrap_or_else(PoisonError::into_inner).take();
                notify.notify_one();
            };
            let results = AssertUnwindSafe(context.send(batch, careful, &included)).catch_unwind();
            let results = results
                .await
                .unwrap_or_else(|_| jobs.into_iter().map(|job| (job, Err(panicked()))).collect());
            Done {
                calls: Some(sent),
                results,
            }
        });
    }
}

/// Sleeps until a moment; for ever without one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Whether nothing is under way for a job, and no failure of its is waited out.
fn is_free(
    busy: &HashSet<AgreementId>,
    failing: &HashMap<AgreementId, (u32, Instant)>,
    id: AgreementId,
) -> bool {
    let waited = |(_, until): &(u32, Instant)| *until <= Instant::now();
    !busy.contains(&id) && failing.get(&id).is_none_or(waited)
}

/// A defect of ours in one job's step must not take the other jobs down: it is decided again, later and later.
fn panicked() -> StepError {
    let reason = "a defect of the worker, see its log; please report it".into();
    StepError::Unanswered {
        outside: Outside::Store,
        reason,
    }
}
