//! Questions to slurmctld and slurmdbd, with answers that mean the same whatever the version.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;

use super::{
    http::{Http, NoReply},
    reply::{code, Said},
    shape::{DbRow, Live, Parsed, Shape},
    token::{Token, Tokens},
    version::{negotiate, Version},
};
use crate::slurm::{
    words::{phase, Phase},
    Diagnosis, Request,
};

/// How long to wait for slurmctld to hand what it knows to slurmdbd, and how often to look.
const DRAINING: Duration = Duration::from_secs(3);
const DRAINING_POLL: Duration = Duration::from_millis(50);

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing was sent.
    NotSent(String),
    /// It may have been received; what came back, if anything, makes no sense.
    Lost(String),
    /// The token was refused. The text says what to do.
    Token(String),
    /// SLURM answered that it cannot.
    Said(String),
}

impl Trouble {
    pub fn text(self) -> String {
        match self {
            Self::NotSent(text) | Self::Lost(text) | Self::Token(text) | Self::Said(text) => text,
        }
    }
}

impl From<NoReply> for Trouble {
    fn from(reply: NoReply) -> Self {
        match reply {
            NoReply::NotSent(text) => Self::NotSent(text),
            NoReply::Lost(text) => Self::Lost(text),
        }
    }
}

/// One user's view of one cluster.
pub(crate) struct Api {
    http: Http,
    tokens: Arc<Tokens>,
    user: Arc<str>,
    cluster: String,
    version: Mutex<Option<Version>>,
    /// When slurmctld last had nothing to tell slurmdbd.
    complete_at: Mutex<Option<Instant>>,
}

impl Api {
    pub fn new(http: Http, tokens: Tokens, user: &str, cluster: String) -> Self {
        Self {
            http,
            tokens: Arc::new(tokens),
            user: user.into(),
            cluster,
            version: Mutex::default(),
            complete_at: Mutex::default(),
        }
    }

    fn agreed(&self) -> MutexGuard<'_, Option<Version>> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version agreed with slurmrestd; asked once, and again after slurmrestd was replaced by another release.
    pub async fn version(&self) -> Result<Version, Trouble> {
        let known = *self.agreed();
        if let Some(version) = known {
            return Ok(version);
        }
        let token = self.token().await?;
        let reply = self
            .http
            .call(Method::GET, "openapi/v3", &[], &token, None)
            .await?;
        if reply.status == 401 {
            return Err(self.refused("HTTP 401"));
        }
        let version = negotiate(&reply.body).map_err(Trouble::Lost)?;
        tracing::info!(
            version = version.number,
            "agreed with slurmrestd on v0.0.{}",
            version.number
        );
        *self.agreed() = Some(version);
        Ok(version)
    }

    async fn token(&self) -> Result<Token, Trouble> {
        let (tokens, user) = (self.tokens.clone(), self.user.clone());
        tokio::task::spawn_blocking(move || tokens.of(&user))
            .await
            .map_err(|e| Trouble::NotSent(e.to_string()))?
            .map_err(Trouble::NotSent)
    }

    fn refused(&self, said: &str) -> Trouble {
        Trouble::Token(format!(
            "the token of {} was refused ({said}): {}",
            self.user,
            self.tokens.remedy(&self.user)
        ))
    }

    async fn ask<T>(
        &self,
        method: Method,
        path: impl FnOnce(Version) -> String,
        query: &[(&str, &str)],
        body: Option<&Value>,
        read: impl FnOnce(&dyn Shape, &[u8]) -> Parsed<T>,
    ) -> Result<Said<T>, Trouble> {
        let version = self.version().await?;
        let token = self.token().await?;
        let body = body.map(Value::to_string).map(String::into_bytes);
        let reply = self
            .http
            .call(method, &path(version), query, &token, body)
            .await?;
        match read(version.shape, &reply.body) {
            _ if reply.status == 401 => Err(self.refused("HTTP 401")),
            Ok(said) if said.has(code::AUTHENTICATION) => Err(self.refused(&said.text())),
            Ok(said) => Ok(said),
            Err(error) => {
                if reply.status == 404 {
                    // Perhaps an upgrade took the version away.
                    *self.agreed() = None;
                }
                Err(Trouble::Lost(format!(
                    "slurmrestd answered HTTP {} with a body that makes no sense: {error}",
                    reply.status
                )))
            }
        }
    }

