//! SLURM through slurmrestd, with JSON web tokens.
//!
//! * The newest version of the API that both sides know is agreed on first; two shapes are spoken, up to v0.0.38 and from
//!   v0.0.40 on.
//! * What happened is read from states and from errors in bodies, never from an HTTP status alone.
//! * One job is asked about at a time. Listing all jobs makes slurmrestd grow without end on a busy cluster.
//! * slurmctld says what waits and runs, slurmdbd how it ended and what it had. A job is absent only when slurmctld does
//!   not know it, has handed everything to slurmdbd, and slurmdbd does not know it either.
//! * slurmctld can be asked for ids only, and a new job reaches slurmdbd some seconds later. So what is submitted is noted
//!   on disk before, and a handle whose answer was lost is absent only when slurmdbd has missed it twice, a
//!   while apart ([`RestConfig::settle`]).
//!
//! A client acts for one unix user with tokens of that user, so it sees and touches nobody else's jobs. Nothing needs an
//! administrator's token.

mod api;
mod http;
mod journal;
mod refusal;
mod reply;
mod shape;
mod token;
mod version;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::StreamExt;

use crate::{
    check::is_handle,
    gather::{Gather, INTERRUPTED},
    local::clock::wall_ms,
    scheduler::{ForgetError, QueryError, Scheduler, SubmitError},
    slurm::{
        judge::{self, Answers},
        words::{phase, Phase},
        Identity, Record, Request, Row, SlurmJobId, TaskSet, DRAINED_FOR,
    },
    types::{Attempt, EndState, Health, Lookup, SchedulerJobId, Status, SubmitSpec},
};
use api::{Api, Trouble};
pub use http::Endpoint;
use http::Http;
use journal::{exit_key, Exits, Intent, Journal};
use reply::code;
use shape::{DbRow, Live};
pub use token::TokenSource;
use token::Tokens;

/// Longest wait for one answer of slurmrestd.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer in bytes. A task of an array takes about 8 KiB, so arrays of 8,000 tasks fit.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// slurmctld hands new jobs to slurmdbd every 5 s.
const SETTLE: Duration = Duration::from_secs(30);
const SHORTEST_SETTLE: Duration = Duration::from_secs(6);
/// How long accounting may lag behind slurmctld before a question about it is given up, and how often it is repeated.
/// Every 5 s slurmctld tells slurmdbd what is new.
const ACCOUNTING_LAG: Duration = Duration::from_secs(10);
const ACCOUNTING_POLL: Duration = Duration::from_millis(200);
/// Questions at once, when many jobs are asked about.
const AT_ONCE: usize = 8;

/// Configuration of a client of slurmrestd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestConfig {
    /// Where slurmrestd listens.
    pub endpoint: Endpoint,
    /// Where tokens come from.
    pub tokens: TokenSource,
    /// The cluster's name in accounting (`ClusterName` in slurm.conf).
    pub cluster: String,
    /// The unix user as whom jobs run.
    pub user: String,
    /// What they are charged to.
    pub identity: Identity,
    /// Directory for what must survive this process. Made if it does not exist; only the worker may write to it.
    pub state_dir: PathBuf,
    /// Longest wait for one answer.
    pub answer_timeout: Duration,
    /// Longest answer in bytes.
    pub max_answer: usize,
    /// How long accounting must go on not knowing a job whose answer was lost until it counts as never taken. At least
    /// 6 s: slurmctld hands new jobs over every 5 s.
    pub settle: Duration,
}

impl RestConfig {
    /// With the usual limits, and the user's default account and quality of service.
    pub fn new(
        endpoint: Endpoint,
        tokens: TokenSource,
        cluster: impl Into<String>,
        user: impl Into<String>,
        state_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            endpoint,
            tokens,
            cluster: cluster.into(),
            user: user.into(),
            identity: Identity::default(),
            state_dir: state_dir.into(),
            answer_timeout: ANSWER_TIMEOUT,
            max_answer: MAX_ANSWER,
            settle: SETTLE,
        }
    }
}

/// A configuration that cannot work. The text names the setting and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slurmrestd: {0}")]
pub struct RestConfigError(String);

/// A cluster behind slurmrestd, for one user.
pub struct SlurmRest {
    api: Api,
    journal: Journal,
    identity: Identity,
    settle: Duration,
    /// Since when accounting has not known a handle that may have been submitted.
    missed_since: Mutex<HashMap<String, Instant>>,
    /// Handles that accounting is to be asked for.
    looked_for: Gather<String, Result<Vec<SlurmJobId>, Trouble>>,
}

/// What both daemons answered about a job, asked in the order that [`judge`] wants.
struct Known {
    records: Vec<Record>,
    rows: Vec<Row>,
    drained: bool,
    /// Attempts of which nobody told the exit code: own job id and submission.
    untold: Vec<(u32, u64)>,
}

