//! The end of a job: its outputs, sealed to its customer, and how it ended.

use crate::{
    beneath::{private_directory, Walk},
    context::{Place, Step},
    files::{JobFiles, Wanted},
    local::LocalJob,
    policy::{Outside, StepError},
    reconcile::Cause,
    tar,
};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::PathBuf,
    time::Instant,
};
use ve_envelope::{Binding, EnvelopeHeader, PublicKey, Sealer};
use ve_slurm::{overall, tasks, Attempt, EndState};
use ve_templates::{OmittedFile, Outputs, ResultSummary, TaskResult, OUTPUT_DIR};
use virtengine_primitives::{
    hpc::{EndReason, JobEnd, TaskCounts},
    AgreementId, BlockNumber,
};

/// So many blocks before its deadline a job is not kept waiting for its files any more.
const WITHOUT_FILES: BlockNumber = 30;

/// How near the deadline is when files are not waited for any more. Where the job was to start within little time, the first
/// half of it is left for them.
fn without_files(started: bool, start_within: BlockNumber) -> BlockNumber {
    if started {
        WITHOUT_FILES
    } else {
        WITHOUT_FILES.min(start_within / 2)
    }
}

/// What `result.json` in the archive says.
#[derive(Clone, Debug, Serialize)]
struct ResultFile {
    #[serde(flatten)]
    summary: ResultSummary,
    /// Why, for people; empty if it simply ran.
    explanation: String,
}

impl ResultFile {
    fn new(job: AgreementId, reason: EndReason, exit_code: u16, explanation: String) -> Self {
        let summary = ResultSummary {
            version: 1,
            job,
            reason: format!("{reason:?}"),
            exit_code,
            partial: reason != EndReason::Completed,
            tasks: Vec::new(),
            omitted: Vec::new(),
        };
        Self {
            summary,
            explanation,
        }
    }
}

/// How the last attempt of each task ended, in one word.
fn task_results(rows: &[Attempt]) -> Vec<TaskResult> {
    let word = |state: &EndState| match state {
        EndState::Failed { .. } => "Failed".to_owned(),
        other => format!("{other:?}"),
    };
    ve_slurm::outcome::latest(rows)
        .into_iter()
        .filter_map(|row| {
            let state = row.state.as_ref()?;
            Some(TaskResult {
                task: row.task,
                state: word(state),
                exit_code: state.exit_code(),
            })
        })
        .collect()
}

/// How a job ended, from the accounting of its tasks.
///
/// A cancellation that its customer did not ask for is the provider's doing, unless it was `its_own`: a job that ends itself,
/// or another job of the same customer, is not free. `None` if the scheduler used a word that decides nothing.
pub(crate) fn reason_of(
    state: &EndState,
    cancel_requested: bool,
    its_own: bool,
    started: bool,
) -> Option<EndReason> {
    Some(match state {
        EndState::Completed => EndReason::Completed,
        EndState::Failed { .. } => EndReason::Failed,
        EndState::OutOfMemory => EndReason::OutOfMemory,
        EndState::TimedOut => EndReason::TimedOut,
        EndState::Cancelled if cancel_requested => EndReason::Cancelled,
        EndState::Cancelled if its_own && started => EndReason::Failed,
        // Of the ends that a job may have which never started, the customer's.
        EndState::Cancelled if its_own => EndReason::BadInput,
        EndState::Cancelled => EndReason::ProviderFailure,
        EndState::NodeFailure => EndReason::NodeFailure,
        EndState::BootFailure => EndReason::BootFailure,
        EndState::Preempted => EndReason::Preempted,
        EndState::Unknown(_) => return None,
    })
}

/// Whether the job's own user cancelled all tasks that were cancelled in the end, and there are some: one that ended itself
/// says nothing of those that somebody else ended.
fn cancelled_by_owner(rows: &[Attempt]) -> bool {
    let mut cancelled = ve_slurm::outcome::latest(rows)
        .into_iter()
        .filter(|row| row.state == Some(EndState::Cancelled))
        .peekable();
    cancelled.peek().is_some() && cancelled.all(|row| row.by_owner)
}

/// Counts that add up to `all`: tasks without an end count as cancelled.
fn counts(rows: &[Attempt], all: u32) -> TaskCounts {
    let found = tasks(rows);
    let done = found.done.min(all);
    let failed = found.failed.min(all - done);
    TaskCounts {
        done,
        failed,
        cancelled: all - done - failed,
    }
}

