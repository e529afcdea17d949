//! Usage reports: what is believed, and what it costs.

use crate::{
    Agreements, Books, Config, Error, Event, OpenLine, OpenLines, Pallet, Plans, WeightInfo as _,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{ensure, storage::with_storage_layer, traits::Get, weights::Weight};
use sp_runtime::{DispatchError, DispatchResult};
use virtengine_primitives::{
    billing::{
        add_quantities, is_canonical, Agreement, AgreementState, Component, InvoiceLine, LineKind,
        Month, Quantities, UsageReport,
    },
    blake2_256,
    calendar::month_of,
    traits::{AccountStanding, Escrow, OnAgreementEnded, ProviderRegistry},
    AgreementId, Balance, ProviderId,
};

/// An agreement's meters after a report.
struct Reading {
    month: Month,
    metered_ms: u64,
    cumulative: Quantities,
}

impl<T: Config> Pallet<T> {
    /// Weight of `count` reports in one call, and of finding out that nobody reports anything.
    pub(crate) fn report_weight(count: u64) -> Weight {
        T::WeightInfo::report()
            .saturating_add(T::OnSettled::weight())
            .saturating_mul(count.max(1))
    }

    /// The provider that `who` reports for.
    pub(crate) fn reporter(who: &T::AccountId) -> Result<ProviderId, DispatchError> {
        T::Standing::ensure_active(who)?;
        Ok(T::Providers::worker_of(who).ok_or(Error::<T>::NotAuthorized)?)
    }

    /// Takes one report; `provider` is who reports, where the caller has not made sure of it.
    pub(crate) fn do_report(
        id: AgreementId,
        report: &UsageReport,
        provider: Option<ProviderId>,
    ) -> DispatchResult {
        with_storage_layer(|| {
            let mut agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
            ensure!(
                provider.is_none_or(|p| p == agreement.provider),
                Error::<T>::NotAuthorized
            );
            let reading = Self::check(&agreement, report)?;
            ensure!(T::OnSettled::takes_usage(id), Error::<T>::DeadlinePassed);

            let plan = Plans::<T>::get(agreement.plan)
                .ok_or(Error::<T>::Inconsistent)?
                .plan;
            // Always of all usage so far: rounding down once cannot be farmed by splitting reports.
            let charged = plan
                .price(&reading.cumulative)
                .ok_or(Error::<T>::PriceOverflow)?
                .min(agreement.ceiling);
            let moved = charged
                .checked_sub(agreement.charged)
                .ok_or(Error::<T>::Inconsistent)?;
            T::Escrow::to_pending(id, moved)?;
            // A line of an earlier month is written before the head moves on.
            Self::add_to_line(id, &agreement, report, reading.month, moved)?;

            agreement.sequence = report.sequence;
            agreement.metered_until = report.until;
            agreement.metered_ms = reading.metered_ms;
            agreement.cumulative = reading.cumulative;
            agreement.charged = charged;
            agreement.head = Self::next_head(&agreement, report);
            Self::deposit_event(Event::Reported {
                agreement: id,
                asset: agreement.asset,
                report: report.clone(),
                moved,
                charged,
                head: agreement.head,
            });
            Agreements::<T>::insert(id, agreement);
            Ok(())
        })
    }

    /// `blake2(head ++ SCALE(report))`.
    fn next_head(agreement: &Agreement<T::AccountId>, report: &UsageReport) -> sp_core::H256 {
        let mut bytes: Vec<u8> = agreement.head.as_bytes().to_vec();
        report.encode_to(&mut bytes);
        blake2_256(&bytes)
    }

    /// Checks a report against the agreement:
    ///
    /// * it is the next one, and the agreement is metering;
    /// * its period follows the last one, is not empty, lies in one UTC month, is not in the future, and fits the
    ///   wall time with all others;
    /// * its quantities are canonical, allocated, and possible: in this period, and in all periods together.
    fn check(
        agreement: &Agreement<T::AccountId>,
        report: &UsageReport,
    ) -> Result<Reading, DispatchError> {
        ensure!(
            agreement.state == AgreementState::Metering,
            Error::<T>::NotMetering
        );
        let started = agreement.started_at.ok_or(Error::<T>::NotMetering)?;
        ensure!(
            agreement.sequence.checked_add(1) == Some(report.sequence),
            Error::<T>::SequenceMismatch
        );
        ensure!(
            report.from >= started.max(agreement.metered_until) && report.from < report.until,
            Error::<T>::PeriodOverlaps
        );
        ensure!(
            report.until <= Self::now().saturating_add(T::ReportTolerance::get()),
            Error::<T>::InFuture
        );
        let month = month_of(report.from);
        ensure!(
            month_of(report.until.saturating_sub(1)) == month,
            Error::<T>::PeriodCrossesMonth
        );
        let period_ms = report.until.saturating_sub(report.from);
        let metered_ms = agreement.metered_ms.saturating_add(period_ms);
        ensure!(
            u128::from(metered_ms)
                <= u128::from(agreement.allocation.walltime).saturating_mul(1_000),
            Error::<T>::WalltimeExceeded
        );

        ensure!(
            is_canonical(&report.quantities),
            Error::<T>::QuantitiesMalformed
        );
        let possible = |component: &Component, ms: u64| -> Option<u128> {
            agreement
                .allocation
                .per_second
                .iter()
                .find(|(c, _)| c == component)
                .map(|(_, units)| units.saturating_mul(ms.div_ceil(1_000).into()))
        };
        for (component, quantity) in &report.quantities {
            let most = possible(component, period_ms).ok_or(Error::<T>::ComponentNotAllocated)?;
            ensure!(*quantity <= most, Error::<T>::UsageExceedsAllocation);
        }
        let cumulative = add_quantities(&agreement.cumulative, &report.quantities)
            .ok_or(Error::<T>::UsageExceedsAllocation)?;
        for (component, quantity) in &cumulative {
            let most = possible(component, metered_ms).ok_or(Error::<T>::ComponentNotAllocated)?;
            ensure!(*quantity <= most, Error::<T>::UsageExceedsAllocation);
        }
        Ok(Reading {
            month,
            metered_ms,
            cumulative,
        })
    }

    /// Adds a report to the agreement's open line, sealing that of an earlier month first.
    fn add_to_line(
        id: AgreementId,
        agreement: &Agreement<T::AccountId>,
        report: &UsageReport,
        month: Month,
        moved: Balance,
    ) -> DispatchResult {
        let mut open = OpenLines::<T>::get(id);
        if open.as_ref().is_some_and(|o| o.month < month) {
            let mut book = Books::<T>::get(id);
            if Self::may_seal(&book) {
                if let Some(done) = open.take() {
                    Self::seal(agreement, &mut book, done)?;
                    Books::<T>::insert(id, book);
                }
            }
        }
        let mut open = open.unwrap_or_else(|| OpenLine {
            month,
            line: InvoiceLine {
                agreement: id,
                kind: LineKind::Usage,
                plan: agreement.plan,
                first_sequence: report.sequence,
                last_sequence: report.sequence,
                from: report.from,
                until: report.until,
                quantities: Quantities::default(),
                amount: 0,
                head: agreement.head,
            },
        });
        open.month = month;
        let line = &mut open.line;
        line.last_sequence = report.sequence;
        line.until = report.until;
        line.quantities =
            add_quantities(&line.quantities, &report.quantities).ok_or(Error::<T>::Inconsistent)?;
        line.amount = line
            .amount
            .checked_add(moved)
            .ok_or(Error::<T>::Inconsistent)?;
        line.head = Self::next_head(agreement, report);
        OpenLines::<T>::insert(id, open);
        Ok(())
    }
}
