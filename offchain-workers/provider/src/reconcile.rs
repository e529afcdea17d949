//! The decision: from what the finalised chain, the worker's own record and the scheduler say about one job to the one
//! next step. No input or output, no clock: everything it depends on is an argument.
//!
//! "Unknown" is an answer of its own. Whoever could not be asked makes the step `Wait`; nothing is stopped, ended or
//! removed on a guess.

use crate::local::{Admission, LocalJob, Submission};
use sp_core::H256;
use virtengine_primitives::{
    billing::{Fault, UsageReport},
    hpc::{DeclineReason, JobEnd, JobProgress, JobState},
    BlockNumber, Moment,
};

/// What the finalised chain says about a job of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Assigned to our cluster and not ended.
    Open(OnChain),
    /// Finally, it is assigned to us; what else is known stands in a block that may still be replaced (`Assigned` if that
    /// is of no use to us). Nothing is ended, stopped or charged on the strength of that.
    Ahead(OnChain),
    /// Ended, by us or by the chain; its money may not have been moved yet.
    Ended(Settlement),
    /// Given to another cluster.
    Elsewhere,
    /// The chain does not keep it any more, which it does until the money has been moved.
    Gone,
}

/// Where a job that has not ended stands on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnChain {
    /// Its state.
    pub state: JobState,
    /// The block at which the chain acts by itself.
    pub deadline: BlockNumber,
    /// The customer asked for its end.
    pub cancel_requested: bool,
    /// The chain knows that it started, so that usage can be reported and the start cannot be refused.
    pub started: bool,
}

/// Where the money of an ended job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The chain was not asked, or did not answer.
    Unknown,
    /// Not moved yet. Either nobody disputes it or our evidence has been opened: nothing is expected of us now.
    Pending,
    /// The payer disputes it, and we have not opened our evidence.
    Disputed {
        /// It must be opened before this block.
        evidence_by: BlockNumber,
    },
    /// All of it has been moved, or it is none of ours.
    Settled,
}

/// What the scheduler says about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InScheduler {
    /// It could not be asked, or its answer could not be understood.
    Unknown,
    /// Every source that could know it says no.
    Absent,
    /// Waits in the queue, for the first time or again.
    Pending,
    /// Runs.
    Running {
        /// When its first attempt began.
        since: Moment,
    },
    /// Ended.
    Ended {
        /// When its first attempt began; `None` if it never ran.
        since: Option<Moment>,
    },
}

impl InScheduler {
    /// Whether it holds or may come to hold resources.
    fn is_alive(&self) -> bool {
        matches!(self, Self::Pending | Self::Running { .. })
    }
}

/// Why outputs are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The scheduler says how it ended.
    Scheduler,
    /// Cancelled before the scheduler had it.
    CancelledEarly,
    /// The scheduler had it and does not know it any more.
    Lost,
}

/// The next step for one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing to do now.
    Wait,
    /// Make a record of it.
    Adopt,
    /// Check whether it can run here.
    Admit,
    /// Accept it on chain.
    Accept,
    /// Decline it on chain.
    Decline(DeclineReason),
    /// Fetch, check and open its inputs.
    Stage,
    /// Hand it to the scheduler.
    Submit,
    /// Record that the scheduler has it.
    MarkSubmitted,
    /// Tell the chain how far it is.
    Update(JobProgress),
    /// Look at its usage and prepare the report that is due; `last` when it has ended.
    Meter {
        /// Everything up to its end is due.
        last: bool,
    },
    /// Send the report that was prepared.
    Report(UsageReport),
    /// Seal what was added to its log.
    Log,
    /// Ask the scheduler to stop it.
    Cancel,
    /// Collect its outputs and decide how it ended.
    Collect(Cause),
    /// Tell the chain how it ended.
    Complete(JobEnd),
    /// Make the evidence of its usage readable by payer and arbiter, and prepare the answer to the dispute.
    Disclose,
    /// Tell the chain that the evidence is readable.
    OpenEvidence(H256),
    /// Record that the chain is done with it.
    Retire,
    /// Remove its work directory and its record.
    Clean,
}

impl Action {
    /// Names of those that are steps of the worker, and no calls to the chain.
    pub const STEPS: [&'static str; 12] = [
        "adopt",
        "admit",
        "stage",
        "submit",
        "mark-submitted",
        "meter",
        "log",
        "cancel",
        "collect",
        "disclose",
        "retire",
        "clean",
    ];

    /// Name for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Adopt => "adopt",
            Self::Admit => "admit",
            Self::Accept => "accept",
            Self::Decline(_) => "decline",
            Self::Stage => "stage",
            Self::Submit => "submit",
            Self::MarkSubmitted => "mark-submitted",
            Self::Update(_) => "update",
            Self::Meter { .. } => "meter",
            Self::Report(_) => "report",
            Self::Log => "log",
            Self::Cancel => "cancel",
            Self::Collect(_) => "collect",
            Self::Complete(_) => "complete",
            Self::Disclose => "disclose",
            Self::OpenEvidence(_) => "open-evidence",
            Self::Retire => "retire",
            Self::Clean => "clean",
        }
    }
}

