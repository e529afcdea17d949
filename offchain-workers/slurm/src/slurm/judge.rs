//! What slurmctld and slurmdbd say together of one job.
//!
//! slurmctld knows what is going on but forgets ended jobs; slurmdbd remembers everything but may be late, because
//! slurmctld queues what it has to tell while slurmdbd is away. So: slurmctld decides whether a job is over, slurmdbd how
//! it ended and what it used, and a job that neither knows is absent only if nothing was waiting in that queue. Answers
//! must be obtained in this order: slurmctld's records, the length of its queue, slurmdbd's rows.

use std::collections::BTreeMap;

use super::{
    words::{end, phase, End, Next, Phase},
    Record, Row, SlurmJobId, TaskSet,
};
use crate::{
    outcome::{latest, overall},
    scheduler::QueryError,
    types::{Allocated, Attempt, EndState, Status, UnixMs, Warning},
};

/// What both daemons answered about a job. Records and rows of other jobs may be among them and are left out.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// slurmctld's records.
    pub records: &'a [Record],
    /// slurmdbd's rows, all attempts.
    pub rows: &'a [Row],
    /// Whether slurmctld had nothing left to tell slurmdbd, asked between the two.
    pub drained: bool,
}

const LATE: &str = "accounting does not show yet what slurmctld knows; if this lasts, look at \
                    slurmdbd and at `sdiag` (DBD Agent queue size)";

/// Where a job stands.
pub fn status(id: &SlurmJobId, answers: &Answers<'_>) -> Status {
    match look(id, answers) {
        Err(error) => unclear(error),
        Ok(Look::Waiting) => Status::Queued,
        Ok(Look::Running { since }) => Status::Running {
            since,
            first: false,
        },
        Ok(Look::Over(attempts)) => match overall(&attempts) {
            Some(state) => Status::Ended(state),
            None => Status::Unknown(LATE.to_owned()),
        },
    }
}

/// Where a job stands by slurmctld alone: `None` if slurmdbd has to be asked, because the job is over, or not known, or an
/// array of which some tasks are over.
pub fn status_by_records(id: &SlurmJobId, records: &[Record]) -> Option<Status> {
    let live: Vec<&Record> = records.iter().filter(|r| r.is_of(id)).collect();
    let [one] = live.as_slice() else {
        return None;
    };
    if one.tasks != TaskSet::Plain {
        return None;
    }
    match phase(&one.words) {
        Phase::Waiting => Some(Status::Queued),
        Phase::Active | Phase::Suspended => {
            let since = one.started?.saturating_mul(1000);
            let first = one.restarts == Some(0);
            Some(Status::Running { since, first })
        }
        Phase::Over | Phase::Unclear(_) => None,
    }
}

/// Whether slurmctld knows the job as over.
pub fn is_over(id: &SlurmJobId, records: &[Record]) -> bool {
    let mut own = records.iter().filter(|r| r.is_of(id)).peekable();
    own.peek().is_some() && own.all(|r| phase(&r.words) == Phase::Over)
}

/// Whether slurmctld has an attempt of a job under way, so that [`attempts`] needs its records `later` too.
pub fn is_under_way(id: &SlurmJobId, records: &[Record]) -> bool {
    let mut own = records.iter().filter(|r| r.is_of(id));
    own.any(|r| phase(&r.words).is_under_way())
}

/// Accounting of a job. Not knowing yet what slurmctld knows is `Unknown`: a row that shows a job as running after it has
/// ended, or as running while it is suspended, shows too much time. The time of a row without an end goes on until slurmdbd
/// is asked, so it counts only if slurmctld, asked again `later`, still had it so, and had nothing left to tell in between.
pub fn attempts(
    id: &SlurmJobId,
    answers: &Answers<'_>,
    later: &[Record],
) -> Result<Vec<Attempt>, QueryError> {
    look(id, answers)?;
    let rows = own_rows(id, answers.rows);
    let shown = answers
        .records
        .iter()
        .filter(|r| r.is_of(id))
        .all(|record| is_shown(record, &rows));
    let history = history(id, &rows).map_err(QueryError::Unknown)?;
    let goes_on = |row: &Row| {
        let mut own = later.iter().filter(|r| r.is_of(id));
        own.any(|r| phase(&r.words) != Phase::Waiting && is_shown(r, &[row]))
    };
    let open_is_certain = history
        .values()
        .flat_map(BTreeMap::values)
        .filter(|row| matches!(standing(row, None), End::Running | End::Suspended))
        .all(|row| answers.drained && goes_on(row));
    match shown && open_is_certain && never_started_is_certain(id, answers, &history) {
        true => Ok(assemble(&history, warning(&rows))),
        false => Err(QueryError::Unknown(LATE.to_owned())),
    }
}