    /// The value of an answer of slurmctld's without complaints.
    async fn by_controller<T>(&self, said: Said<T>) -> Result<T, Trouble> {
        if said.errors.is_empty() {
            return Ok(said.value);
        }
        // Older releases have no number for a token that slurmctld refused. slurmdbd says it in words.
        let vague = [code::NONE, code::ZERO_BYTES];
        if said.errors.iter().all(|e| vague.contains(&e.code)) {
            if let Err(refused @ Trouble::Token(_)) = self.accounting_is_connected().await {
                return Err(refused);
            }
        }
        Err(Trouble::Said(format!("slurmctld: {}", said.text())))
    }

    /// A job as slurmctld has it, or all tasks of one; none if it does not know it (any more).
    pub async fn live(&self, job: u32) -> Result<Vec<Live>, Trouble> {
        let path = |v: Version| v.slurm(&format!("job/{job}"));
        let said = self
            .ask(Method::GET, path, &[], None, |s, b| s.live(b))
            .await?;
        if said.has(code::UNKNOWN_JOB) {
            return Ok(Vec::new());
        }
        let mut jobs = self.by_controller(said).await?;
        if jobs.is_empty() {
            return Err(Trouble::Lost(
                "slurmctld answered with neither a job nor an error".into(),
            ));
        }
        // Somebody else's job is not the one that was asked about: ids start again when a cluster is set up anew.
        jobs.retain(|job| *job.user == *self.user);
        Ok(jobs)
    }

    /// The rows of a job in accounting: all tasks and attempts.
    pub async fn rows_of(&self, job: u32) -> Result<Vec<DbRow>, Trouble> {
        let mut rows = self.rows(("step", &job.to_string())).await?;
        rows.retain(|row| row.row.job == job);
        Ok(rows)
    }

    /// The rows of all jobs of some names in accounting.
    pub async fn rows_named(&self, names: &[String]) -> Result<Vec<DbRow>, Trouble> {
        let mut rows = self.rows(("job_name", &names.join(","))).await?;
        rows.retain(|row| names.contains(&row.row.name));
        Ok(rows)
    }

    /// The jobs of this user that are not over, whatever their names. slurmctld's list: in older releases slurmdbd hears of
    /// a new job up to five seconds later, and nothing says meanwhile that it is to be told.
    pub async fn unfinished(&self) -> Result<BTreeSet<u32>, Trouble> {
        let path = |v: Version| v.slurm_list("jobs");
        let of = &self.user;
        let said = self
            .ask(Method::GET, path, &[], None, |s, b| s.live_of(b, of))
            .await?;
        let jobs = self.by_controller(said).await?;
        let going_on = jobs
            .iter()
            .filter(|job| phase(&job.record.words) != Phase::Over);
        Ok(going_on.map(|job| job.record.job).collect())
    }

    async fn rows(&self, which: (&str, &str)) -> Result<Vec<DbRow>, Trouble> {
        let version = self.version().await?;
        let cluster = self.cluster.as_str();
        let mut query = vec![which, ("cluster", cluster), ("skip_steps", "true")];
        query.extend(version.shape.all_attempts());
        let path = |v: Version| v.slurmdb_list("jobs");
        let said = self
            .ask(Method::GET, path, &query, None, |s, b| s.rows(b))
            .await?;
        if said.has(code::NOTHING_FOUND) {
            return Ok(Vec::new());
        }
        let mut rows = from_accounting(said)?;
        rows.retain(|row| row.row.cluster == self.cluster && *row.user == *self.user);
        Ok(rows)
    }

    /// Whether slurmdbd has all that slurmctld knew when this was asked; the error says what is missing. Only after this
    /// does a job's absence from accounting mean anything. Waits a little: on a busy cluster something is always under way.
    pub async fn accounting_is_complete(&self) -> Result<(), Trouble> {
        self.accounting_was_complete(Duration::ZERO).await
    }

