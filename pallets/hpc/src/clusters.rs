//! Clusters and their allow-lists.

use crate::*;
use alloc::collections::BTreeSet;
use codec::MaxEncodedLen;
use frame_support::{
    ensure,
    traits::{Consideration, Footprint, Get},
};
use sp_runtime::{DispatchError, DispatchResult};
use virtengine_primitives::{
    hpc::{Cluster, ClusterSpec, ClusterState, Partition, Resources},
    traits::{AccountStanding, Billing, ProviderRegistry},
    ClusterId, Name, ProviderId, TemplateHash,
};

/// What the smallest job asks for: a plan that cannot price it prices nothing.
const SMALLEST: Resources = Resources {
    nodes: 1,
    cpus: 1,
    memory_mib: 1,
    gpus: 0,
    gpu_type: 0,
    array_tasks: 1,
};

impl<T: Config> Pallet<T> {
    /// Registers a cluster and returns its number. See `register_cluster`.
    pub fn do_register_cluster(
        owner: T::AccountId,
        spec: ClusterSpec,
    ) -> Result<ClusterId, DispatchError> {
        let provider = T::Providers::owned_by(&owner).ok_or(Error::<T>::NotAnOwner)?;
        T::Accounts::ensure_active(&owner)?;
        Self::ensure_sound(provider, &spec)?;
        let id = NextCluster::<T>::get();
        let next = id.checked_add(1).ok_or(Error::<T>::NumbersExhausted)?;
        let ticket = T::Consideration::new(&owner, Self::cluster_footprint(0))?;
        NextCluster::<T>::put(next);
        ClusterDeposits::<T>::insert(
            id,
            ClusterDeposit {
                depositor: owner,
                ticket,
                templates: 0,
            },
        );
        Clusters::<T>::insert(
            id,
            Cluster {
                provider,
                spec: spec.clone(),
                state: ClusterState::Open,
                open_jobs: 0,
            },
        );
        Self::deposit_event(Event::ClusterRegistered {
            cluster: id,
            provider,
            spec,
        });
        Ok(id)
    }

    /// See `update_cluster`.
    pub fn do_update_cluster(
        owner: T::AccountId,
        id: ClusterId,
        spec: ClusterSpec,
    ) -> DispatchResult {
        let mut cluster = Self::own_cluster(&owner, id)?;
        T::Accounts::ensure_active(&owner)?;
        Self::ensure_sound(cluster.provider, &spec)?;
        if cluster.open_jobs > 0 {
            let kept = spec.partitions.len() >= cluster.spec.partitions.len()
                && (cluster.spec.partitions.iter())
                    .zip(spec.partitions.iter())
                    .all(|(old, new)| old.name == new.name);
            ensure!(kept, Error::<T>::PartitionInUse);
        }
        cluster.spec = spec.clone();
        Clusters::<T>::insert(id, cluster);
        Self::deposit_event(Event::ClusterUpdated { cluster: id, spec });
        Ok(())
    }

    /// See `set_cluster_state`.
    pub fn do_set_cluster_state(
        owner: T::AccountId,
        id: ClusterId,
        state: ClusterState,
    ) -> DispatchResult {
        let mut cluster = Self::own_cluster(&owner, id)?;
        cluster.state = state;
        Clusters::<T>::insert(id, cluster);
        Self::deposit_event(Event::ClusterStateSet { cluster: id, state });
        Ok(())
    }

    /// Removes a cluster and returns how many templates went with it. See `deregister_cluster`.
    pub fn do_deregister_cluster(who: T::AccountId, id: ClusterId) -> Result<u32, DispatchError> {
        let cluster = Clusters::<T>::get(id).ok_or(Error::<T>::UnknownCluster)?;
        let deposit = ClusterDeposits::<T>::get(id).ok_or(Error::<T>::UnknownCluster)?;
        let may = match T::Providers::owner(cluster.provider) {
            Some(owner) => owner == who,
            None => deposit.depositor == who,
        };
        ensure!(may, Error::<T>::NotYourCluster);
        ensure!(cluster.open_jobs == 0, Error::<T>::OpenJobsRemain);
        deposit.ticket.drop(&deposit.depositor)?;
        Clusters::<T>::remove(id);
        ClusterDeposits::<T>::remove(id);
        // All of them, and no limit: a limit counts only what was there before this block, and there are at most
        // `MaxTemplates`.
        let _ = AllowedTemplates::<T>::clear_prefix(id, u32::MAX, None);
        Self::deposit_event(Event::ClusterDeregistered { cluster: id });
        Ok(deposit.templates)
    }

