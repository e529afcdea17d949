//! What the calls do: the organisation, its keys, its bond, its hands.

use crate::*;
use frame_support::{
    ensure,
    traits::{
        fungible::hold::Mutate as _,
        tokens::{Fortitude, Precision, Restriction},
        Get,
    },
};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use sp_runtime::{traits::BlockNumberProvider, ArithmeticError, DispatchError, DispatchResult};
use virtengine_primitives::{
    providers::Provider, traits::AccountStanding, Balance, Name, ProviderId, Role,
};

impl<T: Config> Pallet<T> {
    /// Why bonds are held.
    pub(crate) fn bond_reason() -> T::RuntimeHoldReason {
        HoldReason::Bond.into()
    }

    /// The organisation of the signer, who may be suspended: for what gives up or withdraws.
    pub(crate) fn ensure_owner(origin: OriginFor<T>) -> Result<ProviderId, DispatchError> {
        let who = ensure_signed(origin)?;
        Ok(OwnerOf::<T>::get(&who).ok_or(Error::<T>::NotOwner)?)
    }

    /// The organisation of the signer, who must be active.
    pub(crate) fn ensure_active_owner(origin: OriginFor<T>) -> Result<ProviderId, DispatchError> {
        let who = ensure_signed(origin)?;
        let provider = OwnerOf::<T>::get(&who).ok_or(Error::<T>::NotOwner)?;
        T::Standing::ensure_active(&who)?;
        Ok(provider)
    }

    /// Fails unless the account may own an organisation that it does not own yet.
    fn ensure_may_own(who: &T::AccountId) -> DispatchResult {
        ensure!(!OwnerOf::<T>::contains_key(who), Error::<T>::AlreadyOwner);
        ensure!(!WorkerOf::<T>::contains_key(who), Error::<T>::OwnerIsHotKey);
        Ok(())
    }

    /// Fails unless the account may act as a provider.
    fn ensure_approved(who: &T::AccountId) -> DispatchResult {
        T::Standing::ensure_active(who)?;
        ensure!(
            !T::RequireRole::get() || T::Standing::has_role(who, Role::Provider),
            Error::<T>::RoleRequired
        );
        Ok(())
    }

    /// Changes an organisation.
    pub(crate) fn mutate<R>(
        provider: ProviderId,
        change: impl FnOnce(&mut Provider<T::AccountId>) -> Result<R, DispatchError>,
    ) -> Result<R, DispatchError> {
        Organisations::<T>::try_mutate(provider, |record| {
            change(record.as_mut().ok_or(Error::<T>::NotFound)?)
        })
    }

    /// See the call `register`.
    pub fn do_register(
        who: T::AccountId,
        name: Name,
        payout: T::AccountId,
    ) -> Result<ProviderId, DispatchError> {
        Self::ensure_approved(&who)?;
        Self::ensure_may_own(&who)?;
        ensure!(is_printable(&name), Error::<T>::InvalidName);
        let provider = NextProviderId::<T>::try_mutate(|next| {
            let provider = *next;
            *next = provider.checked_add(1).ok_or(ArithmeticError::Overflow)?;
            Ok::<_, DispatchError>(provider)
        })?;
        let bond = T::MinimumBond::get();
        T::Currency::hold(&Self::bond_reason(), &who, bond)?;
        OwnerOf::<T>::insert(&who, provider);
        let record = Provider {
            owner: who.clone(),
            payout: payout.clone(),
            name: name.clone(),
            bond,
            locked: 0,
            live_agreements: 0,
            registered_at: T::BlockNumberProvider::current_block_number(),
        };
        Organisations::<T>::insert(provider, record);
        Self::deposit_event(Event::Registered {
            provider,
            owner: who,
            payout,
            name,
            bond,
        });
        Ok(provider)
    }

