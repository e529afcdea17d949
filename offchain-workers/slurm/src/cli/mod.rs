//! SLURM by its commands: `sbatch`, `squeue`, `scancel`, `sacct`, and `scontrol`, `sdiag`, `sacctmgr` for health.
//!
//! Everything is asked as the user who owns the jobs, so what a cluster hides from others (`PrivateData`) is never taken for
//! absent. Accounting is read with `-X -D -P`, in UTC as unix seconds: every attempt, each once.
//!
//! What the cluster must have: `AccountingStorageType=accounting_storage/slurmdbd`, `AccountingStoreFlags=job_comment`, and
//! for accelerators `AccountingStorageTRES=gres/gpu`; `MinJobAge` of 30 s or more. Left-overs of a job are ended by `ProctrackType=proctrack/cgroup`
//! (or an epilog).

mod hand_over;
mod intent;
mod parse;
mod refusal;
mod runner;

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;

use crate::{
    check::is_handle,
    gather::{Gather, INTERRUPTED},
    handles::Handles,
    scheduler::{ForgetError, QueryError, Scheduler, SubmitError},
    slurm::{
        judge::{self, Answers},
        words::{phase, Phase},
        Diagnosis, Identity, Record, Request, Row, SlurmJobId, TaskSet, DRAINED_FOR,
    },
    types::{Attempt, Health, Lookup, SchedulerJobId, Status, SubmitSpec},
};
use hand_over::HandOver;
pub use runner::{Access, Ssh};
use runner::{Runner, Said, Trouble};

/// Jobs asked about in one command: their ids must fit on a command line.
const IDS_AT_ONCE: usize = 2_000;
/// Sessions at once in which jobs are handed over: most of the time each waits for slurmctld.
const SESSIONS: usize = 2;
/// How long `attempts` waits for accounting to show what slurmctld knows.
const PATIENCE: Duration = Duration::from_secs(5);
/// What makes times unix seconds, and lists of array tasks whole.
const PLAIN: [(&str, &str); 3] = [
    ("TZ", "UTC"),
    ("SLURM_TIME_FORMAT", "%s"),
    ("SLURM_BITSTR_LEN", "0"),
];

/// Configuration of [`SlurmCli`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmCliConfig {
    /// How SLURM's commands are reached.
    pub access: Access,
    /// Account and quality of service.
    pub identity: Identity,
    /// Directory in which clients see to it that a handle is submitted once. Made if missing; all clients of a cluster
    /// name the same one, on a local disk.
    pub state_dir: PathBuf,
}

/// A SLURM cluster, seen as one of its users.
#[derive(Clone, Debug)]
pub struct SlurmCli {
    runner: Runner,
    identity: Identity,
    handles: Handles,
    /// When slurmctld last had nothing to tell slurmdbd.
    empty_at: Arc<Mutex<Option<Instant>>>,
    /// Of jobs that are not forgotten: start of an attempt, and how many there were before it.
    restarts: Arc<Mutex<HashMap<u32, (u64, u32)>>>,
    /// Handles that are to be looked for.
    looked_for: Arc<Gather<String, Lookup>>,
    /// What is to be handed over, unless it is there.
    handed_over: Arc<Gather<HandOver, Result<SchedulerJobId, SubmitError>>>,
}

impl SlurmCli {
    /// Fails only if the directory cannot be made; whether the cluster answers is for [`Scheduler::health`] to say.
    pub fn new(config: SlurmCliConfig) -> io::Result<Self> {
        let connections = config.state_dir.join("ssh");
        if config.access.ssh.is_some() {
            std::fs::create_dir_all(&connections)?;
        }
        Ok(Self {
            handles: Handles::open(&config.state_dir)?,
            runner: Runner::new(config.access, connections),
            identity: config.identity,
            empty_at: Arc::default(),
            restarts: Arc::default(),
            looked_for: Arc::default(),
            handed_over: Arc::new(Gather::with_turns(SESSIONS)),
        })
    }

    async fn run(&self, words: Vec<String>) -> Result<Said, Trouble> {
        self.runner.run(&PLAIN, &words, b"").await
    }

    /// The output of a question that was answered.
    async fn ask(&self, words: Vec<String>) -> Result<String, String> {
        let program = words.first().cloned().unwrap_or_default();
        let said = self.run(words).await.map_err(Trouble::text)?;
        match said.ok {
            true => Ok(said.out),
            false => Err(format!("{program}: {}", said.complaint)),
        }
    }

