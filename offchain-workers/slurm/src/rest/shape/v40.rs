//! From v0.0.40: numbers as objects, lists of words as states, the environment as a list.

use serde::{Deserialize, Deserializer};
use serde_json::{json, Value};

use super::{
    common, parse, said, tasks, Comment, DbCluster, DbRow, Exit, Jobs, Live, Parsed, Shape, Tres,
    PATH,
};
use crate::{
    rest::reply::{Complaint, RawComplaint},
    slurm::{Diagnosis, Record, Request, Row},
};

/// The shape from v0.0.40 on.
pub(crate) struct V40;

/// `{"set": true, "infinite": false, "number": 3}`; not set or infinite is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Number(Option<u64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            set: bool,
            #[serde(default)]
            infinite: bool,
            #[serde(default)]
            number: f64,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Object(Object),
            /// Some fields became objects only in later versions.
            Plain(u64),
            Null(()),
        }
        // Some versions write whole numbers as 3.0.
        Ok(match Either::deserialize(deserializer)? {
            Either::Object(o) if o.set && !o.infinite && o.number >= 0.0 => {
                Self(Some(o.number as u64))
            }
            Either::Plain(number) => Self(Some(number)),
            Either::Object(_) | Either::Null(()) => Self(None),
        })
    }
}

#[derive(Deserialize)]
struct Job {
    job_id: u32,
    #[serde(default)]
    array_job_id: Number,
    #[serde(default)]
    array_task_id: Number,
    array_task_string: Option<String>,
    name: String,
    comment: Option<String>,
    job_state: Vec<String>,
    #[serde(default)]
    state_reason: String,
    user_name: String,
    submit_time: Number,
    #[serde(default)]
    start_time: Number,
    #[serde(default)]
    restart_cnt: Number,
    #[serde(default)]
    exit_code: ExitCode,
}

#[derive(Deserialize)]
struct DbJob {
    job_id: u32,
    cluster: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    user: String,
    comment: Comment,
    #[serde(default)]
    submit_line: String,
    array: Array,
    state: State,
    time: Time,
    /// Empty for nobody.
    #[serde(default)]
    kill_request_user: String,
    #[serde(default)]
    exit_code: ExitCode,
    tres: Tres,
}

#[derive(Deserialize)]
struct Array {
    #[serde(default)]
    job_id: u32,
    #[serde(default)]
    task_id: Number,
    task: Option<String>,
}

#[derive(Deserialize)]
struct State {
    current: Vec<String>,
}

#[derive(Deserialize)]
struct Time {
    submission: Number,
    #[serde(default)]
    start: Number,
    #[serde(default)]
    end: Number,
    #[serde(default)]
    elapsed: Number,
    #[serde(default)]
    suspended: Number,
}

#[derive(Default, Deserialize)]
struct ExitCode {
    #[serde(default)]
    return_code: Number,
    signal: Option<Signal>,
}

#[derive(Deserialize)]
struct Signal {
    #[serde(default)]
    id: Number,
}

#[derive(Deserialize)]
struct Diag {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    dbd_agent_queue_size: Number,
    #[serde(default)]
    req_time: Number,
}

#[derive(Deserialize)]
struct Pings {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    #[serde(default)]
    pings: Vec<Ping>,
}

#[derive(Deserialize)]
struct Ping {
    /// A word up to v0.0.42.
    pinged: Option<String>,
    /// Beside it from v0.0.42.
    responding: Option<bool>,
}

#[derive(Deserialize)]
struct Clusters {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    #[serde(default)]
    clusters: Vec<Cluster>,
}

#[derive(Deserialize)]
struct Cluster {
    name: String,
    controller: Controller,
}

#[derive(Deserialize)]
struct Controller {
    #[serde(default)]
    port: Number,
}

#[derive(Deserialize)]
struct Cancelled {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    /// From v0.0.42: one entry per task, in which the errors are.
    #[serde(default)]
    status: Vec<CancelledTask>,
}

#[derive(Deserialize)]
struct CancelledTask {
    error: Option<TaskError>,
}

#[derive(Deserialize)]
struct TaskError {
    code: i64,
    string: Option<String>,
}

fn set(number: u64) -> Value {
    json!({ "set": true, "infinite": false, "number": number })
}

impl ExitCode {
    fn exit(&self) -> Exit {
        let narrow = |n: Number| u16::try_from(n.0.unwrap_or(0)).unwrap_or(u16::MAX);
        Exit {
            code: narrow(self.return_code),
            signal: self.signal.as_ref().map_or(0, |s| narrow(s.id)),
        }
    }
}

impl Shape for V40 {
    fn submission(&self, job: &Request) -> Value {
        let mut fields = common(job);
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("script", job.script.as_str().into());
        put("environment", json!([format!("PATH={PATH}")]));
        put("minimum_nodes", job.nodes.into());
        put("maximum_nodes", job.nodes.into());
        put("memory_per_node", set(job.memory_per_node_mib));
        put("time_limit", set(job.minutes));
        put("open_mode", json!(["APPEND"]));
        put("requeue", job.requeue.into());
        if let Some(gres) = &job.gres_per_node {
            put("tres_per_node", format!("gres/{gres}").into());
        }
        let warning = job
            .signal
            .as_deref()
            .and_then(|s| s.strip_prefix("B:")?.split_once('@'));
        if let Some((signal, before)) = warning {
            put("kill_warning_flags", json!(["BATCH_JOB"]));
            put("kill_warning_signal", signal.into());
            put("kill_warning_delay", set(before.parse().unwrap_or(0)));
        }
        json!({ "job": fields })
    }

