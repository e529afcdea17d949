//! What other pallets see of this one.

use crate::{Agreements, Config, Pallet, WeightInfo as _};
use frame_support::{defensive, weights::Weight};
use sp_runtime::DispatchResult;
use virtengine_primitives::{
    billing::{Agreement, AgreementState, Allocation, Fault, UsageReport},
    traits::Billing,
    AgreementId, AssetKind, Balance, Moment, PlanId, ProviderId,
};

impl<T: Config> Billing<T::AccountId> for Pallet<T> {
    fn quote(
        plan: PlanId,
        provider: ProviderId,
        allocation: &Allocation,
    ) -> Option<(AssetKind, Balance)> {
        Self::try_quote(plan, Some(provider), allocation).ok()
    }

    fn pin_plan(plan: PlanId) -> DispatchResult {
        Self::do_pin(plan, false)
    }

    fn unpin_plan(plan: PlanId) {
        Self::do_unpin(plan)
    }

    fn open(
        agreement: AgreementId,
        payer: &T::AccountId,
        provider: ProviderId,
        plan: PlanId,
        ceiling: Balance,
        allocation: Allocation,
    ) -> DispatchResult {
        Self::do_open(agreement, payer, provider, plan, ceiling, allocation)
    }

    fn reassign(agreement: AgreementId, provider: ProviderId, plan: PlanId) -> DispatchResult {
        Self::do_reassign(agreement, provider, plan)
    }

    fn start(agreement: AgreementId, at: Moment) -> DispatchResult {
        Self::do_start(agreement, at)
    }

    fn report(agreement: AgreementId, report: &UsageReport) -> DispatchResult {
        Self::do_report(agreement, report, None)
    }

    fn end(agreement: AgreementId, fault: Fault) {
        let over = |a: Agreement<T::AccountId>| {
            matches!(
                a.state,
                AgreementState::Ended { .. } | AgreementState::Settled { .. }
            )
        };
        if Agreements::<T>::get(agreement).is_some_and(over) {
            return;
        }
        if let Err(error) = Self::do_end(agreement, fault) {
            defensive!("an agreement could not be ended", error);
        }
    }

    fn take_back_weight() -> Weight {
        // Measured with as many lines taken back as an agreement can have.
        T::WeightInfo::settle()
    }

    fn is_gone(agreement: AgreementId) -> bool {
        !Agreements::<T>::contains_key(agreement)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_asset() -> AssetKind {
        use virtengine_primitives::traits::Escrow;
        T::Escrow::benchmark_asset()
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_plan(provider: ProviderId) -> PlanId {
        crate::benchmarking::full_plan::<T>(provider)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_endow(who: &T::AccountId, amount: virtengine_primitives::Balance) {
        use virtengine_primitives::traits::Escrow;
        T::Escrow::benchmark_endow(who, amount)
    }
}
