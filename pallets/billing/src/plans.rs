//! Price plans.

use crate::{Config, Error, Event, NextPlan, Pallet, PlanRecord, Plans};
use frame_support::{ensure, traits::fungibles::Inspect as _};
use sp_runtime::{DispatchError, DispatchResult};
use virtengine_primitives::{
    billing::{is_canonical, Allocation, PricePlan},
    traits::{AccountStanding, ProviderRegistry},
    AssetKind, Balance, PlanId, ProviderId,
};

impl<T: Config> Pallet<T> {
    /// Publishes a plan of the organisation that `who` owns.
    pub fn do_publish_plan(who: &T::AccountId, plan: PricePlan) -> Result<PlanId, DispatchError> {
        T::Standing::ensure_active(who)?;
        let provider = T::Providers::owned_by(who).ok_or(Error::<T>::NotAuthorized)?;
        ensure!(plan.is_well_formed(), Error::<T>::PlanMalformed);
        ensure!(
            T::Assets::asset_exists(plan.asset),
            Error::<T>::UnknownAsset
        );
        Self::insert_plan(provider, plan)
    }

    pub(crate) fn insert_plan(
        provider: ProviderId,
        plan: PricePlan,
    ) -> Result<PlanId, DispatchError> {
        let id = NextPlan::<T>::get();
        NextPlan::<T>::put(id.checked_add(1).ok_or(Error::<T>::NumbersExhausted)?);
        Plans::<T>::insert(
            id,
            PlanRecord {
                provider,
                plan: plan.clone(),
                retired: false,
                users: 0,
            },
        );
        Self::deposit_event(Event::PlanPublished {
            plan: id,
            provider,
            terms: plan,
        });
        Ok(id)
    }

    /// Retires a plan of the organisation that `who` owns.
    pub fn do_retire_plan(who: &T::AccountId, id: PlanId) -> DispatchResult {
        T::Standing::ensure_active(who)?;
        Plans::<T>::try_mutate_exists(id, |slot| {
            let record = slot.as_mut().ok_or(Error::<T>::NotFound)?;
            ensure!(
                T::Providers::owned_by(who) == Some(record.provider),
                Error::<T>::NotAuthorized
            );
            ensure!(!record.retired, Error::<T>::PlanRetired);
            record.retired = true;
            let (provider, users) = (record.provider, record.users);
            if users == 0 {
                *slot = None;
            }
            Self::deposit_event(Event::PlanRetired {
                plan: id,
                provider,
                users,
            });
            Ok(())
        })
    }

    /// The asset and the most that an allocation costs under a plan that takes new agreements.
    pub(crate) fn try_quote(
        plan: PlanId,
        provider: Option<ProviderId>,
        allocation: &Allocation,
    ) -> Result<(AssetKind, Balance), DispatchError> {
        let record = Plans::<T>::get(plan).ok_or(Error::<T>::NotFound)?;
        ensure!(!record.retired, Error::<T>::PlanRetired);
        ensure!(
            provider.is_none_or(|p| p == record.provider),
            Error::<T>::PlanOfAnotherProvider
        );
        Ok((record.plan.asset, Self::most(&record.plan, allocation)?))
    }

    /// The most that an allocation costs: `max(minimum, price(most))`.
    pub(crate) fn most(
        plan: &PricePlan,
        allocation: &Allocation,
    ) -> Result<Balance, DispatchError> {
        ensure!(
            is_canonical(&allocation.per_second),
            Error::<T>::QuantitiesMalformed
        );
        let price = allocation
            .most()
            .and_then(|most| plan.price(&most))
            .ok_or(Error::<T>::PriceOverflow)?;
        Ok(price.max(plan.minimum_charge))
    }

    /// Counts a user of a plan; `retired` plans only for those who were promised them.
    pub(crate) fn do_pin(id: PlanId, even_retired: bool) -> DispatchResult {
        Plans::<T>::try_mutate(id, |record| {
            let record = record.as_mut().ok_or(Error::<T>::NotFound)?;
            ensure!(even_retired || !record.retired, Error::<T>::PlanRetired);
            record.users = record
                .users
                .checked_add(1)
                .ok_or(Error::<T>::NumbersExhausted)?;
            Ok(())
        })
    }

    /// Uncounts a user of a plan, and removes it if it was the last of a retired one.
    pub(crate) fn do_unpin(id: PlanId) {
        Plans::<T>::mutate_exists(id, |slot| {
            if let Some(record) = slot.as_mut() {
                record.users = record.users.saturating_sub(1);
                if record.retired && record.users == 0 {
                    *slot = None;
                }
            }
        });
    }
}