/// Ids of the jobs of a handle, oldest first, out of answers that were searched by it. What was refused is on record too, and
/// is none.
pub fn found(handle: &str, records: &[Record], rows: &[Row]) -> Vec<SlurmJobId> {
    let mut jobs: BTreeMap<u32, u64> = BTreeMap::new();
    let records = records
        .iter()
        .filter(|r| !r.was_refused() && (r.handle() == handle || r.name == handle))
        .map(|r| (r.job, r.submitted));
    let rows = rows
        .iter()
        .filter(|r| !r.was_refused() && r.handle() == handle)
        .map(|r| (r.job, r.submitted));
    for (job, submitted) in records.chain(rows) {
        let first = jobs.entry(job).or_insert(submitted);
        *first = submitted.min(*first);
    }
    let mut jobs: Vec<(u64, u32)> = jobs.into_iter().map(|(job, at)| (at, job)).collect();
    jobs.sort_unstable();
    jobs.into_iter()
        .map(|(_, job)| SlurmJobId {
            job,
            handle: handle.to_owned(),
        })
        .collect()
}

enum Look {
    Waiting,
    Running { since: UnixMs },
    Over(Vec<Attempt>),
}

fn unclear(error: QueryError) -> Status {
    match error {
        QueryError::Absent => Status::Absent,
        QueryError::Unknown(reason) => Status::Unknown(reason),
    }
}

fn look(id: &SlurmJobId, answers: &Answers<'_>) -> Result<Look, QueryError> {
    let unknown = |reason: String| Err(QueryError::Unknown(reason));
    let rows = own_rows(id, answers.rows);
    let live: Vec<(&Record, Phase)> = answers
        .records
        .iter()
        .filter(|r| r.is_of(id))
        .map(|r| (r, phase(&r.words)))
        .collect();
    if let Some((_, Phase::Unclear(word))) =
        live.iter().find(|(_, p)| matches!(p, Phase::Unclear(_)))
    {
        return unknown(format!("slurmctld says {word:?}, which is not known here"));
    }
    if live.iter().any(|(_, phase)| *phase != Phase::Over) {
        return Ok(under_way(id, &live, &rows));
    }
    if live.is_empty() && rows.is_empty() {
        let others = answers.records.iter().any(|r| r.job == id.job)
            || answers.rows.iter().any(|r| r.job == id.job);
        return match (others, answers.drained) {
            (true, _) => unknown(format!(
                "job {} exists but is not {}: its owner renamed it, or the cluster's job ids began again",
                id.job, id.handle
            )),
            (false, true) => Err(QueryError::Absent),
            (false, false) => unknown(LATE.to_owned()),
        };
    }
    // Over by slurmctld, or forgotten by it.
    if live.iter().any(|(record, _)| !is_shown(record, &rows)) {
        return unknown(LATE.to_owned());
    }
    let tasks =
        number_of_tasks(&rows).or_else(|| live.iter().find_map(|(r, _)| r.tag().map(|t| t.tasks)));
    let history = history(id, &rows).map_err(QueryError::Unknown)?;
    let certain = never_started_is_certain(id, answers, &history);
    let attempts = assemble(&history, warning(&rows));
    let last = latest(&attempts);
    let whole = tasks.is_none_or(|tasks| usize::try_from(tasks).is_ok_and(|n| n <= last.len()));
    if last.is_empty() || !whole || !certain || last.iter().any(|a| a.state.is_none()) {
        let reason = match (live.is_empty(), answers.drained) {
            (true, true) => format!(
                "slurmctld has no job {} but accounting does not show its end; see `sacctmgr show runaway`",
                id.job
            ),
            _ => LATE.to_owned(),
        };
        return unknown(reason);
    }
    let next = next_of(&rows);
    if next == Next::Yes || (next == Next::Maybe && live.is_empty() && !answers.drained) {
        return unknown(LATE.to_owned());
    }
    Ok(Look::Over(attempts))
}

