//! From a request to an assignment: which candidates are eligible, and what is held and stored for the job.

use crate::*;
use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};
use codec::{Encode, MaxEncodedLen};
use frame_support::{
    ensure,
    traits::{Consideration, Footprint, Get},
};
use sp_runtime::{BoundedVec, DispatchError, DispatchResult};
use virtengine_primitives::{
    billing::Allocation,
    hpc::*,
    traits::{AccountStanding, Billing, EnvelopePolicy, IdentityScore, ProviderRegistry},
    AgreementId, BlockNumber, ClusterId,
};

impl<T: Config> Pallet<T> {
    /// Submits a job and returns its number. See `submit`.
    pub fn do_submit(
        customer: T::AccountId,
        request: JobRequest,
    ) -> Result<AgreementId, DispatchError> {
        let id = NextJob::<T>::get();
        let next = id.checked_add(1).ok_or(Error::<T>::NumbersExhausted)?;
        let mut ranked = Self::eligible(&customer, &request, id)?;
        let best = ranked.pop().ok_or(Error::<T>::NoCandidates)?;
        let provider = Clusters::<T>::get(best.cluster)
            .ok_or(Error::<T>::UnknownCluster)?
            .provider;
        let allocation = Self::allocation(&request)?;

        T::Billing::open(
            id,
            &customer,
            provider,
            best.plan,
            request.ceiling,
            allocation,
        )?;
        for candidate in &ranked {
            T::Billing::pin_plan(candidate.plan)?;
        }
        let remaining: BoundedVec<_, _> = ranked
            .try_into()
            .map_err(|_| Error::<T>::DuplicateCandidate)?;
        let job = Job {
            customer: customer.clone(),
            request,
            remaining,
            assignment: best,
            provider,
            state: JobState::Assigned,
            deadline: 0,
            start_by: 0,
            accepted_at: None,
            started_at: None,
            cancel_by: None,
            end: None,
            ended_at: None,
        };
        JobDeposits::<T>::insert(
            id,
            T::Consideration::new(&customer, Self::job_footprint(&job))?,
        );
        NextJob::<T>::put(next);
        JobsOf::<T>::insert(&customer, OrderedId::from(id), ());
        Self::deposit_event(Event::JobSubmitted {
            job: id,
            customer,
            request: Box::new(job.request.clone()),
            remaining: job.remaining.clone(),
        });
        Self::assign(id, job, best, provider);
        Ok(id)
    }

    /// The eligible candidates of a request, the best **last**; or the error of the candidate that came furthest.
    pub(crate) fn eligible(
        customer: &T::AccountId,
        request: &JobRequest,
        id: AgreementId,
    ) -> Result<Vec<Candidate>, DispatchError> {
        T::Accounts::ensure_active(customer)?;
        Self::ensure_well_formed(request)?;
        let able = T::Envelopes::who_can_open(&request.payload)?;
        let allocation = Self::allocation(request)?;
        let score = T::Identity::score(customer);
        let mut eligible = Vec::new();
        let mut furthest = None;
        for (cluster, partition) in &request.candidates {
            match Self::judge(request, &allocation, score, &able, *cluster, *partition) {
                Ok(candidate) => eligible.push(candidate),
                Err(refusal) => furthest = furthest.max(Some(refusal)),
            }
        }
        match furthest {
            Some(refusal) if eligible.is_empty() => Err(refusal.error::<T>()),
            _ => Ok(rank(id, eligible)),
        }
    }

    /// Whether a cluster can take a job of this shape, leaving price, payload and room aside.
    pub(crate) fn standing(
        request: &JobRequest,
        score: u8,
        id: ClusterId,
        partition: u8,
    ) -> Result<(Cluster, Partition), Refusal> {
        let cluster = Clusters::<T>::get(id).ok_or(Refusal::UnknownCluster)?;
        let partition = cluster
            .spec
            .partitions
            .get(usize::from(partition))
            .ok_or(Refusal::UnknownPartition)?
            .clone();
        if cluster.state != ClusterState::Open {
            return Err(Refusal::Draining);
        }
        if !T::Providers::is_operational(cluster.provider) {
            return Err(Refusal::NotOperational);
        }
        if !partition.fits(&request.resources, request.walltime) {
            return Err(Refusal::DoesNotFit);
        }
        match request.workload {
            Workload::Script if !cluster.spec.custom_scripts => {
                return Err(Refusal::ScriptNotAllowed)
            }
            Workload::Template(hash) if !AllowedTemplates::<T>::contains_key(id, hash) => {
                return Err(Refusal::TemplateNotAllowed);
            }
            _ => {}
        }
        if score < cluster.spec.min_score {
            return Err(Refusal::ScoreTooLow);
        }
        Ok((cluster, partition))
    }

