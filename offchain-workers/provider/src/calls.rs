//! Calls to the chain: gathered from all jobs into batches, and what follows from their outcomes.
//!
//! A call is as good as done when it is in a block; until it is final, only its own jobs wait. So what is limited, and
//! what decides whether few calls wait for more to go with them, are the batches that are in no block yet.

use crate::{
    context::{now_ms, Context},
    policy::{Outside, StepError},
    reconcile::{Action, Settlement},
    view::{Batch, Snapshot},
};
use sp_core::H256;
use std::sync::{Arc, Weak};
use virtengine_primitives::{
    billing::UsageReport,
    hpc::{DeclineReason, JobEnd, JobProgress, MAX_BATCH},
    AgreementId, Moment,
};

/// Most batches on their way to a block at once. What finds no room is decided again when one has arrived.
const BATCHES: usize = 16;

/// Batches on their way to a block: the name of each, for as long as whoever sends it holds it.
#[derive(Default)]
pub(crate) struct Outgoing(Vec<Weak<str>>);

impl Outgoing {
    /// A batch sets out, until what this returns is dropped.
    pub(crate) fn enter(&mut self, batch: &Batch) -> Arc<str> {
        self.0.retain(|name| name.strong_count() > 0);
        let name = Arc::from(batch.name());
        self.0.push(Arc::downgrade(&name));
        name
    }

    fn names(&self) -> impl Iterator<Item = Arc<str>> + '_ {
        self.0.iter().filter_map(Weak::upgrade)
    }

    fn any(&self, name: &str) -> bool {
        self.names().any(|outgoing| *outgoing == *name)
    }

    /// How many more may set out now.
    fn room(&self) -> usize {
        BATCHES.saturating_sub(self.names().count())
    }
}

/// Calls gathered in one round, by what waits least well.
#[derive(Default)]
pub(crate) struct Calls {
    open_evidence: Vec<(AgreementId, H256)>,
    accept: Vec<AgreementId>,
    decline: Vec<(AgreementId, DeclineReason)>,
    complete: Vec<(AgreementId, JobEnd)>,
    report: Vec<(AgreementId, UsageReport)>,
    update: Vec<(AgreementId, JobProgress)>,
}

impl Calls {
    /// Takes an action that is a call; gives every other one back. `accepted_at`: when the job was accepted.
    pub(crate) fn take(
        &mut self,
        id: AgreementId,
        action: Action,
        accepted_at: Option<Moment>,
    ) -> Option<Action> {
        match action {
            Action::Accept => self.accept.push(id),
            Action::Decline(reason) => self.decline.push((id, reason)),
            Action::Update(progress) => {
                // The chain refuses a start before the acceptance; clocks of machines differ by a little.
                let progress = match progress {
                    JobProgress::Running(at) => {
                        JobProgress::Running(at.max(accepted_at.unwrap_or_default()))
                    }
                    other => other,
                };
                self.update.push((id, progress));
            }
            Action::Report(report) => self.report.push((id, report)),
            Action::Complete(end) => self.complete.push((id, end)),
            Action::OpenEvidence(hash) => self.open_evidence.push((id, hash)),
            step => return Some(step),
        }
        None
    }

    /// As batches. That a job went on, what it has used and that it ended can wait for one more block: as long as a batch
    /// that says so is `outgoing`, the next one of its kind sets out only when it is full.
    pub(crate) fn into_batches(self, outgoing: &Outgoing) -> Vec<Batch> {
        fn chunks<T: Clone>(
            items: &[T],
            batch: fn(Vec<T>) -> Batch,
        ) -> impl Iterator<Item = Batch> + '_ {
            items
                .chunks(MAX_BATCH as usize)
                .map(move |c| batch(c.to_vec()))
        }
        let goes =
            |batch: &Batch| batch.jobs().len() == MAX_BATCH as usize || !outgoing.any(batch.name());
        let patient = chunks(&self.complete, Batch::Complete)
            .chain(chunks(&self.report, Batch::Report))
            .chain(chunks(&self.update, Batch::Update));
        chunks(&self.open_evidence, Batch::OpenEvidence)
            .chain(chunks(&self.accept, Batch::Accept))
            .chain(chunks(&self.decline, Batch::Decline))
            .chain(patient.filter(goes))
            .take(outgoing.room())
            .collect()
    }
}

