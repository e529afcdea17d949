//! What differs between versions of slurmrestd's API.
//!
//! Two shapes exist. [`V38`] (up to v0.0.38) has plain numbers with `null` for "not set", states as one word and the
//! environment as an object. [`V40`] (from v0.0.40) has numbers as objects, states as lists of words and the
//! environment as a list. Nothing outside this module knows of either.

#[cfg(test)]
mod tests;
mod v38;
mod v40;

use serde::{de::DeserializeOwned, Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reply::{RawComplaint, Said};
use crate::{
    slurm::{tres, Diagnosis, Record, Request, Row, TaskSet},
    types::Allocated,
};
pub(crate) use v38::V38;
pub(crate) use v40::V40;

/// An answer, or why its bytes make no sense.
pub(crate) type Parsed<T> = Result<Said<T>, String>;

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub code: u16,
    /// 0: none.
    pub signal: u16,
}

/// A job, or a task of one, as slurmctld has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    /// What matters whatever brought it.
    pub record: Record,
    pub user: String,
    pub exit: Exit,
}

/// A row of accounting as slurmdbd has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DbRow {
    /// What matters whatever brought it.
    pub row: Row,
    pub user: String,
    /// Whether the exit in it is what `sacct` would say.
    pub exit_is_told: bool,
}

/// What slurmdbd knows of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DbCluster {
    pub name: String,
    /// Whether its slurmctld is connected to slurmdbd.
    pub connected: bool,
}

/// One shape of the API.
pub(crate) trait Shape: Send + Sync {
    /// Body of `POST job/submit`.
    fn submission(&self, job: &Request) -> Value;
    /// Answer to it: the id of the new job.
    fn submitted(&self, body: &[u8]) -> Parsed<Option<u32>> {
        let reply: Submitted = parse(body)?;
        Ok(said(reply.errors, reply.job_id.filter(|id| *id > 0)))
    }
    /// Answer to `GET slurm job/{id}`.
    fn live(&self, body: &[u8]) -> Parsed<Vec<Live>>;
    /// Answer to `GET slurm jobs`, those of one user.
    fn live_of(&self, body: &[u8], user: &str) -> Parsed<Vec<Live>>;
    /// Answer to `GET slurmdb jobs`.
    fn rows(&self, body: &[u8]) -> Parsed<Vec<DbRow>>;
    /// Answer to `DELETE job/{id}`.
    fn cancelled(&self, body: &[u8]) -> Parsed<()>;
    /// Answer to `GET slurm diag`.
    fn diagnosis(&self, body: &[u8]) -> Parsed<Option<Diagnosis>>;
    /// Answer to `GET slurm ping`: whether a slurmctld is up.
    fn ping(&self, body: &[u8]) -> Parsed<bool>;
    /// Answer to `GET slurmdb clusters`.
    fn clusters(&self, body: &[u8]) -> Parsed<Vec<DbCluster>>;
    /// What a query of accounting needs to show all attempts of a job, each with its own times.
    fn all_attempts(&self) -> &'static [(&'static str, &'static str)];
    /// What follows the name of a list in a path.
    fn list_suffix(&self) -> &'static str;
}

/// A body of complaints only.
#[derive(Deserialize)]
struct Bare {
    #[serde(default)]
    errors: Vec<RawComplaint>,
}

#[derive(Deserialize)]
struct Submitted {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    job_id: Option<u32>,
}