    /// slurmctld's records of this user.
    async fn records(&self, filter: String) -> Result<Vec<Record>, String> {
        let separator = parse::separator();
        let mut words = strings(&["squeue", "--noheader", "--all", "--states=all"]);
        words.push(format!("--user={}", self.runner.user()));
        words.push(filter);
        words.push(format!("--format={}", parse::queue_format(&separator)));
        let said = self.run(words).await.map_err(Trouble::text)?;
        match said.ok {
            true => parse::records(&said.out, &separator).map_err(|e| format!("squeue: {e}")),
            // slurmctld's answer to a question about one job that it does not know.
            false if said.complaint.contains("Invalid job id specified") => Ok(Vec::new()),
            false => Err(format!("squeue: {}", said.complaint)),
        }
    }

    /// slurmdbd's rows of this user.
    async fn rows(&self, filter: &[String]) -> Result<Vec<Row>, String> {
        let separator = parse::separator();
        let mut words = strings(&["sacct", "-X", "-D", "-P", "--noheader", "--noconvert"]);
        words.push(format!("--user={}", self.runner.user()));
        words.extend(filter.iter().cloned());
        words.push(format!("--delimiter={separator}"));
        words.push(format!("--format={}", parse::ROW_FORMAT));
        let out = self.ask(words).await?;
        parse::rows(&out, &separator).map_err(|e| format!("sacct: {e}"))
    }

    async fn diagnosis(&self) -> Result<Diagnosis, String> {
        let out = self.ask(strings(&["sdiag"])).await?;
        parse::diagnosis(&out).ok_or_else(|| "sdiag: its answer is not understood".to_owned())
    }

    /// Whether slurmctld has told slurmdbd everything about jobs that it has forgotten since.
    ///
    /// On a busy cluster something always waits to be told. But a job that slurmctld does not know any more ended `MinJobAge`
    /// ago (300 s unless configured otherwise), so it is enough that nothing waited at some time of the last `lately`.
    async fn drained(&self, lately: Duration) -> Result<bool, String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let empty_at = *self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
            if empty_at.is_some_and(|at| at.elapsed() < lately) {
                return Ok(true);
            }
            let asked = Instant::now();
            if self.diagnosis().await?.waiting == 0 {
                let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
                *empty_at = Some(asked);
                return Ok(true);
            }
            if asked >= until {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What both daemons say of a job's attempts, in the order that [`judge`] wants.
    async fn accounted(&self, job: &SlurmJobId) -> Result<Vec<Attempt>, QueryError> {
        let filter = format!("--jobs={}", job.job);
        let asked = async {
            let records = self.records(filter.clone()).await?;
            let goes_on = judge::is_under_way(job, &records);
            let lately = if goes_on { Duration::ZERO } else { DRAINED_FOR };
            let (drained, rows) = self.accounting(&[job.job], lately).await?;
            let later = match goes_on {
                true => self.records(filter.clone()).await?,
                false => Vec::new(),
            };
            Ok::<_, String>((records, drained, rows, later))
        };
        let (records, drained, rows, later) = asked.await.map_err(QueryError::Unknown)?;
        let answers = Answers {
            records: &records,
            rows: &rows,
            drained,
        };
        judge::attempts(job, &answers, &later)
    }

    async fn search(&self, handle: &str) -> Lookup {
        let ask = |handles: Vec<String>| self.search_all(handles);
        let found = self.looked_for.put(handle.to_owned(), ask).await;
        found.unwrap_or_else(|| Lookup::Unknown(INTERRUPTED.to_owned()))
    }

    /// One answer for each handle.
    async fn search_all(&self, handles: Vec<String>) -> Vec<Lookup> {
        let name = format!("--name={}", handles.join(","));
        let answer = async {
            let records = self.records(name.clone()).await?;
            let drained = self.drained(DRAINED_FOR).await?;
            // Without a beginning `sacct` looks at today only.
            let filter = [name.clone(), "--starttime=1970-01-02".to_owned()];
            let rows = self.rows(&filter).await?;
            Ok::<_, String>((records, drained, rows))
        };
        let answer = answer.await;
        let of = |handle: &String| {
            let (records, drained, rows) = match &answer {
                Ok(answers) => answers,
                Err(reason) => return Lookup::Unknown(reason.clone()),
            };
            let found = judge::found(handle, records, rows);
            if !found.is_empty() {
                return Lookup::Found(found.iter().map(Into::into).collect());
            }
            match drained {
                true => Lookup::Absent,
                false => Lookup::Unknown(
                    "slurmctld has not told slurmdbd everything yet; look at slurmdbd".to_owned(),
                ),
            }
        };
        handles.iter().map(of).collect()
    }

    /// Refuses what SLURM would only find out when the job starts.
    fn request(&self, spec: &SubmitSpec) -> Result<Request, SubmitError> {
        // What is another user's cannot be seen from here.
        if spec.identity.is_none() && !self.runner.is_remote() && !spec.work_dir.is_dir() {
            return Err(SubmitError::Refused(format!(
                "work_dir: {} is not a directory; make it first",
                spec.work_dir.display()
            )));
        }
        Request::new(spec, &self.identity).map_err(SubmitError::Refused)
    }
}

#[async_trait]
impl Scheduler for SlurmCli {
    async fn health(&self) -> Health {
        let look = async {
            let ping = self.ask(strings(&["scontrol", "ping"])).await?;
            if !ping.contains("is UP") {
                return Err(format!("slurmctld does not answer: {}", ping.trim()));
            }
            let clusters = ["sacctmgr", "-n", "-P", "show", "cluster", "format=cluster"];
            if self.ask(strings(&clusters)).await?.trim().is_empty() {
                return Err(
                    "slurmdbd knows no cluster; add it with `sacctmgr add cluster`".to_owned(),
                );
            }
            self.diagnosis().await?.clock_agrees()
        };
        match look.await {
            Ok(()) => Health::Ok,
            Err(reason) => Health::Unknown(reason),
        }
    }

