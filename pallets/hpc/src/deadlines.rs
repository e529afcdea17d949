//! Deadlines, and what the chain does by itself when one is reached.

use crate::*;
use frame_support::{traits::Get, weights::WeightMeter};
use virtengine_primitives::{
    billing::Fault,
    hpc::*,
    traits::{Billing, IdentityScore, ProviderRegistry},
    AgreementId, BlockNumber, ClusterId, ProviderId,
};

impl<T: Config> Pallet<T> {
    /// Acts on the deadlines that were reached, oldest block first, with at most half of what `meter` has left, so
    /// that no crowd of deadlines keeps everybody else out of a block. What is left over is taken up by the next one.
    pub(crate) fn drain_deadlines(meter: &mut WeightMeter) {
        let mut share = WeightMeter::with_limit(meter.remaining().div(2));
        if share.try_consume(T::WeightInfo::poll_base()).is_ok() {
            if let Some(cursor) = DeadlineCursor::<T>::get() {
                let reached = Self::drain_from(cursor, &mut share);
                DeadlineCursor::<T>::put(reached);
            }
        }
        meter.consume(share.consumed());
    }

    /// Returns the first block whose deadlines may not all have been acted upon.
    fn drain_from(mut cursor: BlockNumber, meter: &mut WeightMeter) -> BlockNumber {
        let now = Self::now();
        let job_weight = T::WeightInfo::poll_job().max(T::WeightInfo::poll_end());
        while cursor <= now {
            if meter.try_consume(T::WeightInfo::poll_block()).is_err() {
                break;
            }
            // Only what was visited is removed, and what is inserted meanwhile lies after `now`.
            for id in Deadlines::<T>::iter_key_prefix(cursor) {
                if meter.try_consume(job_weight).is_err() {
                    return cursor;
                }
                Deadlines::<T>::remove(cursor, id);
                match Jobs::<T>::get(id) {
                    Some(job) if job.ended_at.is_none() => Self::act_on_deadline(id, job),
                    _ => {}
                }
            }
            cursor = cursor.saturating_add(1);
        }
        cursor
    }

    /// Does what the reached deadline of a job demands: depends on the job alone, not on how late it is done.
    pub(crate) fn act_on_deadline(id: AgreementId, job: Job<T::AccountId>) {
        let provider = job.provider;
        if job.cancel_by.is_some() {
            T::Providers::unlock_bond(provider, id);
            return Self::finish(id, job, EndReason::Cancelled, Fault::Silence, None);
        }
        if job.state == JobState::Assigned {
            Self::deposit_event(Event::JobNotAccepted { job: id, provider });
            return Self::next_candidate(id, job);
        }
        Self::slash(id, &job);
        if job.started_at.is_some() {
            let reason = EndReason::Expired;
            return Self::finish(id, job, reason, reason.fault(), None);
        }
        Self::deposit_event(Event::JobNotStarted { job: id, provider });
        Self::next_candidate(id, job)
    }

    /// Gives a job that never ran to the best candidate that is still eligible; ends the job if there is none, or if
    /// there is less time left than a new job would need: a provider would be slashed at `end_by` for what it could
    /// not have done, and the customer would pay for half a run.
    pub(crate) fn next_candidate(id: AgreementId, mut job: Job<T::AccountId>) {
        Self::leave(id, &job);
        let in_time = Self::has_time(&job.request);
        let score = T::Identity::score(&job.customer);
        while let Some(next) = job.remaining.pop() {
            let provider = in_time
                .then(|| Self::take_over(id, &job, score, &next))
                .flatten();
            // The agreement has its own pin by now.
            T::Billing::unpin_plan(next.plan);
            if let Some(provider) = provider {
                return Self::assign(id, job, next, provider);
            }
        }
        let reason = EndReason::Expired;
        Self::finish_left(id, job, reason, reason.fault(), None)
    }

    /// Moves the agreement to a candidate; its provider if that went well.
    fn take_over(
        id: AgreementId,
        job: &Job<T::AccountId>,
        score: u8,
        next: &Candidate,
    ) -> Option<ProviderId> {
        let (cluster, _) =
            Self::standing(&job.request, score, next.cluster, next.partition).ok()?;
        Self::ensure_room(&cluster).ok()?;
        T::Billing::reassign(id, cluster.provider, next.plan).ok()?;
        Some(cluster.provider)
    }