    fn live(&self, body: &[u8]) -> Parsed<Vec<Live>> {
        let reply: Jobs<Job> = parse(body)?;
        reply.said(live)
    }

    fn live_of(&self, body: &[u8], user: &str) -> Parsed<Vec<Live>> {
        let reply: Jobs<Job> = parse(body)?;
        reply.only(|job| job.user_name == user).said(live)
    }

    fn rows(&self, body: &[u8]) -> Parsed<Vec<DbRow>> {
        let reply: Jobs<DbJob> = parse(body)?;
        reply.said(row)
    }

    fn cancelled(&self, body: &[u8]) -> Parsed<()> {
        let reply: Cancelled = parse(body)?;
        let mut all = said(reply.errors, ());
        let of_tasks = reply.status.into_iter().filter_map(|task| task.error);
        all.errors
            .extend(of_tasks.filter(|e| e.code != 0).map(|e| Complaint {
                code: e.code,
                text: e.string.unwrap_or_default(),
            }));
        Ok(all)
    }

    fn diagnosis(&self, body: &[u8]) -> Parsed<Option<Diagnosis>> {
        let reply: Diag = parse(body)?;
        let diagnosis = reply.statistics.and_then(|s| {
            Some(Diagnosis {
                now: s.req_time.0,
                waiting: s.dbd_agent_queue_size.0?,
            })
        });
        Ok(said(reply.errors, diagnosis))
    }

    fn ping(&self, body: &[u8]) -> Parsed<bool> {
        let reply: Pings = parse(body)?;
        let up = |p: &Ping| p.responding.unwrap_or(p.pinged.as_deref() == Some("UP"));
        let up = reply.pings.iter().any(up);
        Ok(said(reply.errors, up))
    }

    fn clusters(&self, body: &[u8]) -> Parsed<Vec<DbCluster>> {
        let reply: Clusters = parse(body)?;
        let cluster = |c: Cluster| DbCluster {
            name: c.name,
            connected: c.controller.port.0.is_some_and(|p| p > 0),
        };
        Ok(said(
            reply.errors,
            reply.clusters.into_iter().map(cluster).collect(),
        ))
    }

    fn all_attempts(&self) -> &'static [(&'static str, &'static str)] {
        // Asked for anything special, slurmrestd also ends what is not over at the time of the question, and then counts time
        // for which it is suspended, unless it is told not to.
        &[
            ("show_duplicates", "true"),
            ("disable_truncate_usage_time", "true"),
        ]
    }

    fn list_suffix(&self) -> &'static str {
        "/"
    }
}

impl Number {
    fn narrow(self) -> Option<u32> {
        self.0.and_then(|n| u32::try_from(n).ok())
    }

    /// A time that must be there.
    fn time(self) -> Result<u64, String> {
        self.0
            .ok_or_else(|| "a job without the time of its submission".to_owned())
    }
}

fn live(job: Job) -> Result<Live, String> {
    let (whole, tasks) = tasks(
        job.job_id,
        job.array_job_id.narrow(),
        job.array_task_id.narrow(),
        job.array_task_string.as_deref(),
    )?;
    Ok(Live {
        exit: job.exit_code.exit(),
        record: Record {
            job: whole,
            raw: job.job_id,
            tasks,
            name: job.name,
            comment: job.comment.unwrap_or_default(),
            words: job.job_state,
            reason: job.state_reason,
            submitted: job.submit_time.time()?,
            started: job.start_time.0.filter(|at| *at > 0),
            restarts: job.restart_cnt.narrow(),
        },
        user: job.user_name,
    })
}

fn row(job: DbJob) -> Result<DbRow, String> {
    let array = job.array;
    let (whole, tasks) = tasks(
        job.job_id,
        Some(array.job_id),
        array.task_id.narrow(),
        array.task.as_deref(),
    )?;
    let allocated = job.tres.allocated()?;
    let mut words = job.state.current;
    // An attempt that was requeued keeps its former state as the first word.
    if words.iter().any(|word| word == "REQUEUED") {
        words.retain(|word| word == "REQUEUED");
    }
    // What has not begun or ended yet has the time of the question as its start or end.
    let open = |word: &String| matches!(word.as_str(), "PENDING" | "RUNNING" | "SUSPENDED");
    let ended = job
        .time
        .end
        .0
        .filter(|at| *at > 0 && !words.iter().any(open));
    Ok(DbRow {
        exit_is_told: true,
        row: Row {
            cluster: job.cluster,
            job: whole,
            raw: job.job_id,
            tasks,
            name: job.name,
            comment: job.comment.job.unwrap_or_default(),
            submit_line: job.submit_line,
            words,
            by_owner: !job.user.is_empty() && job.kill_request_user == job.user,
            exit: {
                let exit = job.exit_code.exit();
                (exit.code, exit.signal)
            },
            submitted: job.time.submission.time()?,
            started: job.time.start.0.filter(|at| *at > 0 && allocated.is_some()),
            ended,
            elapsed_s: job.time.elapsed.0.unwrap_or(0),
            suspended_s: job.time.suspended.0.unwrap_or(0),
            allocated,
        },
        user: job.user,
    })
}