/// Some task waits or runs.
fn under_way(id: &SlurmJobId, live: &[(&Record, Phase)], rows: &[&Row]) -> Look {
    let by_records = live
        .iter()
        .filter(|(_, phase)| phase.is_under_way())
        .filter_map(|(record, _)| record.started);
    let array = live
        .iter()
        .any(|(record, _)| record.tasks != TaskSet::Plain);
    // Tasks of an array that are over were started in the present attempt too, unless they are to be started again.
    let waiting = |task: u32| {
        live.iter()
            .any(|(record, phase)| *phase == Phase::Waiting && record.tasks.has(task))
    };
    let by_rows = history(id, rows).unwrap_or_default();
    let by_rows = assemble(&by_rows, None);
    let by_rows = latest(&by_rows)
        .into_iter()
        .filter(|attempt| array && !waiting(attempt.task))
        .filter_map(|attempt| attempt.started)
        .map(|at| at / 1000);
    match by_records.chain(by_rows).min() {
        Some(since) => Look::Running {
            since: since.saturating_mul(1000),
        },
        None => Look::Waiting,
    }
}

/// Whether accounting shows what slurmctld says of a job or task, in a row of its own: one of tasks that were not started
/// may end before accounting is told of those that were.
fn is_shown(record: &Record, rows: &[&Row]) -> bool {
    let now: Vec<End> = rows
        .iter()
        .filter(|row| row.raw == record.raw && row.submitted >= record.submitted)
        .filter(|row| overlap(&row.tasks, &record.tasks))
        .map(|row| standing(row, None))
        .collect();
    let any = |wanted: fn(&End) -> bool| now.iter().any(wanted);
    match phase(&record.words) {
        Phase::Waiting => true,
        // It ended when it began to be cleaned up.
        Phase::Active if record.words.iter().any(|w| w == "COMPLETING") => {
            any(|end| matches!(end, End::Over { .. }))
        }
        Phase::Active => any(|end| *end == End::Running),
        Phase::Suspended => any(|end| *end == End::Suspended),
        Phase::Over => any(|end| matches!(end, End::Over { .. })),
        Phase::Unclear(_) => false,
    }
}

/// How an attempt stands. slurmctld tells a start that slurmdbd missed with the word of today: until the end is told too, the
/// row says how the attempt ended but not when, and its time goes on.
fn standing(row: &Row, warning: Option<Warning>) -> End {
    match end(&row.words, row.exit, warning) {
        End::Over { .. } if row.ended.is_none() => End::Running,
        other => other,
    }
}

fn overlap(a: &TaskSet, b: &TaskSet) -> bool {
    match (a, b) {
        (TaskSet::Rest, _) | (_, TaskSet::Rest) => true,
        (TaskSet::Many(a), b) => a.iter().any(|task| b.has(*task)),
        (TaskSet::One(task), b) => b.has(*task),
        (TaskSet::Plain, b) => *b == TaskSet::Plain,
    }
}

fn own_rows<'a>(id: &SlurmJobId, rows: &'a [Row]) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.is_of(id)).collect()
}

fn number_of_tasks(rows: &[&Row]) -> Option<u32> {
    rows.iter().find_map(|row| row.tag()).map(|tag| tag.tasks)
}

/// Whether an attempt follows the last ones.
fn next_of(rows: &[&Row]) -> Next {
    let mut last: BTreeMap<u32, &Row> = BTreeMap::new();
    for row in rows {
        let slot = last.entry(row.raw).or_insert(row);
        if row.submitted >= slot.submitted {
            *slot = row;
        }
    }
    let mut all = Next::No;
    for row in last.values() {
        if let End::Over { next, .. } = standing(row, None) {
            all = match (all, next) {
                (Next::Yes, _) | (_, Next::Yes) => Next::Yes,
                (Next::Maybe, _) | (_, Next::Maybe) => Next::Maybe,
                _ => Next::No,
            };
        }
    }
    all
}

/// The rows of each task, by the time of submission: each attempt once.
type History<'a> = BTreeMap<u32, BTreeMap<u64, &'a Row>>;

