//! What customers and providers do with a job. Every function judges the deadline itself: an action is valid iff
//! `now < job.deadline`.

use crate::*;
use frame_support::{
    ensure,
    pallet_prelude::MaxEncodedLen,
    storage::with_storage_layer,
    traits::{Consideration, Get, UnixTime},
    weights::Weight,
};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use sp_runtime::{DispatchError, DispatchResult};
use virtengine_primitives::{
    billing::Fault,
    hpc::*,
    traits::{AccountStanding, Billing, EnvelopePolicy, OnAgreementEnded, ProviderRegistry},
    AgreementId, Moment, ProviderId,
};

impl<T: Config> Pallet<T> {
    /// The provider that the origin is a hot key of. It may be suspended: what was accepted is brought to its end.
    pub(crate) fn ensure_worker(origin: OriginFor<T>) -> Result<ProviderId, DispatchError> {
        let who = ensure_signed(origin)?;
        Ok(T::Providers::worker_of(&who).ok_or(Error::<T>::NotAWorker)?)
    }

    /// The provider that the origin is a hot key of, in good standing: for taking on work.
    pub(crate) fn ensure_active_worker(origin: OriginFor<T>) -> Result<ProviderId, DispatchError> {
        let who = ensure_signed(origin)?;
        let provider = T::Providers::worker_of(&who).ok_or(Error::<T>::NotAWorker)?;
        T::Accounts::ensure_active(&who)?;
        Ok(provider)
    }

