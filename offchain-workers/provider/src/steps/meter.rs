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
        let scheduler = self.cluster.scheduler(local.identity.as_deref())?;
        let found = context.find(self.cluster, local).await?.zip(scheduler);
        let due = match (standing, found) {
            (Some((standing, started)), Some((scheduler_job, scheduler))) => {
                let rows = scheduler.attempts(&scheduler_job).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: Option<EndState>, elapsed_s: u64, wall_s: u64) -> ve_slurm::Attempt {
        ve_slurm::Attempt {
            cluster: "c".into(),
            job: "7".into(),
            task: 0,
            attempt: 1,
            submitted: 0,
            started: Some(1_000_000),
            ended: state.as_ref().map(|_| 1_000_000 + wall_s * 1_000),
            allocated: ve_slurm::Allocated {
                cpus: 1,
                memory_mib: 1,
                nodes: 1,
                gpus: 0,
            },
            elapsed_ms: elapsed_s * 1_000,
            state,
            by_owner: false,
            detail: String::new(),
        }
    }

    #[test]
    fn row_should_count_by_how_it_ended() {
        let paid = [
            None,
            Some(EndState::Completed),
            Some(EndState::Failed { exit_code: 9 }),
            Some(EndState::OutOfMemory),
            Some(EndState::TimedOut),
            Some(EndState::Cancelled),
        ];
        let unpaid = [
            Some(EndState::NodeFailure),
            Some(EndState::BootFailure),
            Some(EndState::Preempted),
            Some(EndState::Unknown("REVOKED".into())),
        ];
        for (states, expected) in [(&paid[..], true), (&unpaid[..], false)] {
            for state in states {
                let counted = billable(&row(state.clone(), 5, 5)).unwrap();
                assert_eq!(counted.billable, expected, "{state:?}");
            }
        }
    }

    #[test]
    fn row_should_count_the_time_it_ran_when_it_was_suspended_or_the_clock_was_set() {
        // Suspended for 50 s, or the wall clock went forward by that.
        let counted = billable(&row(Some(EndState::Completed), 10, 60)).unwrap();
        assert_eq!(counted.until, Some(counted.from + 10_000));
    }

    #[test]
    fn row_should_not_count_when_it_never_started() {
        let never = ve_slurm::Attempt {
            started: None,
            ..row(Some(EndState::Cancelled), 0, 0)
        };
        assert_eq!(billable(&never), None);
    }
}
