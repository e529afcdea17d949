//! What the calls do, and the policy that other pallets ask.

use crate::*;
use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::{
    ensure,
    traits::{Consideration, Get},
};
use sp_runtime::{traits::BlockNumberProvider, DispatchError, DispatchResult};
use virtengine_primitives::{
    envelope::{key_id, EnvelopeHeader},
    traits::EnvelopePolicy,
    Name,
};

/// Whether a label can be shown: UTF-8 without control characters. An empty one is one's own business.
fn is_printable(label: &[u8]) -> bool {
    core::str::from_utf8(label).is_ok_and(|text| !text.chars().any(char::is_control))
}

impl<T: Config> Pallet<T> {
    /// See the call `register_key`. Standing is the caller's business.
    pub fn do_register(who: &T::AccountId, public: [u8; 32], label: Name) -> DispatchResult {
        ensure!(is_sound(&public), Error::<T>::UnsoundKey);
        ensure!(is_printable(&label), Error::<T>::InvalidLabel);
        let id = key_id(&public);
        ensure!(!Keys::<T>::contains_key(id), Error::<T>::AlreadyRegistered);
        KeyCount::<T>::try_mutate(who, |count| {
            ensure!(*count < T::MaxKeys::get(), Error::<T>::TooManyKeys);
            *count = count.saturating_add(1);
            Ok::<_, Error<T>>(())
        })?;
        let ticket = T::Consideration::new(who, footprint())?;
        let key = EncryptionKey {
            public,
            label: label.clone(),
            registered_at: T::BlockNumberProvider::current_block_number(),
            revoked_at: None,
        };
        Keys::<T>::insert(
            id,
            Registration {
                owner: who.clone(),
                key,
                ticket,
            },
        );
        KeysOf::<T>::insert(who, id, ());
        Self::deposit_event(Event::KeyRegistered {
            who: who.clone(),
            key: id,
            public,
            label,
        });
        Ok(())
    }

    /// See the call `revoke_key`.
    pub fn do_revoke(who: &T::AccountId, id: KeyId) -> DispatchResult {
        let mut entry = Keys::<T>::get(id).ok_or(Error::<T>::NotFound)?;
        ensure!(entry.owner == *who, Error::<T>::NotOwner);
        ensure!(entry.key.revoked_at.is_none(), Error::<T>::AlreadyRevoked);
        let now = T::BlockNumberProvider::current_block_number();
        let forgettable_at = now.saturating_add(T::Retention::get());
        entry.key.revoked_at = Some(now);
        Keys::<T>::insert(id, entry);
        KeysOf::<T>::remove(who, id);
        RevokedOf::<T>::insert(who, id, forgettable_at);
        KeyCount::<T>::mutate_exists(who, |count| {
            *count = count
                .unwrap_or_default()
                .checked_sub(1)
                .filter(|left| *left > 0)
        });
        Self::deposit_event(Event::KeyRevoked {
            who: who.clone(),
            key: id,
            forgettable_at,
        });
        Ok(())
    }

    /// See the call `forget_key`.
    pub fn do_forget(id: KeyId) -> DispatchResult {
        let entry = Keys::<T>::get(id).ok_or(Error::<T>::NotFound)?;
        let forgettable_at = RevokedOf::<T>::get(&entry.owner, id).ok_or(Error::<T>::NotRevoked)?;
        ensure!(
            T::BlockNumberProvider::current_block_number() >= forgettable_at,
            Error::<T>::RetentionNotOver
        );
        entry.ticket.drop(&entry.owner)?;
        Keys::<T>::remove(id);
        RevokedOf::<T>::remove(&entry.owner, id);
        Self::deposit_event(Event::KeyForgotten {
            who: entry.owner,
            key: id,
        });
        Ok(())
    }
}

impl<T: Config> EnvelopePolicy<T::AccountId> for Pallet<T> {
    fn ensure_sealed_to(header: &EnvelopeHeader, required: &[T::AccountId]) -> DispatchResult {
        let able = Self::who_can_open(header)?;
        ensure!(
            required.iter().all(|who| able.contains(who)),
            Error::<T>::RecipientMissing
        );
        Ok(())
    }

    fn who_can_open(header: &EnvelopeHeader) -> Result<Vec<T::AccountId>, DispatchError> {
        ensure!(header.is_well_formed(), Error::<T>::MalformedEnvelope);
        let mut able = BTreeSet::new();
        for recipient in &header.recipients {
            let entry = Keys::<T>::get(recipient.key).ok_or(Error::<T>::UnknownRecipient)?;
            if entry.key.revoked_at.is_none() {
                able.insert(entry.owner);
            }
        }
        Ok(able.into_iter().collect())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_header(required: &[T::AccountId]) -> EnvelopeHeader {
        crate::benchmarking::header::<T>(required)
    }
}