impl Known {
    fn answers(&self) -> Answers<'_> {
        Answers {
            records: &self.records,
            rows: &self.rows,
            drained: self.drained,
        }
    }
}

impl SlurmRest {
    /// Prepares a client; connects to nothing yet.
    pub fn new(config: RestConfig) -> Result<Self, RestConfigError> {
        let http = Http::new(&config.endpoint, config.answer_timeout, config.max_answer)
            .map_err(RestConfigError)?;
        let tokens = Tokens::new(config.tokens).map_err(RestConfigError)?;
        for (name, value) in [("cluster", &config.cluster), ("user", &config.user)] {
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(RestConfigError(format!("{name}: {value:?} is not a name")));
            }
        }
        if config.settle < SHORTEST_SETTLE {
            return Err(RestConfigError(format!(
                "settle must be at least {} s",
                SHORTEST_SETTLE.as_secs()
            )));
        }
        let journal = Journal::open(&config.state_dir).map_err(|e| {
            RestConfigError(format!(
                "state directory {}: {e}",
                config.state_dir.display()
            ))
        })?;
        Ok(Self {
            api: Api::new(http, tokens, &config.user, config.cluster),
            journal,
            identity: config.identity,
            settle: config.settle,
            missed_since: Mutex::default(),
            looked_for: Gather::default(),
        })
    }

    /// The version of the API that was agreed on, `v0.0.N`. Asks slurmrestd if none was yet.
    pub async fn api_version(&self) -> Result<String, QueryError> {
        match self.api.version().await {
            Ok(version) => Ok(format!("v0.0.{}", version.number)),
            Err(trouble) => Err(QueryError::Unknown(trouble.text())),
        }
    }

    /// Runs something that waits for the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Journal) -> io::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || what(&journal))
            .await
            .map_err(|e| e.to_string())?
            .map_err(in_state_dir)
    }

    async fn intent(&self, handle: &str) -> Result<Option<Intent>, String> {
        let handle = handle.to_owned();
        self.on_disk(move |journal| journal.intent(&handle)).await
    }

    fn missed(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.missed_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Jobs of a handle, given what was noted of it.
    async fn look_up(&self, handle: &str, intent: Option<&Intent>) -> Lookup {
        if let Some(job) = intent.and_then(|i| i.job) {
            let id = SlurmJobId {
                job,
                handle: handle.to_owned(),
            };
            return Lookup::Found(vec![(&id).into()]);
        }
        let found = match intent {
            // Whoever else handed it over did so a while ago.
            None => {
                let ask = |handles| self.in_accounting(handles, DRAINED_FOR);
                let found = self.looked_for.put(handle.to_owned(), ask).await;
                found.unwrap_or_else(|| Err(Trouble::NotSent(INTERRUPTED.to_owned())))
            }
            Some(_) => {
                let handles = vec![handle.to_owned()];
                let mut found = self.in_accounting(handles, Duration::ZERO).await;
                found.pop().unwrap_or(Ok(Vec::new()))
            }
        };
        match found {
            Ok(jobs) if jobs.is_empty() => {}
            answer => {
                self.missed().remove(handle);
                return match answer {
                    Ok(jobs) => Lookup::Found(jobs.iter().map(Into::into).collect()),
                    Err(trouble) => Lookup::Unknown(trouble.text()),
                };
            }
        }
        if intent.is_none() {
            // Nobody handed it over through this directory, so no answer was lost.
            return Lookup::Absent;
        }
        let since = *self
            .missed()
            .entry(handle.to_owned())
            .or_insert_with(Instant::now);
        let left = self.settle.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Lookup::Absent;
        }
        Lookup::Unknown(format!(
            "the answer to its submission was lost; accounting does not know {handle}, but a new job may not have \
             reached it: certain in {} s",
            left.as_secs().saturating_add(1)
        ))
    }

    /// Jobs of each of some handles, of those that slurmdbd knew at some time of the last `lately`.
    async fn in_accounting(
        &self,
        handles: Vec<String>,
        lately: Duration,
    ) -> Vec<Result<Vec<SlurmJobId>, Trouble>> {
        let rows = async {
            self.api.accounting_was_complete(lately).await?;
            let rows = self.api.rows_named(&handles).await?;
            Ok(rows.into_iter().map(|r| r.row).collect::<Vec<Row>>())
        };
        let rows: Result<_, Trouble> = rows.await;
        let of = |handle: &String| match &rows {
            Ok(rows) => Ok(judge::found(handle, &[], rows)),
            Err(trouble) => Err(trouble.clone()),
        };
        handles.iter().map(of).collect()
    }

    /// Asks slurmdbd, after slurmctld.
    async fn account(&self, job: u32, live: Vec<Live>) -> Result<Known, Trouble> {
        // It matters of what slurmctld does not know any more (a job, or tasks of an array), and of what goes on.
        let drained = if live.is_empty() {
            self.api.accounting_is_complete().await?;
            true
        } else {
            let matters = |task: &Live| {
                task.record.tasks != TaskSet::Plain || phase(&task.record.words).is_under_way()
            };
            live.iter().any(matters) && self.api.accounting_is_complete_now().await
        };
        let rows = self.api.rows_of(job).await?;
        self.with_exits(job, live, drained, rows).await
    }

    /// Fills in the exit codes that this version's accounting does not tell: slurmctld knows them until it forgets the job,
    /// and what it said once is noted, so that an end stays what it was.
    async fn with_exits(
        &self,
        job: u32,
        live: Vec<Live>,
        drained: bool,
        rows: Vec<DbRow>,
    ) -> Result<Known, Trouble> {
        let mut exits = Exits::new();
        if rows.iter().any(|row| !row.exit_is_told) {
            for task in &live {
                if let (Phase::Over, Some(started)) =
                    (phase(&task.record.words), task.record.started)
                {
                    exits.insert(exit_key(task.record.raw, started), task.exit);
                }
            }
            exits = self
                .on_disk(move |journal| journal.exits(job, &exits))
                .await
                .map_err(Trouble::Said)?;
        }
        let mut untold = Vec::new();
        let rows = rows
            .into_iter()
            .map(
                |DbRow {
                     mut row,
                     exit_is_told,
                     ..
                 }| {
                    if !exit_is_told {
                        let key = exit_key(row.raw, row.started.unwrap_or(0));
                        match exits.get(&key) {
                            Some(exit) => row.exit = (exit.code, exit.signal),
                            None => untold.push((row.raw, row.submitted)),
                        }
                    }
                    row
                },
            )
            .collect();
        let records = live.into_iter().map(|task| task.record).collect();
        Ok(Known {
            records,
            rows,
            drained,
            untold,
        })
    }

    /// What is known of a job, and slurmctld's records of it after that if it goes on.
    async fn accounted(&self, id: &SlurmJobId) -> Result<(Known, Vec<Record>), Trouble> {
        let known = self.account(id.job, self.api.live(id.job).await?).await?;
        let later = match judge::is_under_way(id, &known.records) {
            true => self.api.live(id.job).await?,
            false => Vec::new(),
        };
        let later = later.into_iter().map(|task| task.record).collect();
        Ok((known, later))
    }

    async fn stands(&self, id: &SlurmJobId) -> Result<Status, Trouble> {
        let live = self.api.live(id.job).await?;
        let records: Vec<Record> = live.iter().map(|task| task.record.clone()).collect();
        if let Some(status) = judge::status_by_records(id, &records) {
            return Ok(status);
        }
        Ok(judge::status(
            id,
            &self.account(id.job, live).await?.answers(),
        ))
    }
}

