//! The invariants, one function each. Always compiled, so that tests can check them after every step.

use crate::*;
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;
use virtengine_primitives::{
    hpc::{EndReason, Job, JobState},
    traits::Billing,
    AgreementId, ClusterId,
};

impl<T: Config> Pallet<T> {
    /// All invariants. Iterates the whole state: for tests and `try-runtime` only.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_deadlines()?;
        Self::try_open_jobs()?;
        Self::try_indices()?;
        Self::try_clusters()?;
        Jobs::<T>::iter().try_for_each(|(id, job)| Self::try_job(id, &job))
    }

    /// - Every job that has not ended has exactly one entry in the deadlines, at `job.deadline`.
    /// - Every entry belongs to such a job.
    /// - No entry lies before the cursor: the drain would never see it.
    fn try_deadlines() -> Result<(), TryRuntimeError> {
        let cursor = DeadlineCursor::<T>::get();
        let mut entries = 0u64;
        for (at, id, ()) in Deadlines::<T>::iter() {
            let job = Jobs::<T>::get(id).ok_or("deadline of an unknown job")?;
            ensure!(job.ended_at.is_none(), "deadline of an ended job");
            ensure!(
                job.deadline == at,
                "deadline at another block than the job's"
            );
            ensure!(
                cursor.is_some_and(|cursor| cursor <= at),
                "deadline before the cursor"
            );
            entries = entries.saturating_add(1);
        }
        let open = Jobs::<T>::iter_values()
            .filter(|job| job.ended_at.is_none())
            .count();
        ensure!(
            u64::try_from(open) == Ok(entries),
            "a job that has not ended without a deadline"
        );
        Ok(())
    }

    /// - A job is among the open jobs of a cluster iff it is assigned there and has not ended.
    /// - The cluster exists, belongs to the job's provider and counts it.
    fn try_open_jobs() -> Result<(), TryRuntimeError> {
        let mut counts = BTreeMap::<ClusterId, u32>::new();
        for (cluster, id, ()) in OpenJobs::<T>::iter() {
            let job = Jobs::<T>::get(AgreementId::from(id)).ok_or("unknown job is open")?;
            ensure!(job.ended_at.is_none(), "ended job is open");
            ensure!(job.assignment.cluster == cluster, "job is open elsewhere");
            let count = counts.entry(cluster).or_default();
            *count = count.saturating_add(1);
        }
        for (id, job) in Jobs::<T>::iter().filter(|(_, job)| job.ended_at.is_none()) {
            let cluster = job.assignment.cluster;
            ensure!(
                OpenJobs::<T>::contains_key(cluster, OrderedId::from(id)),
                "job is not among the open ones of its cluster"
            );
            let cluster = Clusters::<T>::get(cluster).ok_or("job on an unknown cluster")?;
            ensure!(
                cluster.provider == job.provider,
                "job on a stranger's cluster"
            );
        }
        for (id, cluster) in Clusters::<T>::iter() {
            ensure!(
                counts.remove(&id).unwrap_or_default() == cluster.open_jobs,
                "wrong count of open jobs"
            );
        }
        ensure!(counts.is_empty(), "open jobs of an unknown cluster");
        Ok(())
    }

    /// - Jobs, their index by customer and their deposits have the same keys.
    /// - Numbers are below the next ones.
    fn try_indices() -> Result<(), TryRuntimeError> {
        let mut jobs = 0u64;
        for (id, job) in Jobs::<T>::iter() {
            ensure!(id < NextJob::<T>::get(), "number of a job not given yet");
            ensure!(
                JobsOf::<T>::contains_key(&job.customer, OrderedId::from(id)),
                "job is missing among its customer's"
            );
            ensure!(JobDeposits::<T>::contains_key(id), "job without a deposit");
            jobs = jobs.saturating_add(1);
        }
        let indexed = u64::try_from(JobsOf::<T>::iter_keys().count());
        let deposits = u64::try_from(JobDeposits::<T>::iter_keys().count());
        ensure!(indexed == Ok(jobs), "index entry without a job");
        ensure!(deposits == Ok(jobs), "deposit without a job");
        Ok(())
    }

    /// - Every cluster has a deposit that counts its templates, at most `MaxTemplates`; nothing else has.
    /// - Numbers are below the next one.
    fn try_clusters() -> Result<(), TryRuntimeError> {
        for id in Clusters::<T>::iter_keys() {
            ensure!(
                id < NextCluster::<T>::get(),
                "number of a cluster not given yet"
            );
            let deposit = ClusterDeposits::<T>::get(id).ok_or("cluster without a deposit")?;
            let templates = AllowedTemplates::<T>::iter_key_prefix(id).count();
            ensure!(
                u32::try_from(templates) == Ok(deposit.templates)
                    && deposit.templates <= T::MaxTemplates::get(),
                "wrong count of templates"
            );
        }
        for (id, _) in AllowedTemplates::<T>::iter_keys() {
            ensure!(
                Clusters::<T>::contains_key(id),
                "template of an unknown cluster"
            );
        }
        ensure!(
            ClusterDeposits::<T>::iter_keys().count() == Clusters::<T>::iter_keys().count(),
            "deposit without a cluster"
        );
        Ok(())
    }

    /// - Ended iff there is a block at which it ended; then no candidate is left and no plan pinned for one.
    /// - Assigned iff nobody accepted; running only after a start; a start not before the acceptance.
    /// - The deadline is the one that the state demands, and never after `end_by`; a job that starts in time has room
    ///   for its whole wall time before that.
    /// - The agreement is there as long as the job has not ended.
    fn try_job(id: AgreementId, job: &Job<T::AccountId>) -> Result<(), TryRuntimeError> {
        if let JobState::Ended(reason) = job.state {
            ensure!(job.ended_at.is_some(), "ended without a block");
            ensure!(job.remaining.is_empty(), "ended with candidates left");
            match &job.end {
                Some(end) => ensure!(end.reason == reason, "ended for another reason"),
                None => ensure!(
                    matches!(reason, EndReason::Cancelled | EndReason::Expired),
                    "ended without a report"
                ),
            }
            return Ok(());
        }
        ensure!(
            job.ended_at.is_none() && job.end.is_none(),
            "an end without being ended"
        );
        ensure!(
            job.accepted_at.is_none() == (job.state == JobState::Assigned),
            "assigned iff not accepted"
        );
        ensure!(
            job.state != JobState::Running || job.started_at.is_some(),
            "running without a start"
        );
        ensure!(
            job.started_at.is_none() || job.started_at >= job.accepted_at,
            "started before the acceptance"
        );
        ensure!(
            job.started_at.is_none()
                || !matches!(job.state, JobState::Accepted | JobState::Staging),
            "started without having left the first states"
        );
        ensure!(job.deadline <= job.request.end_by, "deadline after the end");
        let run = Self::blocks(job.request.walltime);
        ensure!(
            u64::from(job.start_by).saturating_add(run) < u64::from(job.request.end_by),
            "no time to run"
        );
        let due = match (job.state, job.cancel_by, job.started_at) {
            (JobState::Assigned, Some(_), _) => false,
            (JobState::Assigned, None, started) => {
                started.is_none() && job.deadline <= job.start_by
            }
            (_, Some(cancel_by), _) => job.deadline == cancel_by,
            (_, None, Some(_)) => job.deadline == job.request.end_by,
            (_, None, None) => job.deadline == job.start_by,
        };
        ensure!(due, "another deadline than the state demands");
        ensure!(
            !T::Billing::is_gone(id),
            "a job that has not ended without an agreement"
        );
        Ok(())
    }
}
