//! Answers for the runtime API `HpcApi`, by the same names.

use crate::*;
use alloc::vec::Vec;
use frame_support::traits::Get;
use sp_runtime::DispatchError;
use virtengine_primitives::{
    apis::PAGE,
    hpc::{Candidate, Cluster, Job, JobRequest},
    AgreementId, BlockNumber, ClusterId, Name, TemplateHash,
};

/// Most numbers looked at for one page of clusters: gaps are where clusters were deregistered.
const SCAN: u32 = 1_000;

impl<T: Config> Pallet<T> {
    /// A cluster.
    pub fn cluster(id: ClusterId) -> Option<Cluster> {
        Clusters::<T>::get(id)
    }

    /// Clusters from `from` on, at most [`PAGE`], with the number to continue from. A page may be short, even empty,
    /// while there is a number to continue from.
    pub fn clusters(from: ClusterId) -> (Vec<(ClusterId, Cluster)>, Option<ClusterId>) {
        let next = NextCluster::<T>::get();
        let mut page = Vec::new();
        let mut id = from;
        while id < next && page.len() < PAGE as usize && id < from.saturating_add(SCAN) {
            if let Some(cluster) = Clusters::<T>::get(id) {
                page.push((id, cluster));
            }
            id = id.saturating_add(1);
        }
        (page, (id < next).then_some(id))
    }

    /// Templates that a cluster runs.
    pub fn templates(id: ClusterId) -> Vec<(TemplateHash, Name)> {
        AllowedTemplates::<T>::iter_prefix(id)
            .take(PAGE as usize)
            .collect()
    }

    /// A job.
    pub fn job(id: AgreementId) -> Option<Job<T::AccountId>> {
        Jobs::<T>::get(id)
    }

    /// Of the first [`PAGE`] of some jobs, an answer for each, in order.
    pub fn jobs(ids: Vec<AgreementId>) -> Vec<Option<Job<T::AccountId>>> {
        ids.into_iter().take(PAGE as usize).map(Self::job).collect()
    }

    /// Jobs of a customer after `after`, at most [`PAGE`], in order of number.
    pub fn jobs_of(
        customer: T::AccountId,
        after: Option<AgreementId>,
    ) -> Vec<(AgreementId, Job<T::AccountId>)> {
        match after {
            None => Self::page(JobsOf::<T>::iter_key_prefix(&customer)),
            Some(after) => {
                let start = JobsOf::<T>::hashed_key_for(&customer, OrderedId::from(after));
                Self::page(JobsOf::<T>::iter_key_prefix_from(&customer, start))
            }
        }
    }

    /// Jobs assigned to a cluster and not ended, after `after`, at most [`PAGE`], in order of number.
    pub fn open_jobs(
        cluster: ClusterId,
        after: Option<AgreementId>,
    ) -> Vec<(AgreementId, Job<T::AccountId>)> {
        match after {
            None => Self::page(OpenJobs::<T>::iter_key_prefix(cluster)),
            Some(after) => {
                let start = OpenJobs::<T>::hashed_key_for(cluster, OrderedId::from(after));
                Self::page(OpenJobs::<T>::iter_key_prefix_from(cluster, start))
            }
        }
    }

    /// What `submit` would do: the candidates in the order in which they would be tried, or why not. Whether the
    /// customer can pay is not looked at.
    pub fn candidates(
        customer: T::AccountId,
        request: JobRequest,
    ) -> Result<Vec<Candidate>, DispatchError> {
        let mut ranked = Self::eligible(&customer, &request, NextJob::<T>::get())?;
        ranked.reverse();
        Ok(ranked)
    }

    /// Number that the next job will get.
    pub fn next_job() -> AgreementId {
        NextJob::<T>::get()
    }

    /// Blocks that constants of the pallet stand for: (accept timeout, cancel timeout, longest job life).
    pub fn limits() -> (BlockNumber, BlockNumber, BlockNumber) {
        (
            T::AcceptTimeout::get(),
            T::CancelTimeout::get(),
            T::MaxJobLife::get(),
        )
    }

    fn page(ids: impl Iterator<Item = OrderedId>) -> Vec<(AgreementId, Job<T::AccountId>)> {
        ids.take(PAGE as usize)
            .map(AgreementId::from)
            .filter_map(|id| Jobs::<T>::get(id).map(|job| (id, job)))
            .collect()
    }
}
