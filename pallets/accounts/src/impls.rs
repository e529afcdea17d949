//! What the calls do, and what other pallets see.

use crate::*;
use frame_support::{ensure, traits::EnsureOrigin};
use frame_system::{ensure_signed, pallet_prelude::OriginFor};
use sp_runtime::{DispatchError, DispatchResult};
use virtengine_primitives::{traits::AccountStanding, AccountState, Role};

impl<T: Config> Pallet<T> {
    /// Who is speaking: governance, or a signed account.
    pub(crate) fn authority(
        origin: OriginFor<T>,
    ) -> Result<Authority<T::AccountId>, DispatchError> {
        match T::AdminOrigin::try_origin(origin) {
            Ok(_) => Ok(Authority::Governance),
            Err(origin) => Ok(Authority::Account(ensure_signed(origin)?)),
        }
    }

    /// Rank by the roles held, used or not.
    pub fn rank(who: &T::AccountId) -> Rank {
        if Holders::<T>::contains_key(Role::Genesis, who) {
            Rank::Genesis
        } else if Holders::<T>::contains_key(Role::Administrator, who) {
            Rank::Administrator
        } else if Holders::<T>::contains_key(Role::Moderator, who) {
            Rank::Moderator
        } else {
            Rank::Member
        }
    }

    /// Roles of an account, used or not, in order. Each is looked up when it is its turn.
    pub(crate) fn roles_of(who: &T::AccountId) -> impl Iterator<Item = Role> + '_ {
        Role::ALL
            .into_iter()
            .filter(move |role| Holders::<T>::contains_key(role, who))
    }

    /// Fails unless `by` decides about `role`.
    fn ensure_decides(by: &Authority<T::AccountId>, role: Role) -> DispatchResult {
        let Authority::Account(signer) = by else {
            return Ok(());
        };
        <Self as AccountStanding<_>>::ensure_active(signer)?;
        let needed = match role {
            Role::Genesis | Role::Customer => None,
            Role::Administrator => Some(Role::Genesis),
            Role::Moderator
            | Role::Provider
            | Role::SupportAgent
            | Role::Validator
            | Role::Arbiter
            | Role::Attestor => Some(Role::Administrator),
        };
        ensure!(
            needed.is_some_and(|needed| Holders::<T>::contains_key(needed, signer)),
            Error::<T>::NotAuthorized
        );
        Ok(())
    }

    /// Fails unless `by` has at least rank `least` and outranks `who`.
    fn ensure_outranks(
        by: &Authority<T::AccountId>,
        who: &T::AccountId,
        least: Rank,
    ) -> DispatchResult {
        let Authority::Account(signer) = by else {
            return Ok(());
        };
        <Self as AccountStanding<_>>::ensure_active(signer)?;
        let rank = Self::rank(signer);
        ensure!(rank >= least, Error::<T>::NotAuthorized);
        ensure!(rank > Self::rank(who), Error::<T>::RankTooLow);
        Ok(())
    }

    fn ensure_in_words(reason: &Reason) -> DispatchResult {
        ensure!(
            !reason.is_empty() && core::str::from_utf8(reason).is_ok(),
            Error::<T>::InvalidReason
        );
        Ok(())
    }

    /// Counts one active Genesis account less; fails if it is the last.
    fn uncount_genesis() -> DispatchResult {
        ActiveGenesis::<T>::try_mutate(|count| match count.checked_sub(1) {
            Some(left) if left > 0 => {
                *count = left;
                Ok(())
            }
            _ => Err(Error::<T>::LastGenesisAccount.into()),
        })
    }

    /// Writes a role that is not held yet. Whether it may be is the caller's business.
    pub(crate) fn insert_role(who: &T::AccountId, role: Role, by: Authority<T::AccountId>) {
        Holders::<T>::insert(role, who, by);
        if role == Role::Genesis && States::<T>::get(who) == AccountState::Active {
            ActiveGenesis::<T>::mutate(|count| *count = count.saturating_add(1));
        }
    }

    /// Whether the role was taken by its holder, which costs a consumer reference.
    pub(crate) fn is_referenced(
        who: &T::AccountId,
        role: Role,
        by: &Authority<T::AccountId>,
    ) -> bool {
        role == Role::Customer && matches!(by, Authority::Account(a) if a == who)
    }

    fn take_role(who: &T::AccountId, role: Role) -> DispatchResult {
        let granted_by = Holders::<T>::take(role, who).ok_or(Error::<T>::RoleNotHeld)?;
        if Self::is_referenced(who, role, &granted_by) {
            frame_system::Pallet::<T>::dec_consumers(who);
        }
        if role == Role::Genesis && States::<T>::get(who) == AccountState::Active {
            Self::uncount_genesis()?;
        }
        Ok(())
    }

    fn set_state(who: &T::AccountId, new: AccountState) -> DispatchResult {
        let old = States::<T>::get(who);
        if Holders::<T>::contains_key(Role::Genesis, who) {
            match (old == AccountState::Active, new == AccountState::Active) {
                (true, false) => Self::uncount_genesis()?,
                (false, true) => {
                    ActiveGenesis::<T>::mutate(|count| *count = count.saturating_add(1))
                }
                _ => {}
            }
        }
        match new {
            AccountState::Active => States::<T>::remove(who),
            _ => States::<T>::insert(who, new),
        }
        Ok(())
    }

    /// See the call `nominate`.
    pub fn do_nominate(
        by: Authority<T::AccountId>,
        who: T::AccountId,
        role: Role,
    ) -> DispatchResult {
        Self::ensure_decides(&by, role)?;
        <Self as AccountStanding<_>>::ensure_active(&who)?;
        ensure!(
            !Holders::<T>::contains_key(role, &who),
            Error::<T>::AlreadyHasRole
        );
        Self::insert_role(&who, role, by.clone());
        Self::deposit_event(Event::RoleGranted { who, role, by });
        Ok(())
    }

    /// See the call `revoke`.
    pub fn do_revoke(by: Authority<T::AccountId>, who: T::AccountId, role: Role) -> DispatchResult {
        Self::ensure_decides(&by, role)?;
        Self::do_remove_role(&who, role, by)
    }

    /// Takes a role; whether `by` may is the caller's business.
    pub fn do_remove_role(
        who: &T::AccountId,
        role: Role,
        by: Authority<T::AccountId>,
    ) -> DispatchResult {
        Self::take_role(who, role)?;
        Self::deposit_event(Event::RoleRevoked {
            who: who.clone(),
            role,
            by,
        });
        Ok(())
    }

    /// See the call `register`.
    pub fn do_register(who: T::AccountId) -> DispatchResult {
        <Self as AccountStanding<_>>::ensure_active(&who)?;
        ensure!(
            !Holders::<T>::contains_key(Role::Customer, &who),
            Error::<T>::AlreadyHasRole
        );
        frame_system::Pallet::<T>::inc_consumers(&who).map_err(|_| Error::<T>::AccountNotFunded)?;
        let by = Authority::Account(who.clone());
        Self::insert_role(&who, Role::Customer, by.clone());
        Self::deposit_event(Event::RoleGranted {
            who,
            role: Role::Customer,
            by,
        });
        Ok(())
    }

    /// See the call `suspend`.
    pub fn do_suspend(
        by: Authority<T::AccountId>,
        who: T::AccountId,
        reason: Reason,
    ) -> DispatchResult {
        Self::ensure_outranks(&by, &who, Rank::Moderator)?;
        Self::ensure_in_words(&reason)?;
        <Self as AccountStanding<_>>::ensure_active(&who)?;
        Self::set_state(&who, AccountState::Suspended)?;
        Self::deposit_event(Event::Suspended { who, by, reason });
        Ok(())
    }

    /// See the call `reactivate`.
    pub fn do_reactivate(by: Authority<T::AccountId>, who: T::AccountId) -> DispatchResult {
        Self::ensure_outranks(&by, &who, Rank::Administrator)?;
        match States::<T>::get(&who) {
            AccountState::Active => Err(Error::<T>::NotSuspended)?,
            AccountState::Terminated => Err(Error::<T>::AccountTerminated)?,
            AccountState::Suspended => Self::set_state(&who, AccountState::Active)?,
        }
        Self::deposit_event(Event::Reactivated { who, by });
        Ok(())
    }

    /// See the call `terminate`.
    pub fn do_terminate(
        by: Authority<T::AccountId>,
        who: T::AccountId,
        reason: Reason,
    ) -> DispatchResult {
        Self::ensure_outranks(&by, &who, Rank::Administrator)?;
        Self::ensure_in_words(&reason)?;
        ensure!(
            States::<T>::get(&who) != AccountState::Terminated,
            Error::<T>::AccountTerminated
        );
        Self::set_state(&who, AccountState::Terminated)?;
        for role in Self::roles_of(&who) {
            Self::do_remove_role(&who, role, by.clone())?;
        }
        Self::deposit_event(Event::Terminated { who, by, reason });
        Ok(())
    }
}

impl<T: Config> AccountStanding<T::AccountId> for Pallet<T> {
    fn ensure_active(who: &T::AccountId) -> DispatchResult {
        match States::<T>::get(who) {
            AccountState::Active => Ok(()),
            AccountState::Suspended => Err(Error::<T>::AccountSuspended.into()),
            AccountState::Terminated => Err(Error::<T>::AccountTerminated.into()),
        }
    }

    fn has_role(who: &T::AccountId, role: Role) -> bool {
        Holders::<T>::contains_key(role, who) && States::<T>::get(who) == AccountState::Active
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_grant(who: &T::AccountId, role: Role) {
        let _ = Self::set_state(who, AccountState::Active);
        if !Holders::<T>::contains_key(role, who) {
            Self::insert_role(who, role, Authority::Governance);
        }
    }
}