/// Intervals, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// Between two usage reports of a running job.
    pub report: u64,
    /// Between two looks at the log of a running job.
    pub log: u64,
    /// After which a request to stop is repeated.
    pub cancel: u64,
    /// For which the work directory of an ended job is kept.
    pub retention: u64,
}

/// The clocks of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The finalised block.
    pub block: BlockNumber,
    /// Unix milliseconds.
    pub moment: Moment,
}

/// So many blocks before its deadline a running job is reported on more often: what is not on chain by then is never
/// paid.
const CLOSING: BlockNumber = 20;
/// How often at least, in milliseconds.
const CLOSING_REPORT: u64 = 5_000;

fn due(last: Option<Moment>, interval: u64, now: Now) -> bool {
    last.is_none_or(|at| now.moment >= at.saturating_add(interval))
}

/// Whether the job cannot be in the scheduler, because this record of it is older than its acceptance and says that it was
/// not handed over. Only what is begun is decided on this, never what is ended: a record may have been restored.
pub fn is_untouched(observed: &Observed, local: &LocalJob) -> bool {
    let wanted = match observed {
        Observed::Open(job) | Observed::Ahead(job) => {
            job.state == JobState::Accepted && !job.cancel_requested && !job.started
        }
        _ => false,
    };
    wanted && local.is_admitted() && local.submission == Submission::None && local.end.is_none()
}

/// Whether the scheduler must be asked before [`reconcile`] can decide.
pub fn needs_scheduler(observed: &Observed, local: Option<&LocalJob>) -> bool {
    match (observed, local) {
        (_, None) => false,
        (observed, Some(local)) if is_untouched(observed, local) => false,
        // Unless it was begun on an acceptance that was undone, nobody can have it.
        (
            Observed::Open(OnChain {
                state: JobState::Assigned,
                ..
            }),
            Some(local),
        ) => local.submission != Submission::None,
        (
            Observed::Ahead(OnChain {
                state: JobState::Assigned | JobState::Ended(_),
                ..
            }),
            _,
        ) => false,
        (Observed::Open(_) | Observed::Ahead(_), Some(local)) => {
            local.end.is_none() || !local.metered_out
        }
        // Nothing is done about it before the money has been moved, but to answer a dispute.
        (Observed::Ended(settlement), Some(local))
            if local.retired_at.is_some() && *settlement != Settlement::Settled =>
        {
            false
        }
        (_, Some(local)) => local.submission != Submission::None,
    }
}

/// The next step for a job.
pub fn reconcile(
    observed: &Observed,
    local: Option<&LocalJob>,
    scheduler: InScheduler,
    intervals: &Intervals,
    now: Now,
) -> Action {
    let Some(local) = local else {
        return if matches!(observed, Observed::Open(_)) {
            Action::Adopt
        } else {
            Action::Wait
        };
    };
    match observed {
        Observed::Open(OnChain {
            state: JobState::Assigned,
            deadline,
            ..
        }) => assigned(local, *deadline, scheduler, intervals, now),
        Observed::Ahead(OnChain {
            state: JobState::Assigned | JobState::Ended(_),
            ..
        }) => Action::Wait,
        Observed::Ahead(job) => ahead(work(local, *job, scheduler, intervals, now)),
        Observed::Open(OnChain {
            state: JobState::Ended(_),
            ..
        }) => leave(
            local,
            Settlement::Unknown,
            scheduler,
            intervals.retention,
            intervals,
            now,
        ),
        Observed::Gone => leave(
            local,
            Settlement::Settled,
            scheduler,
            intervals.retention,
            intervals,
            now,
        ),
        Observed::Ended(settlement) => leave(
            local,
            *settlement,
            scheduler,
            intervals.retention,
            intervals,
            now,
        ),
        // Nothing of ours can still be wanted there, and the customer's inputs are none of our business any more.
        Observed::Elsewhere => leave(local, Settlement::Settled, scheduler, 0, intervals, now),
        Observed::Open(job) => work(local, *job, scheduler, intervals, now),
    }
}

fn assigned(
    local: &LocalJob,
    deadline: BlockNumber,
    scheduler: InScheduler,
    intervals: &Intervals,
    now: Now,
) -> Action {
    if now.block >= deadline {
        // Too late to accept; the chain passes it on. What was begun on an acceptance that was undone is not ours, and
        // nobody pays for it.
        return if local.submission != Submission::None && scheduler.is_alive() {
            stop(local, intervals, now)
        } else {
            Action::Wait
        };
    }
    match &local.admission {
        None => Action::Admit,
        Some(Admission::Accept) => Action::Accept,
        Some(Admission::Decline(why)) => Action::Decline(*why),
    }
}