    /// See the call `set_payout`.
    pub fn do_set_payout(provider: ProviderId, payout: T::AccountId) -> DispatchResult {
        Self::mutate(provider, |record| {
            record.payout = payout.clone();
            Ok(())
        })?;
        Self::deposit_event(Event::PayoutSet { provider, payout });
        Ok(())
    }

    /// See the call `set_name`.
    pub fn do_set_name(provider: ProviderId, name: Name) -> DispatchResult {
        ensure!(is_printable(&name), Error::<T>::InvalidName);
        Self::mutate(provider, |record| {
            record.name = name.clone();
            Ok(())
        })?;
        Self::deposit_event(Event::NameSet { provider, name });
        Ok(())
    }

    /// See the call `add_hot_key`.
    pub fn do_add_hot_key(provider: ProviderId, who: T::AccountId) -> DispatchResult {
        ensure!(!WorkerOf::<T>::contains_key(&who), Error::<T>::HotKeyInUse);
        ensure!(!OwnerOf::<T>::contains_key(&who), Error::<T>::HotKeyIsOwner);
        // Nobody is asked before becoming a hot key, and a hot key does not decide over its own provider: without this,
        // a provider could shut out every arbiter that it fears.
        ensure!(
            !T::Standing::has_role(&who, Role::Arbiter),
            Error::<T>::HotKeyIsArbiter
        );
        HotKeys::<T>::try_mutate(provider, |keys| keys.try_push(who.clone()))
            .map_err(|_| Error::<T>::TooManyHotKeys)?;
        WorkerOf::<T>::insert(&who, provider);
        Self::deposit_event(Event::HotKeyAdded { provider, who });
        Ok(())
    }

    /// See the call `remove_hot_key`.
    pub fn do_remove_hot_key(signer: &T::AccountId, who: T::AccountId) -> DispatchResult {
        let provider = WorkerOf::<T>::get(&who).ok_or(Error::<T>::HotKeyNotFound)?;
        ensure!(
            *signer == who || OwnerOf::<T>::get(signer) == Some(provider),
            Error::<T>::NotAuthorized
        );
        WorkerOf::<T>::remove(&who);
        HotKeys::<T>::mutate_exists(provider, |entry| {
            let mut keys = entry.take().unwrap_or_default();
            keys.retain(|key| *key != who);
            *entry = (!keys.is_empty()).then_some(keys);
        });
        Self::deposit_event(Event::HotKeyRemoved { provider, who });
        Ok(())
    }

    /// See the call `add_support_agent`.
    pub fn do_add_support_agent(provider: ProviderId, who: T::AccountId) -> DispatchResult {
        SupportAgents::<T>::try_mutate(provider, |agents| {
            ensure!(!agents.contains(&who), Error::<T>::AlreadySupportAgent);
            agents
                .try_push(who.clone())
                .map_err(|_| Error::<T>::TooManySupportAgents)
        })?;
        Self::deposit_event(Event::SupportAgentAdded { provider, who });
        Ok(())
    }

    /// See the call `remove_support_agent`.
    pub fn do_remove_support_agent(provider: ProviderId, who: T::AccountId) -> DispatchResult {
        SupportAgents::<T>::try_mutate_exists(provider, |entry| {
            let mut agents = entry.take().unwrap_or_default();
            ensure!(agents.contains(&who), Error::<T>::NotSupportAgent);
            agents.retain(|agent| *agent != who);
            *entry = (!agents.is_empty()).then_some(agents);
            Ok::<_, DispatchError>(())
        })?;
        Self::deposit_event(Event::SupportAgentRemoved { provider, who });
        Ok(())
    }

