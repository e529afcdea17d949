//! Up to v0.0.38: plain numbers with `null` for "not set", one word per state.

use serde::Deserialize;
use serde_json::{json, Value};

use super::{
    common, parse, said, tasks, Bare, Comment, DbCluster, DbRow, Exit, Jobs, Live, Parsed, Shape,
    Tres, PATH,
};
use crate::{
    rest::reply::RawComplaint,
    slurm::{Diagnosis, Record, Request, Row},
};

/// The shape up to v0.0.38.
pub(crate) struct V38;

#[derive(Deserialize)]
struct Job {
    job_id: u32,
    array_job_id: Option<u32>,
    array_task_id: Option<u32>,
    array_task_string: Option<String>,
    name: String,
    comment: Option<String>,
    job_state: String,
    #[serde(default)]
    state_reason: String,
    user_name: String,
    submit_time: u64,
    start_time: Option<u64>,
    restart_cnt: Option<u32>,
    /// As `wait(2)` gives it.
    exit_code: Option<u32>,
}

#[derive(Deserialize)]
struct DbJob {
    job_id: u32,
    cluster: String,
    name: Option<String>,
    user: Option<String>,
    kill_request_user: Option<String>,
    comment: Comment,
    array: Array,
    state: State,
    time: Time,
    exit_code: ExitCode,
    tres: Tres,
}

#[derive(Deserialize)]
struct Array {
    job_id: Option<u32>,
    task_id: Option<u32>,
    task: Option<String>,
}

#[derive(Deserialize)]
struct State {
    current: String,
}

#[derive(Deserialize)]
struct Time {
    submission: u64,
    start: Option<u64>,
    end: Option<u64>,
    elapsed: Option<u64>,
    suspended: Option<u64>,
}

#[derive(Deserialize)]
struct ExitCode {
    signal: Option<Signal>,
}

#[derive(Deserialize)]
struct Signal {
    signal_id: Option<u16>,
}

#[derive(Deserialize)]
struct Diag {
    #[serde(default)]
    errors: Vec<RawComplaint>,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    dbd_agent_queue_size: Option<u64>,
    req_time: Option<u64>,
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
    ping: String,
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
    port: Option<u32>,
}

impl Shape for V38 {
    fn submission(&self, job: &Request) -> Value {
        let mut fields = common(job);
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("environment", json!({ "PATH": PATH }));
        put("nodes", format!("{0}-{0}", job.nodes).into());
        put("memory_per_node", job.memory_per_node_mib.into());
        put("time_limit", job.minutes.into());
        put("open_mode", "append".into());
        // Whatever its value, `requeue` means yes.
        put(
            if job.requeue { "requeue" } else { "no_requeue" },
            true.into(),
        );
        if let Some(gres) = &job.gres_per_node {
            put("gres", gres.as_str().into());
        }
        json!({ "job": fields, "script": with_warning(job) })
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
        let reply: Bare = parse(body)?;
        Ok(said(reply.errors, ()))
    }

    fn diagnosis(&self, body: &[u8]) -> Parsed<Option<Diagnosis>> {
        let reply: Diag = parse(body)?;
        let diagnosis = reply.statistics.and_then(|s| {
            Some(Diagnosis {
                now: s.req_time,
                waiting: s.dbd_agent_queue_size?,
            })
        });
        Ok(said(reply.errors, diagnosis))
    }

    fn ping(&self, body: &[u8]) -> Parsed<bool> {
        let reply: Pings = parse(body)?;
        let up = reply.pings.iter().any(|p| p.ping == "UP");
        Ok(said(reply.errors, up))
    }

    fn clusters(&self, body: &[u8]) -> Parsed<Vec<DbCluster>> {
        let reply: Clusters = parse(body)?;
        let cluster = |c: Cluster| DbCluster {
            name: c.name,
            connected: c.controller.port.is_some_and(|p| p > 0),
        };
        Ok(said(
            reply.errors,
            reply.clusters.into_iter().map(cluster).collect(),
        ))
    }

    fn all_attempts(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn list_suffix(&self) -> &'static str {
        ""
    }
}

/// These versions cannot send a signal to the batch script itself: `B:` is refused, and without it only job steps would be
/// signalled. So the script warns itself.
fn with_warning(job: &Request) -> String {
    let warning = job
        .signal
        .as_deref()
        .and_then(|s| s.strip_prefix("B:")?.split_once('@'));
    let (Some((signal, before)), Some((first, rest))) = (warning, job.script.split_once('\n'))
    else {
        return job.script.clone();
    };
    let before: u64 = before.parse().unwrap_or(0);
    // Not at once: the script first has to say what it does with the signal.
    let after = job.minutes.saturating_mul(60).saturating_sub(before).max(1);
    format!(
        "{first}\n( ( PATH={PATH}; sleep {after}; kill -s {signal} $$ ) </dev/null >/dev/null 2>&1 & )\n{rest}"
    )
}

fn live(job: Job) -> Result<Live, String> {
    let (whole, tasks) = tasks(
        job.job_id,
        job.array_job_id,
        job.array_task_id,
        job.array_task_string.as_deref(),
    )?;
    let status = job.exit_code.unwrap_or(0);
    Ok(Live {
        record: Record {
            job: whole,
            raw: job.job_id,
            tasks,
            name: job.name,
            comment: job.comment.unwrap_or_default(),
            words: vec![job.job_state],
            reason: job.state_reason,
            submitted: job.submit_time,
            started: job.start_time.filter(|at| *at > 0),
            restarts: job.restart_cnt,
        },
        user: job.user_name,
        exit: Exit {
            code: u16::try_from((status >> 8) & 0xff).unwrap_or(0),
            signal: u16::try_from(status & 0x7f).unwrap_or(0),
        },
    })
}

fn row(job: DbJob) -> Result<DbRow, String> {
    let array = job.array;
    let (whole, tasks) = tasks(
        job.job_id,
        array.job_id,
        array.task_id,
        array.task.as_deref(),
    )?;
    let allocated = job.tres.allocated()?;
    // A row that slurmctld has not filled in yet has a start, but neither name, state nor resources.
    let started = job.time.start.filter(|at| *at > 0 && allocated.is_some());
    let ended = job.time.end.filter(|at| *at > 0);
    let word = if started.is_some() && ended.is_none() && job.state.current == "PENDING" {
        // The state is written at the next change only.
        "RUNNING".to_owned()
    } else {
        job.state.current
    };
    // A signal is told as it is; the status always as 0, although `sacct` knows better.
    let signal = job.exit_code.signal.and_then(|s| s.signal_id).unwrap_or(0);
    Ok(DbRow {
        exit_is_told: word != "FAILED" || signal > 0,
        row: Row {
            cluster: job.cluster,
            job: whole,
            raw: job.job_id,
            tasks,
            name: job.name.unwrap_or_default(),
            comment: job.comment.job.unwrap_or_default(),
            submit_line: String::new(),
            words: vec![word],
            by_owner: job.user.is_some() && job.kill_request_user == job.user,
            exit: (0, signal),
            submitted: job.time.submission,
            started,
            ended,
            elapsed_s: job.time.elapsed.unwrap_or(0),
            suspended_s: job.time.suspended.unwrap_or(0),
            allocated,
        },
        user: job.user.unwrap_or_default(),
    })
}
