//! Usage: from accounting to a report with sealed evidence.

use crate::{
    context::{now_ms, Step},
    local::LocalJob,
    metering::{self, Attempt, Due, Standing},
    policy::{Outside, StepError},
};
use rand::TryRngCore;
use serde::Serialize;
use sp_core::H256;
use ve_envelope::{seal, Binding};
use ve_slurm::EndState;
use virtengine_primitives::{billing::Component, blake2_256, AgreementId, Moment};

/// The canonical accounting rows behind a report. What is sealed is 32 bytes of salt and this as JSON; the report names
/// the Blake2b-256 of exactly those bytes.
#[derive(Serialize)]
struct Evidence<'a> {
    agreement: AgreementId,
    sequence: u32,
    from: Moment,
    until: Moment,
    quantities: Vec<(Component, String)>,
    rows: &'a [ve_slurm::Attempt],
}

/// The stretch of time of an accounting row, as far as it counts.
pub(crate) fn billable(row: &ve_slurm::Attempt) -> Option<Attempt> {
    let from = row.started?;
    let not_paid = matches!(
        row.state,
        Some(
            EndState::NodeFailure
                | EndState::BootFailure
                | EndState::Preempted
                | EndState::Unknown(_)
        )
    );
    // By the clock that never goes back: a wall clock that was set between start and end changes nothing.
    Some(Attempt {
        from,
        until: Some(from.saturating_add(row.elapsed_ms)),
        billable: !not_paid,
    })
}

impl Step<'_> {
    /// Prepares the report that is due, if one is. Nothing is sent here.
    pub(crate) async fn meter(&self, local: &mut LocalJob, last: bool) -> Result<(), StepError> {
        let context = self.context;
        let agreement = self.snapshot.agreement(self.id).await;
        let agreement = agreement.map_err(StepError::unanswered(Outside::Chain))?;
        let standing = agreement
            .as_ref()
            .and_then(|a| Some((Standing::of(a)?, a.started_at?)));
        let due = match (standing, context.find(self.cluster, local).await?) {
            (Some((standing, started)), Some(scheduler_job)) => {
                let rows = self.cluster.scheduler.attempts(&scheduler_job).await?;
                let attempts: Vec<_> = rows.iter().filter_map(billable).collect();
                let resources = &self.job.request.resources;
                metering::next(&standing, started, resources, &attempts, now_ms())
                    .map(|due| (due, rows))
            }
            // Metering has not begun or is over on chain, or the job never ran: nothing can be reported.
            _ => None,
        };
        match due {
            Some((due, rows)) => {
                let hash = self.store_evidence(&due, &rows).await?;
                self.context.passed("report-evidence-stored");
                local.outgoing = Some(due.with_evidence(hash));
            }
            None if last => local.metered_out = true,
            None => {}
        }
        local.reported_at = Some(now_ms());
        context.records.put(local).await?;
        self.context.passed(if local.metered_out {
            "metered-out"
        } else {
            "report-persisted"
        });
        Ok(())
    }

    /// Seals the rows and stores them; returns the hash of what was sealed.
    async fn store_evidence(
        &self,
        due: &Due,
        rows: &[ve_slurm::Attempt],
    ) -> Result<H256, StepError> {
        let context = self.context;
        let recipients = context
            .evidence_recipients(self.snapshot, &self.job.customer)
            .await?;
        let evidence = Evidence {
            agreement: self.id,
            sequence: due.sequence,
            from: due.from,
            until: due.until,
            // Beyond 2^53 numbers do not survive every JSON reader.
            quantities: due
                .quantities
                .iter()
                .map(|(c, q)| (*c, q.to_string()))
                .collect(),
            rows,
        };
        let mut plaintext = vec![0u8; 32];
        rand::rngs::OsRng
            .try_fill_bytes(&mut plaintext)
            .map_err(StepError::unanswered(Outside::Disk))?;
        serde_json::to_writer(&mut plaintext, &evidence)
            .map_err(StepError::unanswered(Outside::Disk))?;
        let genesis = context.chain.genesis();
        let binding = Binding::evidence(genesis.0, self.id, due.sequence.into());
        let (header, body) = seal(&plaintext, &recipients, &binding)
            .map_err(StepError::unanswered(Outside::Chain))?;
        context
            .artifacts
            .put_evidence(&genesis.0, self.id, due.sequence, &header, &body)
            .await?;
        Ok(blake2_256(&plaintext))
    }
}