    /// Writes a job that is on no cluster as assigned to `to`.
    pub(crate) fn assign(
        id: AgreementId,
        mut job: Job<T::AccountId>,
        to: Candidate,
        provider: ProviderId,
    ) {
        job.assignment = to;
        job.provider = provider;
        job.state = JobState::Assigned;
        job.accepted_at = None;
        let now = Self::now();
        job.start_by = now.saturating_add(job.request.start_within);
        job.deadline = now
            .saturating_add(T::AcceptTimeout::get())
            .min(job.start_by);
        Self::schedule(id, job.deadline);
        OpenJobs::<T>::insert(to.cluster, OrderedId::from(id), ());
        Self::count(to.cluster, |n| n.saturating_add(1));
        Self::deposit_event(Event::JobAssigned {
            job: id,
            provider,
            cluster: to.cluster,
            partition: to.partition,
            plan: to.plan,
            cost: to.cost,
            deadline: job.deadline,
            start_by: job.start_by,
        });
        Jobs::<T>::insert(id, job);
    }

    /// Ends a job. The bond is the caller's business.
    pub(crate) fn finish(
        id: AgreementId,
        job: Job<T::AccountId>,
        reason: EndReason,
        fault: Fault,
        end: Option<JobEnd>,
    ) {
        Self::leave(id, &job);
        Self::finish_left(id, job, reason, fault, end)
    }

    /// Ends a job that is on no cluster any more.
    fn finish_left(
        id: AgreementId,
        mut job: Job<T::AccountId>,
        reason: EndReason,
        fault: Fault,
        end: Option<JobEnd>,
    ) {
        while let Some(candidate) = job.remaining.pop() {
            T::Billing::unpin_plan(candidate.plan);
        }
        let at = Self::now();
        job.state = JobState::Ended(reason);
        job.ended_at = Some(at);
        job.end = end.clone();
        Jobs::<T>::insert(id, job);
        Self::deposit_event(Event::JobEnded {
            job: id,
            reason,
            fault,
            end,
            at,
        });
        T::Billing::end(id, fault);
    }

    /// Takes a share of what the current provider set aside for the job, if anything, and frees the rest.
    pub(crate) fn slash(id: AgreementId, job: &Job<T::AccountId>) {
        if job.accepted_at.is_none() {
            return;
        }
        let share = T::SlashShare::get();
        let amount = T::Providers::slash_bond(job.provider, id, share, &job.customer);
        Self::deposit_event(Event::BondSlashed {
            job: id,
            provider: job.provider,
            beneficiary: job.customer.clone(),
            amount,
        });
    }

    /// Sets the deadline that follows from the state of a job after its acceptance.
    pub(crate) fn reschedule(id: AgreementId, job: &mut Job<T::AccountId>) {
        let deadline = match (job.cancel_by, job.started_at) {
            (Some(cancel_by), _) => cancel_by,
            (None, Some(_)) => job.request.end_by,
            (None, None) => job.start_by,
        };
        if deadline != job.deadline {
            Deadlines::<T>::remove(job.deadline, id);
            Self::schedule(id, deadline);
            job.deadline = deadline;
        }
    }

    fn schedule(id: AgreementId, at: BlockNumber) {
        if !DeadlineCursor::<T>::exists() {
            DeadlineCursor::<T>::put(Self::now());
        }
        Deadlines::<T>::insert(at, id, ());
    }

    /// Takes a job off its deadline and its cluster.
    fn leave(id: AgreementId, job: &Job<T::AccountId>) {
        Deadlines::<T>::remove(job.deadline, id);
        OpenJobs::<T>::remove(job.assignment.cluster, OrderedId::from(id));
        Self::count(job.assignment.cluster, |n| n.saturating_sub(1));
    }

    fn count(cluster: ClusterId, change: impl Fn(u32) -> u32) {
        Clusters::<T>::mutate(cluster, |slot| {
            if let Some(cluster) = slot {
                cluster.open_jobs = change(cluster.open_jobs);
            }
        });
    }
}
