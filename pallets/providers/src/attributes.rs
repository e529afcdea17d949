//! What organisations say about themselves, and who vouches for it.

use crate::*;
use alloc::vec::Vec;
use frame_support::{
    ensure,
    traits::{Get, UnixTime},
};
use sp_core::H256;
use sp_runtime::DispatchResult;
use virtengine_primitives::{
    blake2_256, providers::Attestation, traits::AccountStanding, Moment, ProviderId, Role,
};

impl<T: Config> Pallet<T> {
    pub(crate) fn now() -> Moment {
        Moment::try_from(T::Time::now().as_millis()).unwrap_or(Moment::MAX)
    }

    /// See the call `set_attribute`.
    pub fn do_set_attribute(
        provider: ProviderId,
        key: AttributeKey,
        value: AttributeValue,
    ) -> DispatchResult {
        ensure!(is_attribute_key(&key), Error::<T>::InvalidAttributeKey);
        ensure!(is_printable(&value), Error::<T>::InvalidAttributeValue);
        match Attributes::<T>::get(provider, &key) {
            None => AttributeCount::<T>::try_mutate(provider, |count| {
                ensure!(
                    *count < T::MaxAttributes::get(),
                    Error::<T>::TooManyAttributes
                );
                *count = count.saturating_add(1);
                Ok::<_, Error<T>>(())
            })?,
            Some(old) if old != value => Attestations::<T>::remove(provider, &key),
            Some(_) => {}
        }
        Attributes::<T>::insert(provider, &key, &value);
        Self::deposit_event(Event::AttributeSet {
            provider,
            key,
            value,
        });
        Ok(())
    }

    /// See the call `clear_attribute`.
    pub fn do_clear_attribute(provider: ProviderId, key: AttributeKey) -> DispatchResult {
        Attributes::<T>::take(provider, &key).ok_or(Error::<T>::AttributeNotFound)?;
        Attestations::<T>::remove(provider, &key);
        AttributeCount::<T>::mutate_exists(provider, |count| {
            *count = count
                .unwrap_or_default()
                .checked_sub(1)
                .filter(|left| *left > 0)
        });
        Self::deposit_event(Event::AttributeCleared { provider, key });
        Ok(())
    }

    /// Removes all attributes with their attestations; at most [`Config::MaxAttributes`].
    pub(crate) fn remove_attributes(provider: ProviderId) {
        // Collected first: removing while iterating is undefined.
        let keys: Vec<AttributeKey> = Attributes::<T>::iter_key_prefix(provider).collect();
        for key in keys {
            Attributes::<T>::remove(provider, &key);
            Attestations::<T>::remove(provider, &key);
        }
        AttributeCount::<T>::remove(provider);
    }

    /// See the call `attest`.
    pub fn do_attest(
        attestor: T::AccountId,
        provider: ProviderId,
        key: AttributeKey,
        value_hash: H256,
        expires_at: Moment,
    ) -> DispatchResult {
        T::Standing::ensure_active(&attestor)?;
        ensure!(
            T::Standing::has_role(&attestor, Role::Attestor),
            Error::<T>::NotAttestor
        );
        let value = Attributes::<T>::get(provider, &key).ok_or(Error::<T>::AttributeNotFound)?;
        ensure!(blake2_256(&value) == value_hash, Error::<T>::ValueMismatch);
        let now = Self::now();
        ensure!(now < expires_at, Error::<T>::AlreadyExpired);
        Attestations::<T>::try_mutate(provider, &key, |all| {
            all.retain(|other| other.attestor != attestor);
            if all.is_full() {
                // Neither those that expired nor those of former attestors count any more.
                all.retain(|other| Self::counts(other, now));
            }
            all.try_push(Attestation {
                attestor: attestor.clone(),
                value_hash,
                expires_at,
            })
            .map_err(|_| Error::<T>::TooManyAttestations)
        })?;
        Self::deposit_event(Event::Attested {
            provider,
            key,
            attestor,
            value_hash,
            expires_at,
        });
        Ok(())
    }

    /// See the call `revoke_attestation`.
    pub fn do_revoke_attestation(
        attestor: T::AccountId,
        provider: ProviderId,
        key: AttributeKey,
    ) -> DispatchResult {
        Attestations::<T>::try_mutate_exists(provider, &key, |entry| {
            let mut all = entry.take().unwrap_or_default();
            let before = all.len();
            all.retain(|attestation| attestation.attestor != attestor);
            ensure!(all.len() < before, Error::<T>::AttestationNotFound);
            *entry = (!all.is_empty()).then_some(all);
            Ok::<_, Error<T>>(())
        })?;
        Self::deposit_event(Event::AttestationRevoked {
            provider,
            key,
            attestor,
        });
        Ok(())
    }

    fn counts(attestation: &Attestation<T::AccountId>, now: Moment) -> bool {
        now < attestation.expires_at && T::Standing::has_role(&attestation.attestor, Role::Attestor)
    }

    /// How many attestors vouch for the present value of an attribute at the moment `now`.
    pub fn do_attested(provider: ProviderId, key: &AttributeKey, now: Moment) -> u32 {
        let all = Attestations::<T>::get(provider, key);
        let valid = all
            .iter()
            .filter(|attestation| Self::counts(attestation, now))
            .count();
        // Bounded by `MaxAttestations`.
        u32::try_from(valid).unwrap_or(u32::MAX)
    }
}