    /// Whether a cluster may get another job.
    pub(crate) fn ensure_room(cluster: &Cluster) -> Result<(), Refusal> {
        if cluster.open_jobs < cluster.spec.max_open_jobs {
            Ok(())
        } else {
            Err(Refusal::NoCapacity)
        }
    }

    /// All checks of one candidate, in the order of [`Refusal`].
    fn judge(
        request: &JobRequest,
        allocation: &Allocation,
        score: u8,
        able: &[T::AccountId],
        id: ClusterId,
        index: u8,
    ) -> Result<Candidate, Refusal> {
        let (cluster, partition) = Self::standing(request, score, id, index)?;
        let (asset, cost) = T::Billing::quote(partition.plan, cluster.provider, allocation)
            .ok_or(Refusal::NoQuote)?;
        if asset != request.asset {
            return Err(Refusal::WrongAsset);
        }
        if cost > request.ceiling {
            return Err(Refusal::CeilingBelowQuote);
        }
        // Keys that a provider reads with are registered by its owner or by a hot key: either will do.
        let mut readers = T::Providers::readers(cluster.provider).into_iter();
        if !readers.any(|reader| able.contains(&reader)) {
            return Err(Refusal::PayloadNotReadable);
        }
        Self::ensure_room(&cluster)?;
        Ok(Candidate {
            cluster: id,
            partition: index,
            plan: partition.plan,
            cost,
        })
    }

    /// Fails with the error of the first field that makes no sense.
    fn ensure_well_formed(request: &JobRequest) -> DispatchResult {
        ensure!(!request.candidates.is_empty(), Error::<T>::NoCandidates);
        let distinct: BTreeSet<_> = request.candidates.iter().collect();
        ensure!(
            distinct.len() == request.candidates.len(),
            Error::<T>::DuplicateCandidate
        );
        ensure!(request.resources.is_well_formed(), Error::<T>::BadResources);
        ensure!(request.walltime > 0, Error::<T>::ZeroWalltime);
        ensure!(request.ceiling > 0, Error::<T>::ZeroCeiling);
        ensure!(
            request.inputs.iter().all(|input| input.length > 0),
            Error::<T>::EmptyInput
        );
        let inputs: BTreeSet<_> = request.inputs.iter().map(|input| input.hash).collect();
        ensure!(
            inputs.len() == request.inputs.len(),
            Error::<T>::DuplicateInput
        );
        ensure!(
            request.start_within >= T::MinStartWithin::get(),
            Error::<T>::StartWithinTooShort
        );
        ensure!(Self::has_time(request), Error::<T>::EndByTooEarly);
        ensure!(
            request.end_by <= Self::now().saturating_add(T::MaxJobLife::get()),
            Error::<T>::EndByTooLate
        );
        Ok(())
    }

    /// Whether a job that is assigned now may start as late as it is allowed to and still run its whole wall time.
    pub(crate) fn has_time(request: &JobRequest) -> bool {
        let earliest = u64::from(Self::now())
            .saturating_add(request.start_within.into())
            .saturating_add(Self::blocks(request.walltime));
        u64::from(request.end_by) > earliest
    }

    /// Blocks that `seconds` take, rounded up.
    pub(crate) fn blocks(seconds: u64) -> u64 {
        let block = T::BlockDuration::get().max(1);
        seconds.saturating_mul(1_000).div_ceil(block)
    }

    fn allocation(request: &JobRequest) -> Result<Allocation, Error<T>> {
        request
            .resources
            .allocation(request.walltime)
            .ok_or(Error::<T>::BadResources)
    }

    /// What a job takes in the state, with the largest end that may be reported for it.
    pub(crate) fn job_footprint(job: &Job<T::AccountId>) -> Footprint {
        Footprint::from_parts(
            1,
            job.encoded_size().saturating_add(JobEnd::max_encoded_len()),
        )
    }

    /// The height that deadlines are judged by.
    pub(crate) fn now() -> BlockNumber {
        use sp_runtime::traits::BlockNumberProvider;
        T::BlockNumberProvider::current_block_number()
    }
}
