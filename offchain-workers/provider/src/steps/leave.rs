//! Stopping, and what remains when the chain is done with a job.

use crate::{
    context::{now_ms, Context},
    files::{Direct, JobFiles},
    local::LocalJob,
    policy::{Outside, StepError},
    settings::ClusterSettings,
};
use ve_slurm::{ForgetError, QueryError};

impl Context {
    /// Asks the scheduler to stop the job. That it has stopped is seen by looking.
    pub(crate) async fn cancel(
        &self,
        cluster: &ClusterSettings,
        mut local: LocalJob,
    ) -> Result<(), StepError> {
        local.cancelled_at = Some(now_ms());
        self.records.put(&local).await?;
        let found = self.find(cluster, &local).await?;
        let Some((id, scheduler)) = found.zip(cluster.scheduler(local.identity.as_deref())?) else {
            return Ok(());
        };
        match scheduler.cancel(&id).await {
            Ok(()) | Err(QueryError::Absent) => Ok(()),
            Err(QueryError::Unknown(reason)) => Err(StepError::Unanswered {
                outside: Outside::Scheduler,
                reason,
            }),
        }
    }

    /// Records that the chain is done with the job; from now on the retention counts. Nothing is kept of a job that was
    /// given to somebody else.
    pub(crate) async fn retire(
        &self,
        mut local: LocalJob,
        elsewhere: bool,
    ) -> Result<(), StepError> {
        let retention = if elsewhere {
            self.settings.intervals.retention
        } else {
            0
        };
        local.retired_at = Some(now_ms().saturating_sub(retention));
        self.records.put(&local).await?;
        self.passed("retired");
        Ok(())
    }

    /// Removes what the scheduler and the disk keep of the job, the record last: as long as it exists this is repeated.
    pub(crate) async fn clean(
        &self,
        cluster: &ClusterSettings,
        local: LocalJob,
    ) -> Result<(), StepError> {
        self.passed("clean-before");
        let found = self.find(cluster, &local).await?;
        if let Some((id, scheduler)) = found.zip(cluster.scheduler(local.identity.as_deref())?) {
            match scheduler.forget(&id).await {
                Ok(()) => {}
                Err(error @ (ForgetError::StillActive | ForgetError::Unknown(_))) => {
                    return Err(StepError::Unanswered {
                        outside: Outside::Scheduler,
                        reason: error.to_string(),
                    })
                }
            }
        }
        let place = self.known_place(cluster, &local, None)?;
        let own = place.own.clone();
        place
            .with_files(move |files| {
                files.remove()?;
                Direct::new(&own).remove()
            })
            .await?;
        self.passed("clean-directory-gone");
        if let Some(identities) = self.identities.get(&cluster.id) {
            let member = local.identity.as_deref();
            identities.release(member, local.agreement).await?;
            self.passed("identity-released");
        }
        self.records.remove(local.agreement).await
    }
}