    /// What the ends of some jobs weigh beyond what is measured: the provider's faults take back what was written on
    /// invoices, and of an obstructed job the one in its way is read.
    pub(crate) fn reasons_weight<'a>(ends: impl Iterator<Item = &'a JobEnd>) -> Weight {
        let of = |end: &JobEnd| match end.reason {
            EndReason::Obstructed(_) => <T as frame_system::Config>::DbWeight::get()
                .reads(1)
                .saturating_add(Weight::from_parts(
                    0,
                    Job::<T::AccountId>::max_encoded_len() as u64,
                )),
            reason if reason.fault() == Fault::Provider => T::Billing::take_back_weight(),
            _ => Weight::zero(),
        };
        ends.map(of)
            .fold(Weight::zero(), |sum, weight| sum.saturating_add(weight))
    }

    /// Does `what` to every item on its own; a refusal undoes that item only and is told by an event.
    pub(crate) fn each<A>(
        items: impl Iterator<Item = (AgreementId, A)>,
        what: impl Fn(AgreementId, A) -> DispatchResult,
    ) {
        for (job, argument) in items {
            if let Err(error) = with_storage_layer(|| what(job, argument)) {
                Self::deposit_event(Event::ItemFailed { job, error });
            }
        }
    }

    /// See `accept_many`.
    pub fn do_accept(provider: ProviderId, id: AgreementId) -> DispatchResult {
        let mut job = Self::own_job(provider, id)?;
        ensure!(job.state == JobState::Assigned, Error::<T>::AlreadyAccepted);
        ensure!(
            T::Providers::is_operational(provider),
            Error::<T>::ProviderNotOperational
        );
        T::Providers::lock_bond(provider, id, T::AcceptanceBond::get())?;
        let at = Self::clock();
        job.state = JobState::Accepted;
        job.accepted_at = Some(at);
        Self::reschedule(id, &mut job);
        Self::deposit_event(Event::JobAccepted {
            job: id,
            provider,
            at,
            deadline: job.deadline,
        });
        Jobs::<T>::insert(id, job);
        Ok(())
    }

    /// See `decline`.
    pub fn do_decline(
        provider: ProviderId,
        id: AgreementId,
        reason: DeclineReason,
    ) -> DispatchResult {
        let job = Self::own_job(provider, id)?;
        ensure!(job.started_at.is_none(), Error::<T>::AlreadyStarted);
        ensure!(job.cancel_by.is_none(), Error::<T>::CancelRequestedAlready);
        Self::deposit_event(Event::JobDeclined {
            job: id,
            provider,
            reason,
        });
        Self::slash(id, &job);
        Self::next_candidate(id, job);
        Ok(())
    }

    /// See `update_many`.
    pub fn do_update(
        provider: ProviderId,
        id: AgreementId,
        progress: JobProgress,
    ) -> DispatchResult {
        let mut job = Self::own_job(provider, id)?;
        let to = match progress {
            JobProgress::Staging => JobState::Staging,
            JobProgress::Queued => JobState::Queued,
            JobProgress::Running(_) => JobState::Running,
        };
        ensure!(job.state != JobState::Assigned, Error::<T>::NotAccepted);
        ensure!(job.state.may_become(&to), Error::<T>::WrongState);
        let now = Self::clock();
        let at = match progress {
            JobProgress::Running(at) => {
                // What had not started when the customer cancelled does not start: otherwise a cancelled job could
                // be started only to earn the minimum charge.
                ensure!(
                    job.cancel_by.is_none() || job.started_at.is_some(),
                    Error::<T>::CancelRequestedAlready
                );
                let accepted = job.accepted_at.ok_or(Error::<T>::NotAccepted)?;
                ensure!(accepted <= at, Error::<T>::StartedBeforeAcceptance);
                ensure!(
                    at <= now.saturating_add(FUTURE_TOLERANCE_MS),
                    Error::<T>::StartedInFuture
                );
                T::Billing::start(id, at)?;
                job.started_at = job.started_at.or(Some(at));
                at
            }
            _ => now,
        };
        job.state = to;
        Self::reschedule(id, &mut job);
        Self::deposit_event(Event::JobProgressed {
            job: id,
            state: to,
            at,
            deadline: job.deadline,
        });
        Jobs::<T>::insert(id, job);
        Ok(())
    }

    /// See `complete`.
    pub fn do_complete(provider: ProviderId, id: AgreementId, end: JobEnd) -> DispatchResult {
        let job = Self::own_job(provider, id)?;
        ensure!(job.state != JobState::Assigned, Error::<T>::NotAccepted);
        Self::ensure_true(&job, &end)?;
        if let Some(result) = &end.result {
            T::Envelopes::ensure_sealed_to(result, core::slice::from_ref(&job.customer))?;
        }
        let (reason, fault) = (end.reason, end.reason.fault());
        if fault == Fault::Provider && job.started_at.is_none() && job.cancel_by.is_none() {
            Self::slash(id, &job);
        } else {
            T::Providers::unlock_bond(provider, id);
        }
        Self::finish(id, job, reason, fault, Some(end));
        Ok(())
    }

    /// See `cancel`.
    pub fn do_cancel(who: &T::AccountId, id: AgreementId) -> DispatchResult {
        let mut job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        ensure!(job.customer == *who, Error::<T>::NotTheCustomer);
        Self::ensure_in_time(&job)?;
        ensure!(job.cancel_by.is_none(), Error::<T>::CancelRequestedAlready);
        if job.state == JobState::Assigned {
            let reason = EndReason::Cancelled;
            Self::finish(id, job, reason, reason.fault(), None);
            return Ok(());
        }
        let cancel_by = Self::now()
            .saturating_add(T::CancelTimeout::get())
            .min(job.request.end_by);
        job.cancel_by = Some(cancel_by);
        Self::reschedule(id, &mut job);
        Jobs::<T>::insert(id, job);
        Self::deposit_event(Event::CancelRequested { job: id, cancel_by });
        Ok(())
    }

    /// See `expire`.
    pub fn do_expire(id: AgreementId) -> DispatchResult {
        let job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        ensure!(job.ended_at.is_none(), Error::<T>::AlreadyEnded);
        ensure!(Self::now() >= job.deadline, Error::<T>::NotDue);
        Self::act_on_deadline(id, job);
        Ok(())
    }

    /// See `prune`.
    pub fn do_prune(id: AgreementId) -> DispatchResult {
        let job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        ensure!(job.ended_at.is_some(), Error::<T>::NotEnded);
        ensure!(T::Billing::is_gone(id), Error::<T>::NotSettled);
        if let Some(ticket) = JobDeposits::<T>::take(id) {
            ticket.drop(&job.customer)?;
        }
        JobsOf::<T>::remove(&job.customer, OrderedId::from(id));
        Jobs::<T>::remove(id);
        Self::deposit_event(Event::JobPruned { job: id });
        Ok(())
    }

    /// The job, if it is assigned to `provider`, has not ended and its deadline was not reached.
    fn own_job(provider: ProviderId, id: AgreementId) -> Result<Job<T::AccountId>, DispatchError> {
        let job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        ensure!(job.provider == provider, Error::<T>::NotYourJob);
        Self::ensure_in_time(&job)?;
        Ok(job)
    }

    fn ensure_in_time(job: &Job<T::AccountId>) -> DispatchResult {
        ensure!(job.ended_at.is_none(), Error::<T>::AlreadyEnded);
        ensure!(Self::now() < job.deadline, Error::<T>::DeadlinePassed);
        Ok(())
    }

    /// Fails if a job in this state cannot have ended like this.
    fn ensure_true(job: &Job<T::AccountId>, end: &JobEnd) -> DispatchResult {
        use EndReason::*;
        ensure!(end.reason.is_reportable(), Error::<T>::NotReportable);
        if end.reason == Cancelled {
            ensure!(job.cancel_by.is_some(), Error::<T>::CancelNotRequested);
        }
        if matches!(end.reason, Completed | Failed | OutOfMemory | TimedOut) {
            ensure!(job.started_at.is_some(), Error::<T>::NotStarted);
        }
        if let Obstructed(other) = end.reason {
            ensure!(job.started_at.is_none(), Error::<T>::AlreadyStarted);
            let other = Jobs::<T>::get(other);
            ensure!(
                other.is_some_and(|other| job.may_be_obstructed_by(&other)),
                Error::<T>::NotObstructed
            );
        }
        let TaskCounts {
            done,
            failed,
            cancelled,
        } = end.tasks;
        let tasks = done
            .checked_add(failed)
            .and_then(|sum| sum.checked_add(cancelled));
        ensure!(
            tasks == Some(job.request.resources.array_tasks),
            Error::<T>::TaskCountMismatch
        );
        if end.reason == Completed {
            ensure!(
                end.exit_code == 0 && failed == 0 && cancelled == 0,
                Error::<T>::EndContradictsItself
            );
        }
        Ok(())
    }

    /// Unix time in milliseconds.
    fn clock() -> Moment {
        u64::try_from(T::Time::now().as_millis()).unwrap_or(u64::MAX)
    }
}

impl<T: Config> OnAgreementEnded for Pallet<T> {
    fn on_settled(agreement: AgreementId) {
        if Jobs::<T>::contains_key(agreement) {
            Self::deposit_event(Event::JobSettled { job: agreement });
        }
    }

    fn takes_usage(agreement: AgreementId) -> bool {
        Jobs::<T>::get(agreement).is_none_or(|job| Self::ensure_in_time(&job).is_ok())
    }

    fn weight() -> Weight {
        <T as frame_system::Config>::DbWeight::get().reads(1)
    }
}
