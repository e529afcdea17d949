//! What other pallets see: [`ProviderRegistry`].

use crate::*;
use alloc::vec::Vec;
use frame_support::{
    ensure,
    storage::with_storage_layer,
    traits::{
        fungible::hold::Mutate as _,
        tokens::{Fortitude, Precision, Restriction},
        Get,
    },
};
use sp_runtime::{ArithmeticError, DispatchResult, Perbill};
use virtengine_primitives::{
    traits::{AccountStanding, ProviderRegistry},
    AgreementId, Balance, ProviderId,
};

impl<T: Config> Pallet<T> {
    /// Moves held bond to somebody's free balance, whatever freezes lie on the owner's account. All or nothing.
    fn pay_held(owner: &T::AccountId, to: &T::AccountId, amount: Balance) -> DispatchResult {
        with_storage_layer(|| {
            T::Currency::transfer_on_hold(
                &Self::bond_reason(),
                owner,
                to,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .map(|_| ())
        })
    }

    /// Frees what is set aside for an agreement and returns it; `None` if nothing is.
    fn take_lock(provider: ProviderId, agreement: AgreementId) -> Option<Balance> {
        let amount = BondLocks::<T>::take(provider, agreement)?;
        Organisations::<T>::mutate(provider, |record| {
            if let Some(record) = record {
                record.locked = record.locked.saturating_sub(amount);
            }
        });
        Some(amount)
    }
}

impl<T: Config> ProviderRegistry<T::AccountId> for Pallet<T> {
    fn owned_by(who: &T::AccountId) -> Option<ProviderId> {
        OwnerOf::<T>::get(who)
    }

    fn worker_of(who: &T::AccountId) -> Option<ProviderId> {
        WorkerOf::<T>::get(who)
    }

    fn owner(provider: ProviderId) -> Option<T::AccountId> {
        Organisations::<T>::get(provider).map(|record| record.owner)
    }

    fn readers(provider: ProviderId) -> Vec<T::AccountId> {
        Self::owner(provider)
            .map(|owner| {
                core::iter::once(owner)
                    .chain(HotKeys::<T>::get(provider))
                    .collect()
            })
            .unwrap_or_default()
    }

    fn payout(provider: ProviderId) -> Option<T::AccountId> {
        Organisations::<T>::get(provider).map(|record| record.payout)
    }

    fn is_operational(provider: ProviderId) -> bool {
        Organisations::<T>::get(provider).is_some_and(|record| {
            record.bond >= T::MinimumBond::get()
                && T::Standing::ensure_active(&record.owner).is_ok()
        })
    }

    fn agreement_opened(provider: ProviderId) -> DispatchResult {
        Self::mutate(provider, |record| {
            record.live_agreements = record
                .live_agreements
                .checked_add(1)
                .ok_or(ArithmeticError::Overflow)?;
            Ok(())
        })
    }

    fn agreement_closed(provider: ProviderId) {
        Organisations::<T>::mutate(provider, |record| {
            if let Some(record) = record {
                record.live_agreements = record.live_agreements.saturating_sub(1);
            }
        });
    }

    fn lock_bond(provider: ProviderId, agreement: AgreementId, amount: Balance) -> DispatchResult {
        Self::mutate(provider, |record| {
            ensure!(
                !BondLocks::<T>::contains_key(provider, agreement),
                Error::<T>::AlreadyLocked
            );
            let locked = record
                .locked
                .checked_add(amount)
                .ok_or(ArithmeticError::Overflow)?;
            ensure!(locked <= record.bond, Error::<T>::InsufficientBond);
            record.locked = locked;
            Ok(())
        })?;
        BondLocks::<T>::insert(provider, agreement, amount);
        Self::deposit_event(Event::BondLocked {
            provider,
            agreement,
            amount,
        });
        Ok(())
    }

    fn unlock_bond(provider: ProviderId, agreement: AgreementId) {
        if let Some(amount) = Self::take_lock(provider, agreement) {
            Self::deposit_event(Event::BondUnlocked {
                provider,
                agreement,
                amount,
            });
        }
    }

    fn slash_bond(
        provider: ProviderId,
        agreement: AgreementId,
        share: Perbill,
        beneficiary: &T::AccountId,
    ) -> Balance {
        let Some(set_aside) = Self::take_lock(provider, agreement) else {
            return 0;
        };
        let Some(mut record) = Organisations::<T>::get(provider) else {
            return 0;
        };
        // Rounded down, in favour of who is punished.
        let due = share.mul_floor(set_aside);
        let treasury = T::Treasury::get();
        let paid = [beneficiary, &treasury]
            .into_iter()
            .find(|to| Self::pay_held(&record.owner, to, due).is_ok());
        let (amount, to) = match paid {
            Some(to) => (due, to.clone()),
            None => {
                log::error!(
                    target: "runtime::providers",
                    "{due} of the bond of provider {provider} could be paid to nobody; is the treasury endowed?"
                );
                (0, treasury)
            }
        };
        record.bond = record.bond.saturating_sub(amount);
        let bond = record.bond;
        Organisations::<T>::insert(provider, record);
        let unlocked = set_aside.saturating_sub(amount);
        Self::deposit_event(Event::BondSlashed {
            provider,
            agreement,
            amount,
            unlocked,
            to,
            bond,
        });
        amount
    }

    fn pay_from_bond(
        provider: ProviderId,
        amount: Balance,
        beneficiary: &T::AccountId,
    ) -> DispatchResult {
        let bond = Self::mutate(provider, |record| {
            let left = record
                .bond
                .checked_sub(amount)
                .filter(|left| *left >= record.locked)
                .ok_or(Error::<T>::InsufficientBond)?;
            Self::pay_held(&record.owner, beneficiary, amount)?;
            record.bond = left;
            Ok(left)
        })?;
        let to = beneficiary.clone();
        Self::deposit_event(Event::BondPaid {
            provider,
            amount,
            to,
            bond,
        });
        Ok(())
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_register(owner: &T::AccountId, worker: &T::AccountId) -> ProviderId {
        crate::benchmarking::register::<T>(owner, worker)
    }
}