/// Of what an accepted job needs, what may be done before the acceptance is final: if it is undone, so is this.
fn ahead(action: Action) -> Action {
    match action {
        Action::Stage | Action::Submit | Action::MarkSubmitted | Action::Update(_) => action,
        _ => Action::Wait,
    }
}

/// What can be done for a job while its acceptance is on its way to the chain: it is not sent twice.
pub fn meanwhile(local: &LocalJob) -> Action {
    match local.staged || local.end.is_some() {
        true => Action::Wait,
        false => Action::Stage,
    }
}

fn stop(local: &LocalJob, intervals: &Intervals, now: Now) -> Action {
    if due(local.cancelled_at, intervals.cancel, now) {
        Action::Cancel
    } else {
        Action::Wait
    }
}

fn leave(
    local: &LocalJob,
    settlement: Settlement,
    scheduler: InScheduler,
    retention: u64,
    intervals: &Intervals,
    now: Now,
) -> Action {
    let submitted = local.submission != Submission::None;
    if submitted && scheduler.is_alive() && due(local.cancelled_at, intervals.cancel, now) {
        return Action::Cancel;
    }
    // An answer that is late is refused; one that is missing loses the dispute.
    if let Settlement::Disputed { evidence_by } = settlement {
        if now.block < evidence_by {
            return local.opening.map_or(Action::Disclose, Action::OpenEvidence);
        }
    }
    if submitted && (scheduler == InScheduler::Unknown || scheduler.is_alive()) {
        return Action::Wait;
    }
    match local.retired_at {
        // Until the money has been moved everything may still be asked for.
        Some(_) if settlement != Settlement::Settled => Action::Wait,
        None => Action::Retire,
        Some(at) if now.moment >= at.saturating_add(retention) => Action::Clean,
        Some(_) => Action::Wait,
    }
}

fn work(
    local: &LocalJob,
    job: OnChain,
    scheduler: InScheduler,
    intervals: &Intervals,
    now: Now,
) -> Action {
    let OnChain {
        state,
        deadline,
        cancel_requested,
        started,
    } = job;
    if let Some(end) = &local.end {
        return finish(local, end, job, scheduler, now);
    }
    if scheduler == InScheduler::Unknown {
        return Action::Wait;
    }
    if now.block >= deadline || cancel_requested {
        if scheduler.is_alive() {
            return stop(local, intervals, now);
        }
        if now.block >= deadline {
            // Whatever we say now is refused; the chain ends it or passes it on.
            return Action::Wait;
        }
    }
    if let (true, Some(report)) = (started, &local.outgoing) {
        return Action::Report(report.clone());
    }
    let closing = deadline.saturating_sub(now.block) <= CLOSING;
    let report = if closing {
        intervals.report.min(CLOSING_REPORT)
    } else {
        intervals.report
    };
    match scheduler {
        InScheduler::Unknown => Action::Wait,
        InScheduler::Absent if local.submission == Submission::Done || started => {
            Action::Collect(Cause::Lost)
        }
        InScheduler::Absent if cancel_requested => Action::Collect(Cause::CancelledEarly),
        InScheduler::Absent if !local.staged => Action::Stage,
        InScheduler::Absent => Action::Submit,
        _ if local.submission != Submission::Done => Action::MarkSubmitted,
        InScheduler::Pending => match state {
            JobState::Queued => Action::Wait,
            _ => Action::Update(JobProgress::Queued),
        },
        InScheduler::Running { since } if state != JobState::Running => {
            Action::Update(JobProgress::Running(since))
        }
        InScheduler::Running { .. } if due(local.reported_at, report, now) => {
            Action::Meter { last: false }
        }
        InScheduler::Running { .. } if due(local.logged_at, intervals.log, now) => Action::Log,
        InScheduler::Running { .. } => Action::Wait,
        // It started and ended between two looks: the chain must know that it started before it hears of usage. What
        // had not started on chain when its customer cancelled it cannot start any more, and costs nothing.
        InScheduler::Ended { since: Some(since) } if !started && !cancel_requested => {
            Action::Update(JobProgress::Running(since))
        }
        InScheduler::Ended { .. } => Action::Collect(Cause::Scheduler),
    }
}

fn finish(
    local: &LocalJob,
    end: &JobEnd,
    job: OnChain,
    scheduler: InScheduler,
    now: Now,
) -> Action {
    if now.block >= job.deadline {
        return Action::Wait;
    }
    // What was the provider's fault is not paid, so there is nothing to report.
    let payable = end.reason.fault() != Fault::Provider && job.started;
    if payable && !local.metered_out {
        return match (&local.outgoing, scheduler) {
            (Some(report), _) => Action::Report(report.clone()),
            (None, InScheduler::Unknown) => Action::Wait,
            (None, _) => Action::Meter { last: true },
        };
    }
    Action::Complete(end.clone())
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
