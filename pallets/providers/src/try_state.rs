//! What must hold between any two calls. Always compiled, so that tests of any level can ask.
//!
//! What cannot be checked here: that `live_agreements` is the number of agreements that billing has not settled, and
//! that bond is set aside only for those. The runtime checks it over both pallets.

use crate::*;
use alloc::{collections::BTreeMap, vec::Vec};
use frame_support::{
    ensure,
    traits::{fungible::hold::Inspect as _, Get},
};
use sp_runtime::TryRuntimeError;
use virtengine_primitives::{blake2_256, Balance, ProviderId};

impl<T: Config> Pallet<T> {
    /// All invariants.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::try_state_owners()?;
        Self::try_state_bonds()?;
        Self::try_state_hot_keys()?;
        Self::try_state_attributes()?;
        Self::try_state_orphans()
    }

    /// * Each organisation has one owner, each owner one organisation, and numbers are not used again.
    fn try_state_owners() -> Result<(), TryRuntimeError> {
        let next = NextProviderId::<T>::get();
        let mut count = 0u32;
        for (provider, record) in Organisations::<T>::iter() {
            ensure!(
                provider < next,
                "providers: a number that was not given out"
            );
            ensure!(
                OwnerOf::<T>::get(&record.owner) == Some(provider),
                "providers: owner not listed"
            );
            count = count.saturating_add(1);
        }
        let owners = u32::try_from(OwnerOf::<T>::iter().count());
        ensure!(owners == Ok(count), "providers: an owner of nothing");
        Ok(())
    }

    /// * What is held on the owner's account is the bond, to the unit.
    /// * What is set aside is the sum of the locks and no more than the bond.
    fn try_state_bonds() -> Result<(), TryRuntimeError> {
        let mut locks: BTreeMap<ProviderId, Balance> = BTreeMap::new();
        for (provider, _, amount) in BondLocks::<T>::iter() {
            let sum = locks.entry(provider).or_default();
            *sum = sum.saturating_add(amount);
        }
        for (provider, record) in Organisations::<T>::iter() {
            let held = T::Currency::balance_on_hold(&Self::bond_reason(), &record.owner);
            ensure!(held == record.bond, "providers: the hold is not the bond");
            let locked = locks.get(&provider).copied().unwrap_or_default();
            ensure!(
                locked == record.locked,
                "providers: locked is not the sum of the locks"
            );
            ensure!(
                record.locked <= record.bond,
                "providers: more is locked than there is"
            );
        }
        Ok(())
    }

    /// * The index of hot keys is the lists of hot keys, without repetition.
    /// * No hot key owns an organisation.
    fn try_state_hot_keys() -> Result<(), TryRuntimeError> {
        let mut count = 0usize;
        for (provider, keys) in HotKeys::<T>::iter() {
            ensure!(
                !keys.is_empty(),
                "providers: an empty list of hot keys is stored"
            );
            for key in &keys {
                ensure!(
                    WorkerOf::<T>::get(key) == Some(provider),
                    "providers: hot key not indexed"
                );
                ensure!(
                    !OwnerOf::<T>::contains_key(key),
                    "providers: a hot key is an owner"
                );
                count = count.saturating_add(1);
            }
        }
        // Equal numbers: a repetition in a list, or an index entry of no list, would make them differ.
        ensure!(
            WorkerOf::<T>::iter().count() == count,
            "providers: index of hot keys"
        );
        Ok(())
    }

    /// * Attributes are counted, none above the limit.
    /// * Every attestation is of the present value, and no attestor is counted twice.
    fn try_state_attributes() -> Result<(), TryRuntimeError> {
        let mut counts: BTreeMap<ProviderId, u32> = BTreeMap::new();
        for (provider, _, _) in Attributes::<T>::iter() {
            let count = counts.entry(provider).or_default();
            *count = count.saturating_add(1);
        }
        let stored: BTreeMap<ProviderId, u32> = AttributeCount::<T>::iter().collect();
        ensure!(stored == counts, "providers: number of attributes");
        ensure!(
            counts
                .values()
                .all(|count| *count <= T::MaxAttributes::get()),
            "providers: too many attributes"
        );
        for (provider, key, all) in Attestations::<T>::iter() {
            let value = Attributes::<T>::get(provider, &key)
                .ok_or("providers: an attestation of nothing")?;
            let hash = blake2_256(&value);
            ensure!(
                all.iter().all(|attestation| attestation.value_hash == hash),
                "providers: an attestation of another value"
            );
            let mut attestors: Vec<_> = all.iter().map(|a| &a.attestor).collect();
            attestors.sort();
            attestors.dedup();
            ensure!(
                attestors.len() == all.len(),
                "providers: an attestor counts twice"
            );
        }
        Ok(())
    }

    /// * Nothing is stored of an organisation that is gone.
    fn try_state_orphans() -> Result<(), TryRuntimeError> {
        let exists = |provider: ProviderId| Organisations::<T>::contains_key(provider);
        ensure!(
            HotKeys::<T>::iter_keys().all(exists)
                && SupportAgents::<T>::iter_keys().all(exists)
                && Offers::<T>::iter_keys().all(exists)
                && AttributeCount::<T>::iter_keys().all(exists)
                && BondLocks::<T>::iter_keys().all(|(provider, _)| exists(provider))
                && OwnerOf::<T>::iter_values().all(exists),
            "providers: something of an organisation that is gone"
        );
        Ok(())
    }
}