    /// See the call `bond_more`.
    pub fn do_bond_more(provider: ProviderId, amount: Balance) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        let bond = Self::mutate(provider, |record| {
            record.bond = record
                .bond
                .checked_add(amount)
                .ok_or(ArithmeticError::Overflow)?;
            T::Currency::hold(&Self::bond_reason(), &record.owner, amount)?;
            Ok(record.bond)
        })?;
        Self::deposit_event(Event::BondAdded {
            provider,
            amount,
            bond,
        });
        Ok(())
    }

    /// See the call `withdraw_bond`.
    pub fn do_withdraw_bond(provider: ProviderId, amount: Balance) -> DispatchResult {
        ensure!(amount > 0, Error::<T>::ZeroAmount);
        let bond = Self::mutate(provider, |record| {
            let left = record
                .bond
                .checked_sub(amount)
                .ok_or(Error::<T>::InsufficientBond)?;
            ensure!(left >= record.locked, Error::<T>::InsufficientBond);
            ensure!(left >= T::MinimumBond::get(), Error::<T>::BelowMinimumBond);
            record.bond = left;
            Self::release(&record.owner, amount)?;
            Ok(left)
        })?;
        Self::deposit_event(Event::BondWithdrawn {
            provider,
            amount,
            bond,
        });
        Ok(())
    }

    fn release(owner: &T::AccountId, amount: Balance) -> DispatchResult {
        T::Currency::release(&Self::bond_reason(), owner, amount, Precision::Exact).map(|_| ())
    }

    /// See the call `offer_transfer`.
    pub fn do_offer_transfer(provider: ProviderId, to: T::AccountId) -> DispatchResult {
        Self::ensure_may_own(&to)?;
        Offers::<T>::insert(provider, &to);
        Self::deposit_event(Event::TransferOffered { provider, to });
        Ok(())
    }

    /// See the call `cancel_transfer`.
    pub fn do_cancel_transfer(provider: ProviderId) -> DispatchResult {
        Offers::<T>::take(provider).ok_or(Error::<T>::NotOffered)?;
        Self::deposit_event(Event::TransferCancelled { provider });
        Ok(())
    }

    /// See the call `accept_transfer`.
    pub fn do_accept_transfer(who: T::AccountId, provider: ProviderId) -> DispatchResult {
        let (from, bond) = Self::mutate(provider, |record| {
            ensure!(
                Offers::<T>::take(provider).as_ref() == Some(&who),
                Error::<T>::NotOffered
            );
            // Somebody who may do nothing but withdraw does not hand over to a friend either.
            T::Standing::ensure_active(&record.owner)?;
            Self::ensure_approved(&who)?;
            Self::ensure_may_own(&who)?;
            if record.bond > 0 {
                T::Currency::transfer_on_hold(
                    &Self::bond_reason(),
                    &record.owner,
                    &who,
                    record.bond,
                    Precision::Exact,
                    Restriction::OnHold,
                    Fortitude::Polite,
                )?;
            }
            record.payout = who.clone();
            Ok((
                core::mem::replace(&mut record.owner, who.clone()),
                record.bond,
            ))
        })?;
        OwnerOf::<T>::remove(&from);
        OwnerOf::<T>::insert(&who, provider);
        Self::deposit_event(Event::Transferred {
            provider,
            from,
            to: who,
            bond,
        });
        Ok(())
    }

    /// See the call `leave`.
    pub fn do_leave(provider: ProviderId) -> DispatchResult {
        let Provider {
            owner,
            bond,
            locked,
            live_agreements,
            ..
        } = Organisations::<T>::take(provider).ok_or(Error::<T>::NotFound)?;
        ensure!(live_agreements == 0, Error::<T>::LiveAgreements);
        // A lock of nothing is a lock too.
        let has_locks = BondLocks::<T>::iter_key_prefix(provider).next().is_some();
        ensure!(locked == 0 && !has_locks, Error::<T>::BondLocked);
        Self::release(&owner, bond)?;
        OwnerOf::<T>::remove(&owner);
        HotKeys::<T>::take(provider)
            .iter()
            .for_each(WorkerOf::<T>::remove);
        SupportAgents::<T>::remove(provider);
        Offers::<T>::remove(provider);
        Self::remove_attributes(provider);
        Self::deposit_event(Event::Left {
            provider,
            owner,
            bond,
        });
        Ok(())
    }
}