    async fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError> {
        let request = self.request(spec)?;
        let held = self.handles.take(&spec.handle).await;
        let held = held.map_err(in_state_dir)?;
        let one = HandOver { request, held };
        let answer = self
            .handed_over
            .put(one, |all| self.hand_over_absent(all))
            .await;
        answer.unwrap_or_else(|| Err(SubmitError::Unknown(INTERRUPTED.to_owned())))
    }

    async fn find(&self, handle: &str) -> Lookup {
        if !is_handle(handle) {
            return Lookup::Absent;
        }
        // Asked before: a submission that ends in between is seen by slurmctld.
        let on_its_way = self.handles.may_be_on_its_way(handle);
        match (self.search(handle).await, on_its_way) {
            (Lookup::Absent, Ok(true)) => Lookup::Unknown(ON_ITS_WAY.to_owned()),
            (Lookup::Absent, Err(error)) => {
                Lookup::Unknown(format!("the scheduler's state directory: {error}"))
            }
            (answer, _) => answer,
        }
    }

    async fn status(&self, id: &SchedulerJobId) -> Status {
        let mut all = self.statuses(std::slice::from_ref(id)).await;
        all.pop()
            .unwrap_or_else(|| Status::Unknown("no answer".to_owned()))
    }

    async fn statuses(&self, ids: &[SchedulerJobId]) -> Vec<Status> {
        let mut all = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_AT_ONCE) {
            let jobs: Vec<Result<SlurmJobId, String>> = ids.iter().map(TryInto::try_into).collect();
            let known: Vec<&SlurmJobId> = jobs.iter().flatten().collect();
            let asked = self.ask_statuses(&known).await;
            let mut asked = asked.into_iter();
            all.extend(jobs.iter().map(|job| {
                match job {
                    Ok(_) => asked
                        .next()
                        .unwrap_or_else(|| Status::Unknown("no answer".to_owned())),
                    Err(reason) => Status::Unknown(reason.clone()),
                }
            }));
        }
        all
    }

    async fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError> {
        let job: SlurmJobId = id.try_into().map_err(QueryError::Unknown)?;
        // First whose job it is: the number may be another's by now. `scancel` itself succeeds for any number.
        match self.status(id).await {
            Status::Ended(_) => return Ok(()),
            Status::Absent => return Err(QueryError::Absent),
            Status::Unknown(reason) => {
                // A job that slurmctld has as over cannot be cancelled any more, whatever accounting lacks.
                let records = self.records(format!("--jobs={}", job.job)).await;
                let records = records.map_err(QueryError::Unknown)?;
                return match judge::is_over(&job, &records) {
                    true => Ok(()),
                    false => Err(QueryError::Unknown(reason)),
                };
            }
            Status::Queued | Status::Running { .. } => {}
        }
        let said = self
            .run(vec!["scancel".to_owned(), job.job.to_string()])
            .await
            .map_err(|trouble| QueryError::Unknown(trouble.text()))?;
        // It ended in between.
        let over = ["already completing or completed", "Invalid job id"];
        match said.ok || over.iter().any(|text| said.complaint.contains(text)) {
            true => Ok(()),
            false => Err(QueryError::Unknown(format!("scancel: {}", said.complaint))),
        }
    }