impl Step<'_> {
    /// Collects the outputs and records the end. What was sealed before is not sealed again.
    pub(crate) async fn collect(
        &self,
        local: &mut LocalJob,
        cause: Cause,
    ) -> Result<(), StepError> {
        if let Some(end) = local.sealed.clone() {
            return self.record_end(local, end).await;
        }
        let all = self.job.request.resources.array_tasks;
        let cancel_requested = self.job.cancel_by.is_some();
        let never = TaskCounts {
            done: 0,
            failed: 0,
            cancelled: all,
        };
        let (reason, exit_code, counts, rows, explanation) = match cause {
            Cause::CancelledEarly => (
                EndReason::Cancelled,
                0,
                never,
                Vec::new(),
                "cancelled before it started".to_owned(),
            ),
            Cause::Lost => {
                let why =
                    "the cluster lost the job; nothing is charged, submit it again".to_owned();
                (EndReason::ProviderFailure, 0, never, Vec::new(), why)
            }
            Cause::Scheduler => {
                let id = self.context.find(self.cluster, local).await?;
                let Some(id) = id else { return Ok(()) };
                let scheduler = self.cluster.scheduler(local.identity.as_deref())?;
                let Some(scheduler) = scheduler else {
                    return Ok(());
                };
                let rows = scheduler.attempts(&id).await?;
                let end = overall(&rows).ok_or_else(|| StepError::Unanswered {
                    outside: Outside::Scheduler,
                    reason: "it says that the job ended, but its accounting does not yet".into(),
                })?;
                // What this worker asked to end was ended as the job's user too.
                let its_own = local.cancelled_at.is_none() && cancelled_by_owner(&rows);
                let started = self.job.started_at.is_some();
                let reason = reason_of(&end, cancel_requested, its_own, started);
                let reason = reason.ok_or_else(|| StepError::Unanswered {
                    outside: Outside::Scheduler,
                    reason: format!(
                        "it ended the job in an unknown way ({end:?}); update the worker"
                    ),
                })?;
                let mut explanation: Vec<&str> = rows
                    .iter()
                    .map(|r| r.detail.as_str())
                    .filter(|d| !d.is_empty())
                    .collect();
                if its_own && !cancel_requested && end == EndState::Cancelled {
                    explanation.push("a job of your own cancelled it on the cluster");
                }
                explanation.dedup();
                let explanation = explanation.join("; ");
                (
                    reason,
                    end.exit_code(),
                    counts(&rows, all),
                    rows,
                    explanation,
                )
            }
        };
        // What the chain never saw start cannot have run to an end; its customer had cancelled it before.
        let ran = matches!(
            reason,
            EndReason::Completed | EndReason::Failed | EndReason::OutOfMemory | EndReason::TimedOut
        );
        let reason = if ran && self.job.started_at.is_none() {
            EndReason::Cancelled
        } else {
            reason
        };
        let exit_code = if reason == EndReason::Completed {
            0
        } else {
            exit_code
        };
        let drained = self.drain_logs(local).await;
        self.in_time(drained)?.ok();
        let mut file = ResultFile::new(self.id, reason, exit_code, explanation);
        file.summary.tasks = task_results(&rows);
        let rules = if rows.is_empty() {
            None
        } else {
            Some(self.output_rules(local).await?)
        };
        let collected = self.seal_result(local, file.clone(), rules).await;
        let result = match self.in_time(collected)? {
            Ok(result) => result,
            Err(reason) => {
                file.summary.omitted.push(OmittedFile {
                    path: OUTPUT_DIR.into(),
                    length: 0,
                    reason: format!("it could not be read before the job's deadline: {reason}"),
                });
                self.seal_result(local, file, None).await?
            }
        };
        self.record_end(
            local,
            JobEnd {
                reason,
                exit_code,
                tasks: counts,
                result,
            },
        )
        .await
    }

    /// The chain must know the end before the job's deadline, so close to it a job ends without the files that could not be
    /// read: inside is why. Its own processes may have seen to that.
    fn in_time<T>(&self, result: Result<T, StepError>) -> Result<Result<T, String>, StepError> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(StepError::Unanswered {
                outside: Outside::Member | Outside::Disk,
                reason,
            }) if self.is_closing() => {
                tracing::warn!(job = self.id, reason, "the job ends without its files");
                Ok(Err(reason))
            }
            Err(error) => Err(error),
        }
    }

    /// Blocks until the job is to end without the files that cannot be worked with.
    fn blocks_for_files(&self) -> BlockNumber {
        let near = without_files(self.job.started_at.is_some(), self.job.request.start_within);
        let left = self.job.deadline.saturating_sub(self.snapshot.number());
        left.saturating_sub(near)
    }

    fn is_closing(&self) -> bool {
        self.blocks_for_files() == 0
    }

    /// Where the job's files lie, for as long as they are waited for.
    pub(crate) async fn place(&self, local: &LocalJob) -> Result<Place, StepError> {
        let block_time = self.context.chain.block_time().await;
        let block_time = block_time.map_err(StepError::unanswered(Outside::Chain))?;
        let until = Instant::now() + block_time.saturating_mul(self.blocks_for_files());
        self.context.known_place(self.cluster, local, Some(until))
    }

    /// The same; where the cluster has a pool of identities, the job's is leased if it has none yet.
    pub(crate) async fn leased_place(&self, local: &mut LocalJob) -> Result<Place, StepError> {
        let context = self.context;
        let pool = context.identities.get(&self.cluster.id);
        if let (Some(identities), None) = (pool, &local.identity) {
            let customer = &self.job.customer;
            let member = identities.lease(customer, local.agreement, false).await?;
            local.identity = Some(member.user);
            context.records.put(local).await?;
            context.passed("identity-leased");
        }
        self.place(local).await
    }

    /// What to make of an error before the start. Processes of another job of the customer, as the same member, can stop every
    /// process that brings this one's files. A file system that hangs gives the same error, and from here the two cannot be
    /// told apart: close to the deadline, if there is such a job, it is concluded that this was the cause. If it was not,
    /// little is lost by that: the job would have expired without a start, and it is free either way.
    pub(crate) async fn obstructed(&self, local: &LocalJob, error: StepError) -> StepError {
        let StepError::Unanswered {
            outside: Outside::Member,
            reason,
        } = error
        else {
            return error;
        };
        let other = match self.is_closing() {
            true => self.in_the_way(local).await,
            false => Ok(None),
        };
        match other {
            Ok(Some(other)) => StepError::Hopeless {
                reason: EndReason::Obstructed(other),
                explanation: format!(
                    "its files could not be brought while your job {other} ran: {reason}; nothing is charged, submit it \
                     again when that job has ended"
                ),
            },
            Ok(None) => StepError::unanswered(Outside::Member)(reason),
            Err(error) => error,
        }
    }

    /// A job that may have processes as the same member, also by what the chain knows of it.
    async fn in_the_way(&self, local: &LocalJob) -> Result<Option<AgreementId>, StepError> {
        for other in self.context.records.share_member(local) {
            let job = self.snapshot.job(other).await;
            let job = job.map_err(StepError::unanswered(Outside::Chain))?;
            if job.is_some_and(|job| self.job.may_be_obstructed_by(&job)) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Ends a job that cannot be done, with an explanation that its customer can open.
    pub(crate) async fn give_up(
        &self,
        local: &mut LocalJob,
        reason: EndReason,
        explanation: &str,
    ) -> Result<(), StepError> {
        let all = self.job.request.resources.array_tasks;
        let file = ResultFile::new(self.id, reason, 0, explanation.to_owned());
        let result = self.seal_result(local, file, None).await?;
        let tasks = TaskCounts {
            done: 0,
            failed: 0,
            cancelled: all,
        };
        self.record_end(
            local,
            JobEnd {
                reason,
                exit_code: 0,
                tasks,
                result,
            },
        )
        .await
    }

    /// Stores the sealed result, then records the end. Only the storing is repeated after a crash.
    async fn record_end(&self, local: &mut LocalJob, end: JobEnd) -> Result<(), StepError> {
        let context = self.context;
        if let Some(header) = &end.result {
            local.sealed = Some(end.clone());
            context.records.put(local).await?;
            context.passed("collect-sealed");
            let place = context.known_place(self.cluster, local, None)?;
            let sealed = place.sealed();
            if !context.artifacts.put_blob_file(header, &sealed).await? {
                local.sealed = None;
                context.records.put(local).await?;
                let reason = "the sealed result is damaged or gone, it is made again".into();
                return Err(StepError::Unanswered {
                    outside: Outside::Disk,
                    reason,
                });
            }
            context.passed("collect-stored");
        }
        local.sealed = None;
        local.end = Some(end);
        context.records.put(local).await?;
        context.passed("collect-persisted");
        Ok(())
    }

    /// Archives and seals into the worker's own directory. `None` if the customer has no key that it could be sealed to.
    async fn seal_result(
        &self,
        local: &LocalJob,
        file: ResultFile,
        rules: Option<Outputs>,
    ) -> Result<Option<EnvelopeHeader>, StepError> {
        let context = self.context;
        let keys = context.keys_of(self.snapshot, &self.job.customer).await?;
        if keys.is_empty() {
            return Ok(None);
        }
        let place = self.place(local).await?;
        let binding = Binding::result(context.chain.genesis().0, self.id);
        let (own, sealed) = (place.own.clone(), place.sealed());
        let header = place
            .with_files(move |files| {
                private_directory(&own)?;
                archive(file, rules, files, sealed, &keys, &binding)
            })
            .await?;
        context.passed("collect-archived");
        Ok(Some(header))
    }
}

/// A writer that seals what is written into it.
struct Sealed {
    sealer: Sealer,
    file: io::BufWriter<std::fs::File>,
    out: Vec<u8>,
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sealer
            .update(bytes, &mut self.out)
            .map_err(io::Error::other)?;
        self.file.write_all(&self.out)?;
        self.out.clear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn archive(
    mut result: ResultFile,
    rules: Option<Outputs>,
    files: &dyn JobFiles,
    sealed: PathBuf,
    keys: &[PublicKey],
    binding: &Binding,
) -> io::Result<EnvelopeHeader> {
    let sealer = Sealer::new(keys, binding).map_err(io::Error::other)?;
    let file = io::BufWriter::new(std::fs::File::create(&sealed)?);
    let mut archive = tar::Writer::new(Sealed {
        sealer,
        file,
        out: Vec::new(),
    });
    if let Some(rules) = rules {
        let out = format!("{}/{OUTPUT_DIR}", Place::WORK);
        match files.walk(&out) {
            Ok(walk) => {
                let (chosen, omitted) = choose(&rules, walk);
                result.summary.omitted = omitted;
                let wanted: Vec<_> = chosen
                    .iter()
                    .map(|(path, length)| Wanted {
                        path: format!("{out}/{path}"),
                        offset: 0,
                        most: *length,
                    })
                    .collect();
                files.read(&wanted, &mut |n, content| {
                    let Some((path, length)) = chosen.get(n) else {
                        return Ok(());
                    };
                    let left_out = match content {
                        Ok(content) => {
                            let read = archive.add(path, *length, content)?;
                            (read < *length).then(|| format!("only {read} bytes could be read"))
                        }
                        Err(error) => Some(error.to_string()),
                    };
                    if let Some(reason) = left_out {
                        result.summary.omitted.push(OmittedFile {
                            path: path.clone(),
                            length: *length,
                            reason,
                        });
                    }
                    Ok(())
                })?;
            }
            // It never got so far.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Not our directory any more: the job put a link or something else in its place.
            Err(error) if is_replaced(&error) => result.summary.omitted.push(OmittedFile {
                path: OUTPUT_DIR.into(),
                length: 0,
                reason: "the output directory was replaced by something else".into(),
            }),
            Err(error) => return Err(error),
        }
    }
    let json = serde_json::to_vec_pretty(&result).map_err(io::Error::other)?;
    archive.add("result.json", json.len() as u64, &json[..])?;
    let mut sealed = archive.finish()?;
    let header = sealed
        .sealer
        .finish(&mut sealed.out)
        .map_err(io::Error::other)?;
    sealed.file.write_all(&sealed.out)?;
    sealed.file.flush()?;
    sealed.file.get_ref().sync_all()?;
    Ok(header)
}

fn is_replaced(error: &io::Error) -> bool {
    use nix::libc::{EACCES, ELOOP, ENOTDIR};
    matches!(error.raw_os_error(), Some(EACCES | ELOOP | ENOTDIR))
}

/// The files that a template calls outputs, within its limits, and what was left out.
fn choose(rules: &Outputs, walk: Walk) -> (Vec<(String, u64)>, Vec<OmittedFile>) {
    let mut omitted: Vec<OmittedFile> = walk
        .skipped
        .into_iter()
        .map(|(path, why)| OmittedFile {
            path,
            length: 0,
            reason: why.into_owned(),
        })
        .collect();
    let mut files = Vec::new();
    let mut total = 0u64;
    for entry in walk.files {
        let most = rules.accepts(&entry.path).map(|spec| spec.max_bytes);
        let why = match most {
            // Ours.
            _ if entry.path == "result.json" => {
                Some("the name is taken by the result's own summary".to_owned())
            }
            None => Some("the template does not call it an output".to_owned()),
            Some(most) if entry.length > most => {
                Some(format!("larger than the {most} bytes that are allowed"))
            }
            Some(_) if total.saturating_add(entry.length) > rules.max_bytes => Some(format!(
                "all outputs together may have {} bytes",
                rules.max_bytes
            )),
            Some(_) if !tar::fits(&entry.path) => {
                Some("the path is too long for the archive".to_owned())
            }
            Some(_) => None,
        };
        match why {
            Some(reason) => omitted.push(OmittedFile {
                path: entry.path,
                length: entry.length,
                reason,
            }),
            None => {
                total += entry.length;
                files.push((entry.path, entry.length));
            }
        }
    }
    (files, omitted)
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
