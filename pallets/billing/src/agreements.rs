//! The life of an agreement up to its end.

use crate::{Agreements, Book, Books, Config, Error, Event, OpenLine, OpenLines, Pallet, Plans};
use frame_support::{
    ensure,
    storage::with_storage_layer,
    traits::{Get, UnixTime},
};
use sp_runtime::{
    traits::{BlockNumberProvider, SaturatedConversion},
    DispatchResult,
};
use virtengine_primitives::{
    billing::{Agreement, AgreementState, Allocation, Fault, InvoiceLine, LineKind, Quantities},
    calendar::month_of,
    traits::{Escrow, ProviderRegistry},
    AgreementId, Balance, BlockNumber, Moment, PlanId, ProviderId,
};

impl<T: Config> Pallet<T> {
    /// Height that deadlines are judged by.
    pub(crate) fn now_block() -> BlockNumber {
        T::BlockNumberProvider::current_block_number()
    }

    /// Unix milliseconds.
    pub(crate) fn now() -> Moment {
        T::Time::now().as_millis().saturated_into()
    }

    pub(crate) fn do_open(
        id: AgreementId,
        payer: &T::AccountId,
        provider: ProviderId,
        plan: PlanId,
        ceiling: Balance,
        allocation: Allocation,
    ) -> DispatchResult {
        with_storage_layer(|| {
            ensure!(
                !Agreements::<T>::contains_key(id),
                Error::<T>::AlreadyExists
            );
            let (asset, _) = Self::try_quote(plan, Some(provider), &allocation)?;
            Self::do_pin(plan, false)?;
            T::Providers::agreement_opened(provider)?;
            T::Escrow::open(id, payer, asset, ceiling)?;
            let agreement = Agreement {
                payer: payer.clone(),
                provider,
                asset,
                plan,
                ceiling,
                allocation: allocation.clone(),
                opened_at: Self::now(),
                started_at: None,
                state: AgreementState::Open,
                sequence: 0,
                metered_until: 0,
                metered_ms: 0,
                cumulative: Quantities::default(),
                charged: 0,
                head: Default::default(),
                dispute_window: T::DisputeWindow::get(),
                take_rate: T::TakeRate::get(),
            };
            Self::deposit_event(Event::Opened {
                agreement: id,
                payer: payer.clone(),
                provider,
                plan,
                asset,
                ceiling,
                allocation,
                dispute_window: agreement.dispute_window,
                take_rate: agreement.take_rate,
                at: agreement.opened_at,
            });
            Books::<T>::insert(id, Book::default());
            Agreements::<T>::insert(id, agreement);
            Ok(())
        })
    }

    /// A plan that was retired after it was promised (and pinned) is good enough here.
    pub(crate) fn do_reassign(
        id: AgreementId,
        provider: ProviderId,
        plan: PlanId,
    ) -> DispatchResult {
        with_storage_layer(|| {
            let mut agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
            ensure!(agreement.state == AgreementState::Open, Error::<T>::NotOpen);
            let record = Plans::<T>::get(plan).ok_or(Error::<T>::NotFound)?;
            ensure!(
                record.provider == provider,
                Error::<T>::PlanOfAnotherProvider
            );
            ensure!(
                record.plan.asset == agreement.asset,
                Error::<T>::AssetMismatch
            );
            Self::most(&record.plan, &agreement.allocation)?;
            Self::do_pin(plan, true)?;
            Self::do_unpin(agreement.plan);
            T::Providers::agreement_opened(provider)?;
            T::Providers::agreement_closed(agreement.provider);
            agreement.provider = provider;
            agreement.plan = plan;
            Agreements::<T>::insert(id, agreement);
            Self::deposit_event(Event::Reassigned {
                agreement: id,
                provider,
                plan,
            });
            Ok(())
        })
    }