fn history<'a>(id: &SlurmJobId, rows: &[&'a Row]) -> Result<History<'a>, String> {
    let mut by_task = History::new();
    for row in rows {
        let task = match &row.tasks {
            TaskSet::Plain => 0,
            TaskSet::One(task) => *task,
            TaskSet::Many(_) | TaskSet::Rest => continue,
        };
        let attempts = by_task.entry(task).or_default();
        attempts.insert(row.submitted, *row);
    }
    // Tasks that were never started share a row, which may still name some that were started meanwhile.
    let named: Vec<u32> = by_task.keys().copied().collect();
    let tasks = number_of_tasks(rows);
    for row in rows {
        let never: Vec<u32> = match (&row.tasks, tasks) {
            (TaskSet::Many(list), _) => list.clone(),
            (TaskSet::Rest, Some(tasks)) => (0..tasks).collect(),
            (TaskSet::Rest, None) => {
                return Err(format!(
                    "accounting cuts the list of tasks of job {} short, and its comment does not say how many there are",
                    id.job
                ))
            }
            (TaskSet::Plain | TaskSet::One(_), _) => continue,
        };
        for task in never
            .into_iter()
            .filter(|t| named.binary_search(t).is_err())
        {
            by_task.entry(task).or_default().insert(row.submitted, *row);
        }
    }
    Ok(by_task)
}

/// Whether tasks that only a shared row names as ended were really never started: slurmctld has them so (and then
/// [`is_shown`] has compared them), or it has nothing left to tell of those that it has forgotten.
fn never_started_is_certain(id: &SlurmJobId, answers: &Answers<'_>, history: &History<'_>) -> bool {
    let known = |task: u32| {
        let mut own = answers.records.iter().filter(|r| r.is_of(id));
        own.any(|record| record.tasks.has(task))
    };
    let shared = |row: &Row| {
        matches!(row.tasks, TaskSet::Many(_) | TaskSet::Rest)
            && matches!(standing(row, None), End::Over { .. })
    };
    answers.drained
        || history
            .iter()
            .all(|(task, rows)| known(*task) || !rows.values().any(|row| shared(row)))
}

fn warning(rows: &[&Row]) -> Option<Warning> {
    let tag = rows.iter().find_map(|row| row.tag())?;
    tag.warning
}

/// Attempts by task, then by time. Those that wait have none.
fn assemble(history: &History<'_>, warning: Option<Warning>) -> Vec<Attempt> {
    let mut all = Vec::new();
    for (task, rows) in history {
        let mut attempt = 0u32;
        for row in rows.values() {
            let (state, detail) = match standing(row, warning) {
                End::Waiting => continue,
                End::Running | End::Suspended => (None, String::new()),
                End::Over { state, detail, .. } => (Some(state), detail),
            };
            attempt = attempt.saturating_add(1);
            all.push(to_attempt(row, *task, attempt, state, detail));
        }
    }
    all
}

fn to_attempt(
    row: &Row,
    task: u32,
    attempt: u32,
    state: Option<EndState>,
    detail: String,
) -> Attempt {
    let ms = |seconds: u64| seconds.saturating_mul(1000);
    // SLURM gives a job that was cancelled while it waited the time of that as its start.
    let started = row.started.filter(|_| row.allocated.is_some());
    let over = state.is_some();
    let suspended = (row.suspended_s > 0).then(|| format!("suspended for {} s", row.suspended_s));
    let detail: Vec<String> = [Some(detail).filter(|d| !d.is_empty()), suspended]
        .into_iter()
        .flatten()
        .collect();
    Attempt {
        cluster: row.cluster.clone(),
        job: row.raw.to_string(),
        task,
        attempt,
        submitted: ms(row.submitted),
        started: started.map(ms),
        ended: row.ended.filter(|_| over).map(ms),
        allocated: row.allocated.unwrap_or(Allocated {
            cpus: 0,
            memory_mib: 0,
            nodes: 0,
            gpus: 0,
        }),
        elapsed_ms: if started.is_some() {
            ms(row.elapsed_s)
        } else {
            0
        },
        by_owner: row.by_owner && state == Some(EndState::Cancelled),
        state,
        detail: detail.join("; "),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