    async fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError> {
        let job: SlurmJobId = id.try_into().map_err(QueryError::Unknown)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match self.accounted(&job).await {
                Err(QueryError::Unknown(_)) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                answer => return answer,
            }
        }
    }

    async fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError> {
        let job: SlurmJobId = id.try_into().map_err(ForgetError::Unknown)?;
        match self.status(id).await {
            Status::Queued | Status::Running { .. } => Err(ForgetError::StillActive),
            Status::Unknown(reason) => Err(ForgetError::Unknown(reason)),
            // Accounting stays: a cluster's own rules say for how long.
            Status::Ended(_) | Status::Absent => {
                self.restarts().remove(&job.job);
                self.handles
                    .remove(&job.handle)
                    .map_err(|error| ForgetError::Unknown(error.to_string()))
            }
        }
    }

    async fn end_all(&self) -> Result<usize, QueryError> {
        let user = format!("--user={}", self.runner.user());
        let left = self
            .ask(strings(&[
                "squeue",
                "--noheader",
                "--all",
                "--format=%A",
                &user,
            ]))
            .await
            .map_err(QueryError::Unknown)?;
        let left = left.lines().count();
        if left > 0 {
            self.ask(strings(&["scancel", &user]))
                .await
                .map_err(QueryError::Unknown)?;
        }
        Ok(left)
    }
}

impl SlurmCli {
    /// One `squeue` for all, and one `sacct` for those that it does not settle.
    async fn ask_statuses(&self, jobs: &[&SlurmJobId]) -> Vec<Status> {
        let unknown = |reason: &String| vec![Status::Unknown(reason.clone()); jobs.len()];
        if jobs.is_empty() {
            return Vec::new();
        }
        let numbers: Vec<u32> = jobs.iter().map(|job| job.job).collect();
        let mut records = match self.records(format!("--jobs={}", list(&numbers))).await {
            Ok(records) => records,
            Err(reason) => return unknown(&reason),
        };
        self.count_restarts(&mut records).await;
        let settled: Vec<Option<Status>> = jobs
            .iter()
            .map(|job| judge::status_by_records(job, &records))
            .collect();
        let open: Vec<u32> = jobs
            .iter()
            .zip(&settled)
            .filter(|(_, settled)| settled.is_none())
            .map(|(job, _)| job.job)
            .collect();
        let rest = match open.is_empty() {
            true => Ok((true, Vec::new())),
            false => self.accounting(&open, DRAINED_FOR).await,
        };
        jobs.iter()
            .zip(settled)
            .map(|(job, settled)| match (settled, &rest) {
                (Some(status), _) => status,
                (None, Err(reason)) => Status::Unknown(reason.clone()),
                (None, Ok((drained, rows))) => {
                    let answers = Answers {
                        records: &records,
                        rows,
                        drained: *drained,
                    };
                    judge::status(job, &answers)
                }
            })
            .collect()
    }

    /// Fills in how often running jobs were started before: from what is known of the same attempt, or asked after their
    /// records, so that a job that was not started again by now had not been then.
    async fn count_restarts(&self, records: &mut [Record]) {
        let runs = |record: &Record| {
            record.tasks == TaskSet::Plain && phase(&record.words) == Phase::Active
        };
        let mut unknown = Vec::new();
        for record in records.iter_mut().filter(|record| runs(record)) {
            match self.restarts().get(&record.job) {
                Some((started, restarts)) if record.started == Some(*started) => {
                    record.restarts = Some(*restarts);
                }
                _ => unknown.push(record),
            }
        }
        if unknown.is_empty() {
            return;
        }
        let numbers: Vec<u32> = unknown.iter().map(|record| record.job).collect();
        let mut words = strings(&["squeue", "--noheader", "--all", "--states=all"]);
        words.push(format!("--jobs={}", list(&numbers)));
        words.push(format!("--Format={}", parse::RESTARTS_FORMAT));
        // Without an answer accounting is asked for the attempts.
        let answer = self.ask(words).await;
        match answer.and_then(|text| parse::restarts(&text)) {
            Ok(told) => {
                let mut known = self.restarts();
                for record in unknown {
                    record.restarts = told.get(&record.job).copied();
                    if let (Some(started), Some(restarts)) = (record.started, record.restarts) {
                        known.insert(record.job, (started, restarts));
                    }
                }
            }
            Err(reason) => tracing::debug!(reason, "how often jobs were started is not known"),
        }
    }

    fn restarts(&self) -> MutexGuard<'_, HashMap<u32, (u64, u32)>> {
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn accounting(&self, jobs: &[u32], lately: Duration) -> Result<(bool, Vec<Row>), String> {
        let drained = self.drained(lately).await?;
        let rows = self.rows(&[format!("--jobs={}", list(jobs))]).await?;
        Ok((drained, rows))
    }
}

const ON_ITS_WAY: &str =
    "an earlier submission of this handle may still be on its way to slurmctld";

fn in_state_dir(error: io::Error) -> SubmitError {
    SubmitError::Unavailable(format!("the scheduler's state directory: {error}"))
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn list(jobs: &[u32]) -> String {
    let mut jobs = jobs.to_vec();
    jobs.sort_unstable();
    jobs.dedup();
    let jobs: Vec<String> = jobs.iter().map(u32::to_string).collect();
    jobs.join(",")
}