    /// See `allow_template`.
    pub fn do_allow_template(
        owner: T::AccountId,
        id: ClusterId,
        template: TemplateHash,
        name: Name,
    ) -> DispatchResult {
        Self::own_cluster(&owner, id)?;
        T::Accounts::ensure_active(&owner)?;
        ensure!(is_text(&name), Error::<T>::BadName);
        ensure!(
            !AllowedTemplates::<T>::contains_key(id, template),
            Error::<T>::TemplateAlreadyAllowed
        );
        Self::recount_templates(id, Some(&owner), |n| n.checked_add(1))?;
        AllowedTemplates::<T>::insert(id, template, &name);
        Self::deposit_event(Event::TemplateAllowed {
            cluster: id,
            template,
            name,
        });
        Ok(())
    }

    /// See `disallow_template`.
    pub fn do_disallow_template(
        owner: T::AccountId,
        id: ClusterId,
        template: TemplateHash,
    ) -> DispatchResult {
        Self::own_cluster(&owner, id)?;
        AllowedTemplates::<T>::take(id, template).ok_or(Error::<T>::TemplateNotAllowed)?;
        Self::recount_templates(id, None, |n| n.checked_sub(1))?;
        Self::deposit_event(Event::TemplateDisallowed {
            cluster: id,
            template,
        });
        Ok(())
    }

    /// What a cluster with `templates` templates takes in the state.
    pub(crate) fn cluster_footprint(templates: u32) -> Footprint {
        let template = TemplateHash::max_encoded_len().saturating_add(Name::max_encoded_len());
        let templates = template.saturating_mul(usize::try_from(templates).unwrap_or(usize::MAX));
        Footprint::from_parts(1, Cluster::max_encoded_len().saturating_add(templates))
    }

    /// The cluster, if `owner` owns its provider.
    fn own_cluster(owner: &T::AccountId, id: ClusterId) -> Result<Cluster, DispatchError> {
        let provider = T::Providers::owned_by(owner).ok_or(Error::<T>::NotAnOwner)?;
        let cluster = Clusters::<T>::get(id).ok_or(Error::<T>::UnknownCluster)?;
        ensure!(cluster.provider == provider, Error::<T>::NotYourCluster);
        Ok(cluster)
    }

    /// Changes the number of a cluster's templates and its deposit with it. The deposit becomes `payer`'s, if one is
    /// named: the organisation may have changed hands, and nobody pays for what a later owner adds.
    fn recount_templates(
        id: ClusterId,
        payer: Option<&T::AccountId>,
        change: impl Fn(u32) -> Option<u32>,
    ) -> DispatchResult {
        ClusterDeposits::<T>::try_mutate_exists(id, |slot| {
            let old = slot.take().ok_or(Error::<T>::UnknownCluster)?;
            let templates = change(old.templates)
                .filter(|n| *n <= T::MaxTemplates::get())
                .ok_or(Error::<T>::TooManyTemplates)?;
            let footprint = Self::cluster_footprint(templates);
            let (depositor, ticket) = match payer {
                Some(payer) if *payer != old.depositor => {
                    old.ticket.drop(&old.depositor)?;
                    (payer.clone(), T::Consideration::new(payer, footprint)?)
                }
                _ => {
                    let ticket = old.ticket.update(&old.depositor, footprint)?;
                    (old.depositor, ticket)
                }
            };
            *slot = Some(ClusterDeposit {
                depositor,
                ticket,
                templates,
            });
            Ok(())
        })
    }

    /// Fails with the error of the first field that makes no sense.
    fn ensure_sound(provider: ProviderId, spec: &ClusterSpec) -> DispatchResult {
        ensure!(is_text(&spec.name), Error::<T>::BadName);
        ensure!(spec.max_open_jobs > 0, Error::<T>::NoJobsAtOnce);
        ensure!(spec.min_score <= 100, Error::<T>::BadScore);
        ensure!(!spec.partitions.is_empty(), Error::<T>::NoPartitions);
        let mut names = BTreeSet::new();
        for partition in &spec.partitions {
            ensure!(is_word(&partition.name), Error::<T>::BadName);
            ensure!(
                names.insert(&partition.name),
                Error::<T>::DuplicatePartition
            );
            ensure!(!is_empty(partition), Error::<T>::EmptyPartition);
            let quote = SMALLEST
                .allocation(1)
                .and_then(|smallest| T::Billing::quote(partition.plan, provider, &smallest));
            ensure!(quote.is_some(), Error::<T>::BadPlan);
        }
        Ok(())
    }
}

/// Whether a name is UTF-8 and not empty.
fn is_text(name: &Name) -> bool {
    !name.is_empty() && core::str::from_utf8(name).is_ok()
}

/// Whether a name is one word that every scheduler takes literally.
fn is_word(name: &Name) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Whether no job could ever run in a partition.
fn is_empty(partition: &Partition) -> bool {
    partition.nodes == 0
        || partition.cpus_per_node == 0
        || partition.memory_mib_per_node == 0
        || partition.max_walltime == 0
}