#[async_trait]
impl Scheduler for SlurmRest {
    async fn health(&self) -> Health {
        let asked = async {
            self.api.controller_answers().await?;
            self.api.accounting_is_connected().await
        };
        match asked.await {
            Ok(()) => Health::Ok,
            Err(trouble) => Health::Unknown(trouble.text()),
        }
    }

    async fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError> {
        let request = Request::new(spec, &self.identity).map_err(SubmitError::Refused)?;
        let handle = spec.handle.as_str();
        let held = self.journal.take(handle).await;
        let held = held.map_err(|e| SubmitError::Unavailable(in_state_dir(e)))?;
        let intent = self.intent(handle).await.map_err(SubmitError::Unknown)?;
        match self.look_up(handle, intent.as_ref()).await {
            Lookup::Absent => {}
            Lookup::Found(jobs) => {
                let first = jobs.into_iter().next();
                return first.ok_or_else(|| SubmitError::Unknown("no id".to_owned()));
            }
            Lookup::Unknown(text) if intent.is_some() => return Err(SubmitError::Unknown(text)),
            Lookup::Unknown(text) => return Err(SubmitError::Unavailable(text)),
        }
        self.missed().remove(handle);
        let at = wall_ms();
        let begin = move |journal: &Journal| journal.begin(&held, at).map(|()| held);
        let held = self.on_disk(begin).await;
        let held = held.map_err(SubmitError::Unavailable)?;
        match self.hand_over(&request).await {
            Ok(job) => {
                let noted = self.journal.taken(&held, at, job);
                noted.map_err(|e| SubmitError::Unknown(in_state_dir(e)))?;
                let handle = handle.to_owned();
                Ok((&SlurmJobId { job, handle }).into())
            }
            Err(SubmitError::Unknown(text)) => Err(SubmitError::Unknown(text)),
            Err(error) => {
                let withdrawn = held.remove();
                withdrawn.map_err(|e| SubmitError::Unknown(in_state_dir(e)))?;
                Err(error)
            }
        }
    }