    /// Whether both answer, and it was so at some time of the last `lately`: on a busy cluster something always waits.
    pub async fn accounting_was_complete(&self, lately: Duration) -> Result<(), Trouble> {
        let until = Instant::now() + DRAINING;
        loop {
            let asked = Instant::now();
            let waiting = self.diagnosis().await?.waiting;
            let complete_at = self.complete_at(asked, waiting);
            if waiting == 0 || complete_at.is_some_and(|at| asked.duration_since(at) < lately) {
                return self.accounting_is_connected().await;
            }
            if asked >= until {
                return Err(Trouble::Said(format!(
                    "slurmctld has {waiting} messages that slurmdbd has not taken yet; see that slurmdbd runs"
                )));
            }
            tokio::time::sleep(DRAINING_POLL).await;
        }
    }

    /// When slurmctld last had nothing to tell slurmdbd, after what was asked now.
    fn complete_at(&self, asked: Instant, waiting: u64) -> Option<Instant> {
        let complete_at = self.complete_at.lock();
        let mut complete_at = complete_at.unwrap_or_else(PoisonError::into_inner);
        if waiting == 0 {
            *complete_at = Some(asked);
        }
        *complete_at
    }

    /// The same, without waiting; not knowing is no.
    pub async fn accounting_is_complete_now(&self) -> bool {
        matches!(self.diagnosis().await, Ok(Diagnosis { waiting: 0, .. }))
            && self.accounting_is_connected().await.is_ok()
    }

    async fn diagnosis(&self) -> Result<Diagnosis, Trouble> {
        let path = |v: Version| v.slurm_list("diag");
        let said = self
            .ask(Method::GET, path, &[], None, |s, b| s.diagnosis(b))
            .await?;
        self.by_controller(said)
            .await?
            .ok_or_else(|| Trouble::Lost("slurmctld does not say how much accounting waits".into()))
    }

    /// Whether slurmdbd answers and has this cluster's slurmctld on the line.
    pub async fn accounting_is_connected(&self) -> Result<(), Trouble> {
        let path = |v: Version| v.slurmdb_list("clusters");
        let said = self
            .ask(Method::GET, path, &[], None, |s, b| s.clusters(b))
            .await?;
        let clusters = from_accounting(said)?;
        match clusters.iter().find(|c| c.name == self.cluster) {
            Some(cluster) if cluster.connected => Ok(()),
            Some(_) => Err(Trouble::Said(format!(
                "slurmdbd has no connection from the slurmctld of {}; see that it runs and reaches slurmdbd",
                self.cluster
            ))),
            None => {
                let known: Vec<&str> = clusters.iter().map(|c| c.name.as_str()).collect();
                Err(Trouble::Said(format!(
                    "slurmdbd knows no cluster {}, only {known:?}; configure the name that slurm.conf gives as ClusterName",
                    self.cluster
                )))
            }
        }
    }

    /// Whether slurmctld is up, takes the token and has the right time. Older releases answer a ping without looking at the
    /// token; newer ones, when it is refused, as if no slurmctld were up. Another question says which it is.
    pub async fn controller_answers(&self) -> Result<(), Trouble> {
        let path = |v: Version| v.slurm_list("ping");
        let said = self
            .ask(Method::GET, path, &[], None, |s, b| s.ping(b))
            .await?;
        let up = self.by_controller(said).await?;
        match self.diagnosis().await {
            Err(refused @ Trouble::Token(_)) => Err(refused),
            _ if !up => Err(Trouble::Said(
                "no slurmctld is up; start it or look into its log".into(),
            )),
            asked => asked?.clock_agrees().map_err(Trouble::Said),
        }
    }

    /// Hands a job over. An id may come with complaints, such as "not now".
    pub async fn submit(&self, job: &Request) -> Result<Said<Option<u32>>, Trouble> {
        let body = self.version().await?.shape.submission(job);
        let path = |v: Version| v.slurm("job/submit");
        self.ask(Method::POST, path, &[], Some(&body), |s, b| s.submitted(b))
            .await
    }

    /// Asks slurmctld to end a job and all of its tasks.
    pub async fn cancel(&self, job: u32) -> Result<Said<()>, Trouble> {
        let path = |v: Version| v.slurm(&format!("job/{job}"));
        self.ask(Method::DELETE, path, &[], None, |s, b| s.cancelled(b))
            .await
    }
}

fn from_accounting<T>(said: Said<T>) -> Result<T, Trouble> {
    if said.errors.is_empty() {
        Ok(said.value)
    } else {
        Err(Trouble::Said(format!("slurmdbd: {}", said.text())))
    }
}
