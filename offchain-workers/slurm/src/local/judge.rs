//! Where a job stands, out of its records and its lock.
//!
//! There is no state variable that could disagree with what happened: a job stands where its records say, and its
//! shim lives exactly as long as somebody holds the lock.

use std::{io, time::Duration};

use nix::sys::signal::Signal;

use super::{
    clock,
    dir::JobDir,
    processes,
    records::*,
    rows::{self, Rest},
};
use crate::{outcome, types::EndState};

/// How long killed processes may take to disappear before the end is recorded regardless.
const LEFTOVER_PATIENCE: Duration = Duration::from_secs(2);
/// A process of a lost attempt cannot have been started later than this after the shim's last sign of life.
const BEAT_SLACK_MS: u64 = 3_000;

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Attempt of this number is due; nobody works on it.
    Waiting {
        /// Its number.
        attempt: u32,
    },
    /// Somebody holds the lock and has not said what for: a shim about to start, or another client looking.
    Starting,
    /// The attempt is running.
    Running {
        /// Its number.
        attempt: u32,
    },
    /// Over for good.
    Ended(EndState),
}

/// A job and where it stands.
pub(crate) struct Judged {
    pub record: JobRecord,
    pub phase: Phase,
    /// Number of the last attempt that was started.
    pub last: u32,
}

/// Judges a job. `None`: there is no such job. If its shim is gone without having finished, this records the loss and
/// removes what it left behind.
pub(crate) fn judge(dir: &JobDir, cluster: &str) -> io::Result<Option<Judged>> {
    let Some(record) = dir.record()? else {
        return Ok(None);
    };
    let judged = |record, phase, last| {
        Ok(Some(Judged {
            record,
            phase,
            last,
        }))
    };
    if let Some(end) = dir.job_end()? {
        let last = dir.last_attempt()?;
        return judged(record, Phase::Ended(end.state), last);
    }
    // The lock comes first: what is read while it is ours cannot change, except for a cancellation coming in.
    let lock = dir.try_lock()?;
    let last = dir.last_attempt()?;
    if last == 0 {
        let phase = match (&lock, dir.cancel()?) {
            (None, _) => Phase::Starting,
            (Some(_), None) => Phase::Waiting { attempt: 1 },
            (Some(_), Some(_)) => finish(dir, &record, cluster, last)?,
        };
        return judged(record, phase, last);
    }
    let end = match dir.attempt_end(last)? {
        Some(end) => end,
        None if lock.is_none() => return judged(record, Phase::Running { attempt: last }, last),
        None => settle_lost(dir, &record, last)?,
    };
    let phase = if !rows::wants_another(dir, &record, last, end.over)? {
        finish(dir, &record, cluster, last)?
    } else if lock.is_none() {
        Phase::Starting
    } else if dir.cancel()?.is_some() {
        finish(dir, &record, cluster, last)?
    } else {
        Phase::Waiting { attempt: last + 1 }
    };
    judged(record, phase, last)
}

/// What becomes of tasks without a final row, for a job that is over.
pub(crate) fn rest(dir: &JobDir, last: u32) -> io::Result<Rest> {
    if let Some(cancel) = dir.cancel()? {
        return Ok(Rest::Cancelled(cancel.wall_ms));
    }
    Ok(match dir.attempt_end(last)? {
        Some(end) => Rest::Lost(end.wall_ms),
        None => Rest::Open,
    })
}

/// The job is over: says how, and remembers it.
fn finish(dir: &JobDir, record: &JobRecord, cluster: &str, last: u32) -> io::Result<Phase> {
    let all = rows::rows(dir, record, cluster, last, rest(dir, last)?)?;
    let state = outcome::overall(&all)
        .unwrap_or_else(|| EndState::Unknown("incomplete records".to_owned()));
    // It follows from the other records, so a full disk does not matter here.
    let end = JobEnded {
        state: state.clone(),
        wall_ms: clock::wall_ms(),
    };
    if let Err(error) = dir.put_job_end(&end) {
        tracing::warn!(job = %dir.handle(), %error, "the end of a job could not be noted; it is derived again next time");
    }
    Ok(Phase::Ended(state))
}

/// The shim of this attempt is gone. Called with the job's lock held.
fn settle_lost(dir: &JobDir, record: &JobRecord, attempt: u32) -> io::Result<AttemptEnd> {
    tracing::warn!(job = %dir.handle(), attempt, "the shim of a running job is gone: node failure");
    let started = dir.started(attempt)?;
    let same_boot = started
        .as_ref()
        .is_some_and(|s| s.boot_id == clock::boot_id());
    // Without a sign of life the attempt may have ended right after its start.
    let (last_wall, last_boot) = match (dir.beat(attempt), &started) {
        (Some(beat), _) => (beat.wall_ms, beat.boot_ms),
        (None, Some(started)) => (started.wall_ms, started.boot_ms),
        (None, None) => (clock::wall_ms(), 0),
    };
    if same_boot {
        kill_leftovers(dir, record, attempt, last_boot)?;
    }
    for task in 0..record.spec.array_tasks {
        if let (Some(begin), None) = (dir.begin(attempt, task)?, dir.task_end(attempt, task)?) {
            let end = TaskEnd {
                wall_ms: last_wall.max(begin.wall_ms),
                elapsed_ms: last_boot.saturating_sub(begin.boot_ms),
                state: EndState::NodeFailure,
                detail: if same_boot {
                    "the process that watched the job was killed".to_owned()
                } else {
                    "the machine was restarted".to_owned()
                },
            };
            dir.put_task_end(attempt, task, &end)?;
        }
    }
    let end = AttemptEnd {
        over: Over::Lost,
        wall_ms: clock::wall_ms(),
    };
    dir.put_attempt_end(attempt, &end)?;
    Ok(end)
}

/// Kills what a dead shim left behind: processes that carry the run's name in their environment, and processes in the
/// session of one of its tasks that are as old as the attempt.
fn kill_leftovers(
    dir: &JobDir,
    record: &JobRecord,
    attempt: u32,
    last_boot: u64,
) -> io::Result<()> {
    let mut sessions = Vec::new();
    for task in 0..record.spec.array_tasks {
        if dir.task_end(attempt, task)?.is_none() {
            if let Some(process) = dir.process(attempt, task)? {
                sessions.push(process.pid);
            }
        }
    }
    let oldest = dir.started(attempt)?.map_or(0, |s| clock::ticks(s.boot_ms));
    let newest = clock::ticks(last_boot.saturating_add(BEAT_SLACK_MS));
    let me = std::process::id();
    let until = std::time::Instant::now() + LEFTOVER_PATIENCE;
    loop {
        let mut left = 0;
        for process in processes::all()? {
            if process.zombie || process.pid.unsigned_abs() == me {
                continue;
            }
            let by_session = sessions.contains(&process.session)
                && (oldest..=newest).contains(&process.start_ticks);
            if by_session
                || processes::variable(process.pid, "VE_RUN").as_deref() == Some(&*record.run)
            {
                left += 1;
                processes::signal(&process, Signal::SIGKILL);
            }
        }
        if left == 0 || std::time::Instant::now() >= until {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