    async fn find(&self, handle: &str) -> Lookup {
        if !is_handle(handle) {
            return Lookup::Absent;
        }
        match self.intent(handle).await {
            Ok(intent) => self.look_up(handle, intent.as_ref()).await,
            Err(text) => Lookup::Unknown(text),
        }
    }

    async fn status(&self, id: &SchedulerJobId) -> Status {
        match SlurmJobId::try_from(id) {
            Ok(id) => self
                .stands(&id)
                .await
                .unwrap_or_else(|t| Status::Unknown(t.text())),
            Err(text) => Status::Unknown(text),
        }
    }

    async fn statuses(&self, ids: &[SchedulerJobId]) -> Vec<Status> {
        let asked: Vec<_> = ids.iter().map(|id| self.status(id)).collect();
        futures::stream::iter(asked)
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    async fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError> {
        let job = SlurmJobId::try_from(id).map_err(QueryError::Unknown)?.job;
        match self.status(id).await {
            Status::Queued | Status::Running { .. } => {}
            Status::Ended(_) => return Ok(()),
            Status::Absent => return Err(QueryError::Absent),
            Status::Unknown(text) => return Err(QueryError::Unknown(text)),
        }
        let unknown = |trouble: Trouble| QueryError::Unknown(trouble.text());
        let said = self.api.cancel(job).await.map_err(unknown)?;
        let over = [code::ALREADY_DONE, code::UNKNOWN_JOB];
        if said.errors.iter().any(|e| !over.contains(&e.code)) {
            return Err(QueryError::Unknown(format!("slurmctld: {}", said.text())));
        }
        // Some versions are silent about a refusal.
        let live = self.api.live(job).await.map_err(unknown)?;
        let goes_on = |task: &Live| {
            let words = &task.record.words;
            phase(words) != Phase::Over && !words.iter().any(|word| word == "COMPLETING")
        };
        match live.iter().find(|task| goes_on(task)) {
            None => Ok(()),
            Some(task) => Err(QueryError::Unknown(format!(
                "slurmctld was asked to end it and still says {}",
                task.record.words.join(" ")
            ))),
        }
    }

    async fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError> {
        let id = SlurmJobId::try_from(id).map_err(QueryError::Unknown)?;
        let until = Instant::now() + ACCOUNTING_LAG;
        loop {
            let accounted = self.accounted(&id).await;
            let (known, later) = accounted.map_err(|t| QueryError::Unknown(t.text()))?;
            match judge::attempts(&id, &known.answers(), &later) {
                Ok(mut attempts) => {
                    explain(&mut attempts, &known.untold);
                    return Ok(attempts);
                }
                // What began a moment ago is not in accounting yet.
                Err(QueryError::Unknown(_)) if Instant::now() < until => {
                    tokio::time::sleep(ACCOUNTING_POLL).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError> {
        let job = SlurmJobId::try_from(id).map_err(ForgetError::Unknown)?;
        match self.status(id).await {
            Status::Ended(_) | Status::Absent => {}
            Status::Queued | Status::Running { .. } => return Err(ForgetError::StillActive),
            Status::Unknown(text) => return Err(ForgetError::Unknown(text)),
        }
        self.on_disk(move |journal| journal.forget(&job))
            .await
            .map_err(ForgetError::Unknown)
    }

    async fn end_all(&self) -> Result<usize, QueryError> {
        let asked = async {
            let left = self.api.unfinished().await?;
            for job in &left {
                // Whether it worked is seen by asking again.
                self.api.cancel(*job).await?;
            }
            Ok(left.len())
        };
        asked
            .await
            .map_err(|trouble: Trouble| QueryError::Unknown(trouble.text()))
    }
}

fn in_state_dir(error: io::Error) -> String {
    format!("state directory: {error}")
}

/// Says of failed attempts that their exit code is made up.
fn explain(attempts: &mut [Attempt], untold: &[(u32, u64)]) {
    for attempt in attempts {
        let is_it = |(raw, at): &(u32, u64)| {
            attempt.job == raw.to_string() && attempt.submitted == at.saturating_mul(1000)
        };
        if matches!(attempt.state, Some(EndState::Failed { .. })) && untold.iter().any(is_it) {
            attempt.detail =
                "this slurmrestd does not tell exit codes of ended jobs: 1 stands for any"
                    .to_owned();
        }
    }
}