#[derive(Deserialize)]
struct Jobs<T> {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    /// Missing beside complaints only.
    jobs: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct Comment {
    job: Option<String>,
}

#[derive(Deserialize)]
struct Tres {
    #[serde(default)]
    allocated: Vec<TresCount>,
}

#[derive(Deserialize)]
struct TresCount {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    /// Missing or negative: not counted.
    count: Option<i64>,
}

impl Tres {
    /// What was set aside; `None` if nothing was (yet).
    fn allocated(&self) -> Result<Option<Allocated>, String> {
        let mut parts = Vec::new();
        for tres in &self.allocated {
            let Some(count) = tres.count.and_then(|c| u64::try_from(c).ok()) else {
                continue;
            };
            let kind = &tres.kind;
            let unit = if kind == "mem" { "M" } else { "" };
            parts.push(match tres.name.as_deref() {
                None | Some("") => format!("{kind}={count}{unit}"),
                Some(name) => format!("{kind}/{name}={count}{unit}"),
            });
        }
        tres::read(&parts.join(","))
    }
}

/// The id of the whole and the tasks of it, out of what both daemons say of arrays.
fn tasks(
    job: u32,
    array: Option<u32>,
    task: Option<u32>,
    unstarted: Option<&str>,
) -> Result<(u32, TaskSet), String> {
    let Some(array) = array.filter(|id| *id > 0) else {
        return Ok((job, TaskSet::Plain));
    };
    let tasks = match (task, unstarted.filter(|text| !text.is_empty())) {
        (Some(task), _) => TaskSet::One(task),
        (None, Some(text)) => match text.strip_prefix("0x") {
            Some(mask) => TaskSet::Many(from_mask(mask)?),
            None => TaskSet::read(text)?,
        },
        (None, None) => TaskSet::Many(Vec::new()),
    };
    Ok((array, tasks))
}

/// slurmdbd writes tasks that were never started as a hexadecimal mask, the last digit for tasks 0 to 3. It may be followed
/// by the limit of tasks at once, `%4`.
fn from_mask(mask: &str) -> Result<Vec<u32>, String> {
    let mask = mask.split('%').next().unwrap_or_default();
    let mut tasks = Vec::new();
    for (at, digit) in mask.chars().rev().enumerate() {
        let bits = digit
            .to_digit(16)
            .ok_or_else(|| format!("0x{mask:.40} is no mask of tasks"))?;
        let first = u32::try_from(at)
            .map_err(|e| e.to_string())?
            .saturating_mul(4);
        tasks.extend(
            (0..4)
                .filter(|bit| bits >> bit & 1 == 1)
                .map(|bit| first.saturating_add(bit)),
        );
    }
    Ok(tasks)
}

/// The fields of a submission that both shapes write alike.
fn common(job: &Request) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("name", job.name.as_str().into());
    put("comment", job.comment.as_str().into());
    put("current_working_directory", job.work_dir.as_str().into());
    put("standard_output", job.stdout.as_str().into());
    put("standard_error", job.stderr.as_str().into());
    put("tasks", job.tasks.into());
    put("cpus_per_task", Value::from(1u32));
    let identity = &job.identity;
    for (key, value) in [
        ("account", &identity.account),
        ("qos", &identity.qos),
        ("partition", &job.partition),
        ("array", &job.array),
    ] {
        if let Some(value) = value {
            put(key, value.as_str().into());
        }
    }
    fields
}

/// The batch script sets its own environment; SLURM wants one of the submission that is not empty.
const PATH: &str = "/usr/bin:/bin";

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

impl<T> Jobs<T> {
    /// Leaves others out.
    fn only(mut self, which: impl Fn(&T) -> bool) -> Self {
        if let Some(jobs) = &mut self.jobs {
            jobs.retain(which);
        }
        self
    }

    /// No list and no complaint is no answer: it must not pass for "no such job".
    fn said<U>(self, each: impl Fn(T) -> Result<U, String>) -> Parsed<Vec<U>> {
        match (self.jobs, self.errors.is_empty()) {
            (None, true) => Err("neither jobs nor errors are in it".into()),
            (jobs, _) => {
                let jobs: Result<Vec<U>, String> =
                    jobs.unwrap_or_default().into_iter().map(each).collect();
                Ok(said(self.errors, jobs?))
            }
        }
    }
}

fn said<T>(errors: Vec<RawComplaint>, value: T) -> Said<T> {
    Said {
        errors: errors.into_iter().map(Into::into).collect(),
        value,
    }
}