impl Context {
    /// Sends a batch and records what follows from its outcome. `careful`: nothing could be written lately, so what
    /// must be recorded afterwards is sent only if that works now; otherwise it would be sent again and again.
    pub(crate) async fn send(
        &self,
        batch: Batch,
        careful: bool,
        included: &(dyn Fn() + Send + Sync),
    ) -> Vec<(AgreementId, Result<(), StepError>)> {
        let (name, jobs) = (batch.name(), batch.jobs());
        if careful && matches!(batch, Batch::Report(_) | Batch::OpenEvidence(_)) {
            if let Err(error) = self.try_to_record(&jobs).await {
                let reason = match error {
                    StepError::Unanswered { reason, .. } => reason,
                    other => other.to_string(),
                };
                let unwritten = |job| {
                    let error = StepError::unanswered(Outside::Store)(&reason);
                    (job, Err(error))
                };
                return jobs.into_iter().map(unwritten).collect();
            }
        }
        self.passed(match &batch {
            Batch::Accept(_) | Batch::Decline(_) => "accept-before-send",
            Batch::Update(_) => "update-before-send",
            Batch::Report(_) => "report-before-send",
            Batch::Complete(_) => "complete-before-send",
            Batch::OpenEvidence(_) => "dispute-before-send",
        });
        let is_acceptance = matches!(batch, Batch::Accept(_));
        let told = || {
            if is_acceptance {
                self.passed("accept-included");
            }
            included();
        };
        let outcome = self.chain.send(batch.clone(), &told).await;
        self.passed(match &batch {
            Batch::Accept(_) | Batch::Decline(_) => "accept-after-send",
            Batch::Update(_) => "update-after-send",
            Batch::Report(_) => "report-after-send",
            Batch::Complete(_) => "complete-after-send",
            Batch::OpenEvidence(_) => "dispute-after-send",
        });
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let outcomes = match outcome {
            Ok(outcomes) if outcomes.len() == jobs.len() => outcomes,
            other => {
                self.metrics
                    .calls_failed
                    .with_label_values(&[name])
                    .inc_by(count(jobs.len()));
                let reason = match other {
                    Err(error) => error.to_string(),
                    Ok(_) => "it told of another number of jobs than it was sent".into(),
                };
                let unanswered = || StepError::Unanswered {
                    outside: Outside::Chain,
                    reason: reason.clone(),
                };
                return jobs
                    .into_iter()
                    .map(|job| (job, Err(unanswered())))
                    .collect();
            }
        };
        let done = outcomes.iter().filter(|o| o.is_ok()).count();
        self.metrics
            .calls_submitted
            .with_label_values(&[name])
            .inc_by(count(done));
        self.metrics
            .calls_failed
            .with_label_values(&[name])
            .inc_by(count(outcomes.len() - done));
        let mut results = Vec::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            let mut result =
                outcome.map_err(|reason| StepError::Refused(format!("{name}: {reason}")));
            if let Batch::Report(_) = batch {
                // On chain or refused for good: either way this report is not sent again. What is due after it is
                // computed from what the chain then has.
                if result.is_ok() {
                    self.metrics.usage_reports.inc();
                }
                if let Err(error) = self.forget_report(job).await {
                    result = Err(error);
                }
            }
            if let Batch::OpenEvidence(_) = batch {
                // Whether it is to be answered again (it was refused, or there is another dispute) the chain says.
                if let Err(error) = self.forget_opening(job).await {
                    result = Err(error);
                }
            }
            tracing::info!(job, call = name, ok = result.is_ok(), "sent");
            results.push((job, result));
        }
        results
    }

    /// Where the money of an ended job stands; unknown if the chain does not say.
    pub(crate) async fn settlement_known(
        &self,
        snapshot: &dyn Snapshot,
        job: AgreementId,
    ) -> Settlement {
        self.settlement(snapshot, job)
            .await
            .unwrap_or_else(|error| {
                let who = [Outside::Chain.name()];
                self.metrics.unanswered.with_label_values(&who).inc();
                tracing::warn!(job, %error, "the chain was asked about the money of an ended job");
                Settlement::Unknown
            })
    }

    /// Writes the records of jobs as they are.
    async fn try_to_record(&self, jobs: &[AgreementId]) -> Result<(), StepError> {
        for job in jobs {
            if let Some(local) = self.records.get(*job) {
                self.records.put(&local).await?;
            }
        }
        Ok(())
    }

    async fn forget_opening(&self, job: AgreementId) -> Result<(), StepError> {
        let Some(mut local) = self.records.get(job) else {
            return Ok(());
        };
        local.opening = None;
        self.records.put(&local).await
    }

    async fn forget_report(&self, job: AgreementId) -> Result<(), StepError> {
        let Some(mut local) = self.records.get(job) else {
            return Ok(());
        };
        local.outgoing = None;
        local.reported_at = Some(now_ms());
        self.records.put(&local).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(count: u64) -> impl Iterator<Item = (AgreementId, Action)> {
        (0..count).map(|job| (job, Action::Update(JobProgress::Queued)))
    }

    fn accepts(count: u64) -> impl Iterator<Item = (AgreementId, Action)> {
        (0..count).map(|job| (job, Action::Accept))
    }

    fn batches(
        actions: impl Iterator<Item = (AgreementId, Action)>,
        outgoing: &Outgoing,
    ) -> Vec<Batch> {
        let mut calls = Calls::default();
        for (job, action) in actions {
            assert_eq!(calls.take(job, action, None), None);
        }
        calls.into_batches(outgoing)
    }

    fn sizes(batches: &[Batch]) -> Vec<(&'static str, usize)> {
        let size = |batch: &Batch| (batch.name(), batch.jobs().len());
        batches.iter().map(size).collect()
    }

    #[test]
    fn few_updates_should_wait_for_more_only_while_others_are_in_no_block() {
        let mut outgoing = Outgoing::default();
        let first = batches(updates(3), &outgoing);
        assert_eq!(sizes(&first), [("update", 3)]);
        let way = outgoing.enter(&first[0]);
        assert_eq!(sizes(&batches(updates(63), &outgoing)), []);
        let more = batches(updates(65).chain(accepts(1)), &outgoing);
        assert_eq!(sizes(&more), [("accept", 1), ("update", 64)]);
        drop(way);
        let rest = batches(updates(65), &outgoing);
        assert_eq!(sizes(&rest), [("update", 64), ("update", 1)]);
    }

    #[test]
    fn acceptance_should_wait_for_nothing_but_room() {
        let mut outgoing = Outgoing::default();
        let one = batches(accepts(1), &outgoing);
        let mut ways: Vec<_> = (1..BATCHES).map(|_| outgoing.enter(&one[0])).collect();
        assert_eq!(sizes(&batches(accepts(65), &outgoing)), [("accept", 64)]);
        ways.push(outgoing.enter(&one[0]));
        assert_eq!(sizes(&batches(accepts(65), &outgoing)), []);
        ways.clear();
        let all = batches(accepts(64 * BATCHES as u64 + 1), &outgoing);
        assert_eq!(all.len(), BATCHES);
    }
}