    pub(crate) fn do_start(id: AgreementId, at: Moment) -> DispatchResult {
        Agreements::<T>::try_mutate(id, |agreement| {
            let agreement = agreement.as_mut().ok_or(Error::<T>::NotFound)?;
            match agreement.state {
                AgreementState::Open => {}
                AgreementState::Metering => return Ok(()),
                _ => return Err(Error::<T>::NotOpen.into()),
            }
            let tolerance = T::ReportTolerance::get();
            ensure!(
                at <= Self::now().saturating_add(tolerance),
                Error::<T>::InFuture
            );
            ensure!(
                at.saturating_add(tolerance) >= agreement.opened_at,
                Error::<T>::BeforeOpening
            );
            agreement.started_at = Some(at);
            agreement.state = AgreementState::Metering;
            Self::deposit_event(Event::Started { agreement: id, at });
            Ok(())
        })
    }

    pub(crate) fn do_end(id: AgreementId, fault: Fault) -> DispatchResult {
        with_storage_layer(|| {
            let mut agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
            ensure!(
                matches!(
                    agreement.state,
                    AgreementState::Open | AgreementState::Metering
                ),
                Error::<T>::NotMetering
            );
            let mut book = Books::<T>::get(id);
            match fault {
                Fault::Payer => Self::charge_minimum(id, &mut agreement)?,
                Fault::Silence => {}
                Fault::Provider => {
                    T::Escrow::revert_pending(id, agreement.charged)?;
                    // What was never written on an invoice needs no correction.
                    let unwritten = OpenLines::<T>::take(id).map_or(0, |open| open.line.amount);
                    let written = agreement
                        .charged
                        .checked_sub(unwritten)
                        .ok_or(Error::<T>::Inconsistent)?;
                    Self::correct_lines(id, &agreement, &mut book, written)?;
                    agreement.charged = 0;
                }
            }
            if let Some(open) = OpenLines::<T>::take(id) {
                Self::seal(&agreement, &mut book, open)?;
            }
            let (available, _) = T::Escrow::balances(id).ok_or(Error::<T>::Inconsistent)?;
            T::Escrow::refund(id, available)?;
            let release_at = Self::now_block().saturating_add(agreement.dispute_window);
            agreement.state = AgreementState::Ended { release_at };
            Self::schedule(release_at, id);
            Self::deposit_event(Event::Ended {
                agreement: id,
                fault,
                asset: agreement.asset,
                charged: agreement.charged,
                refunded: available,
                release_at,
            });
            Books::<T>::insert(id, book);
            Agreements::<T>::insert(id, agreement);
            Ok(())
        })
    }

    /// Raises what an agreement costs to the plan's minimum, if it ever started, and puts the difference on the open
    /// line, or on a line of its own if the last one is sealed.
    fn charge_minimum(id: AgreementId, agreement: &mut Agreement<T::AccountId>) -> DispatchResult {
        let Some(started) = agreement.started_at else {
            return Ok(());
        };
        let minimum = Plans::<T>::get(agreement.plan)
            .ok_or(Error::<T>::Inconsistent)?
            .plan
            .minimum_charge
            .min(agreement.ceiling);
        let missing = minimum.saturating_sub(agreement.charged);
        if missing == 0 {
            return Ok(());
        }
        T::Escrow::to_pending(id, missing)?;
        agreement.charged = minimum;
        let mut open = OpenLines::<T>::get(id).unwrap_or_else(|| {
            let since = started.max(agreement.metered_until);
            OpenLine {
                month: month_of(Self::now()),
                line: InvoiceLine {
                    agreement: id,
                    kind: LineKind::Usage,
                    plan: agreement.plan,
                    first_sequence: 0,
                    last_sequence: 0,
                    from: since,
                    until: since,
                    quantities: Quantities::default(),
                    amount: 0,
                    head: agreement.head,
                },
            }
        });
        open.line.amount = open
            .line
            .amount
            .checked_add(missing)
            .ok_or(Error::<T>::Inconsistent)?;
        OpenLines::<T>::insert(id, open);
        Ok(())
    }
}
