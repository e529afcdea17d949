//! The invariants.

use crate::{
    Agreements, Books, Config, Cursor, Deadlines, DisputeDeposits, Disputes, InvoiceDeposits,
    Invoices, LineRef, Lines, OpenLines, Pallet, Plans, Pruning,
};
use alloc::{collections::BTreeMap, vec::Vec};
use codec::Encode;
use frame_support::{ensure, traits::Get};
use sp_runtime::TryRuntimeError;
use virtengine_primitives::{
    billing::{is_canonical, Agreement, AgreementState, InvoiceKey, LineKind},
    calendar::end_of,
    mmr,
    traits::Escrow,
    AgreementId, Balance, PlanId,
};

impl<T: Config> Pallet<T> {
    /// Checks every invariant of this pallet. Iterates everything: for tests and `try-runtime` only.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        for (id, agreement) in Agreements::<T>::iter() {
            Self::check_meters(&agreement)?;
            Self::check_money(id, &agreement)?;
            Self::check_lines_of(id, &agreement)?;
            Self::check_deadline(id, &agreement)?;
        }
        Self::check_orphans()?;
        Self::check_invoices()?;
        Self::check_plans()
    }

    /// * Usage is canonical, was allocated, and fits the time that was metered; that time fits the wall time.
    /// * The sequence counts reports: none, and nothing is metered; some, and the agreement has started.
    fn check_meters(agreement: &Agreement<T::AccountId>) -> Result<(), TryRuntimeError> {
        ensure!(
            is_canonical(&agreement.cumulative),
            "usage is not canonical"
        );
        for (component, quantity) in &agreement.cumulative {
            let units = agreement
                .allocation
                .per_second
                .iter()
                .find(|(c, _)| c == component)
                .map_or(0, |(_, units)| *units);
            let most = units.saturating_mul(agreement.metered_ms.div_ceil(1_000).into());
            ensure!(*quantity <= most, "more was used than allocated");
        }
        ensure!(
            agreement.metered_ms.div_ceil(1_000) <= agreement.allocation.walltime,
            "more was metered than the wall time"
        );
        ensure!(
            (agreement.sequence == 0) == (agreement.metered_ms == 0),
            "sequence and meter differ"
        );
        ensure!(
            agreement.sequence == 0 || agreement.started_at.is_some(),
            "metered before the start"
        );
        Ok(())
    }

    /// * `charged <= ceiling`.
    /// * Until the end, what is charged is pending and the rest available.
    /// * After it, nothing is available, and what is charged is pending or released; when settled, all of it is
    ///   released.
    /// * The pot took its floor of what was released.
    fn check_money(
        id: AgreementId,
        agreement: &Agreement<T::AccountId>,
    ) -> Result<(), TryRuntimeError> {
        let (available, pending) = T::Escrow::balances(id).ok_or("an agreement has no ledger")?;
        let book = Books::<T>::get(id);
        ensure!(
            agreement.charged <= agreement.ceiling,
            "charged more than the ceiling"
        );
        let uncharged = agreement.ceiling.saturating_sub(agreement.charged);
        let unreleased = agreement.charged.checked_sub(book.released);
        let right = match agreement.state {
            AgreementState::Open => available == agreement.ceiling && pending == 0,
            AgreementState::Metering => available == uncharged && pending == agreement.charged,
            AgreementState::Ended { .. } => available == 0 && Some(pending) == unreleased,
            AgreementState::Settled { .. } => {
                available == 0 && pending == 0 && unreleased == Some(0)
            }
        };
        ensure!(right, "an agreement differs from its ledger");
        ensure!(
            book.taken == agreement.take_rate.mul_floor(book.released),
            "the pot took another share"
        );
        Ok(())
    }

    /// * What sealed lines still stand for and the open line add up to what is charged.
    /// * Each reference agrees with its line, unless that was pruned.
    /// * Only a metering agreement has an open line.
    fn check_lines_of(
        id: AgreementId,
        agreement: &Agreement<T::AccountId>,
    ) -> Result<(), TryRuntimeError> {
        let open = OpenLines::<T>::get(id);
        ensure!(
            open.is_none() || agreement.state == AgreementState::Metering,
            "a line is open outside metering"
        );
        let mut sum = open.map_or(0, |o| o.line.amount);
        for LineRef {
            month,
            index,
            standing,
        } in Books::<T>::get(id).lines
        {
            sum = sum.checked_add(standing).ok_or("lines overflow")?;
            let key = Self::invoice_key(agreement, month);
            if Self::invoice(key.clone()).is_none() {
                continue;
            }
            let stored = Lines::<T>::get(key, index).ok_or("a line is missing")?;
            ensure!(
                stored.line.agreement == id && stored.line.kind == LineKind::Usage,
                "a reference names another line"
            );
            ensure!(
                stored.line.amount.checked_sub(stored.reverted) == Some(standing),
                "a line stands for another amount"
            );
        }
        ensure!(
            sum == agreement.charged,
            "lines differ from what is charged"
        );
        Ok(())
    }

    /// * An ended agreement will be touched at or after its next deadline: time alone settles it.
    /// * Only an ended agreement has a dispute, about no more than is pending, with a deposit.
    fn check_deadline(
        id: AgreementId,
        agreement: &Agreement<T::AccountId>,
    ) -> Result<(), TryRuntimeError> {
        let dispute = Disputes::<T>::get(id);
        let AgreementState::Ended { release_at } = agreement.state else {
            ensure!(dispute.is_none(), "a dispute outside the end");
            return Ok(());
        };
        let cursor = Cursor::<T>::get().ok_or("no cursor")?;
        let scheduled = |at: u32| {
            Deadlines::<T>::contains_key(at, id)
                || (at <= cursor && Deadlines::<T>::contains_key(cursor, id))
        };
        ensure!(
            cursor > release_at || scheduled(release_at),
            "a release is not scheduled"
        );
        if let Some(dispute) = dispute {
            let (_, pending) = T::Escrow::balances(id).ok_or("an agreement has no ledger")?;
            ensure!(
                dispute.amount > 0 && dispute.amount <= pending,
                "more is disputed than pending"
            );
            ensure!(
                DisputeDeposits::<T>::contains_key(id),
                "a dispute has no deposit"
            );
            let next = match dispute.evidence {
                None => dispute.evidence_by,
                Some(_) => dispute.decide_by,
            };
            ensure!(scheduled(next), "a dispute's deadline is not scheduled");
        } else {
            ensure!(
                cursor <= release_at || scheduled(release_at),
                "a settlement was missed"
            );
        }
        Ok(())
    }

    /// * Books, open lines, disputes and deposits belong to an agreement.
    /// * No bucket before the cursor has anything in it.
    fn check_orphans() -> Result<(), TryRuntimeError> {
        let known = |id: AgreementId| Agreements::<T>::contains_key(id);
        ensure!(Books::<T>::iter_keys().all(known), "a book is orphaned");
        ensure!(
            OpenLines::<T>::iter_keys().all(known),
            "an open line is orphaned"
        );
        ensure!(
            Disputes::<T>::iter_keys().all(known),
            "a dispute is orphaned"
        );
        ensure!(
            DisputeDeposits::<T>::iter_keys().all(Disputes::<T>::contains_key),
            "a dispute's deposit is orphaned"
        );
        let cursor = Cursor::<T>::get();
        ensure!(
            Deadlines::<T>::iter_keys().all(|(at, _)| cursor.is_some_and(|c| at >= c)),
            "a deadline was passed over"
        );
        Ok(())
    }

    /// * An invoice's totals are the sums of its lines, and its range is the range over them.
    /// * Credit notes of a line that is still there add up to what was taken back of it, and never exceed it.
    /// * Every line belongs to an invoice, or to one that is being pruned.
    fn check_invoices() -> Result<(), TryRuntimeError> {
        let mut lines = BTreeMap::<Vec<u8>, BTreeMap<u32, crate::StoredLine>>::new();
        let mut notes = BTreeMap::<(Vec<u8>, u32), Balance>::new();
        for (key, index, stored) in Lines::<T>::iter() {
            if let LineKind::CreditNote { line, month } = stored.line.kind {
                let corrected = InvoiceKey {
                    month,
                    ..key.clone()
                };
                let sum = notes.entry((corrected.encode(), line)).or_default();
                *sum = sum
                    .checked_add(stored.line.amount)
                    .ok_or("credit notes overflow")?;
            }
            if Self::invoice(key.clone()).is_none() {
                ensure!(Pruning::<T>::contains_key(&key), "a line has no invoice");
                continue;
            }
            lines.entry(key.encode()).or_default().insert(index, stored);
        }
        for ((payer, month, provider, asset), invoice) in Invoices::<T>::iter() {
            let key = InvoiceKey {
                payer,
                provider,
                asset,
                month,
            }
            .encode();
            // Notes are on invoices of the same month or later, which may be pruned first once this one may be, too.
            let may_be_pruned =
                Self::now() >= end_of(month.saturating_add(T::InvoiceRetention::get()));
            let mut again = virtengine_primitives::billing::Invoice {
                closed_at: invoice.closed_at,
                ..Default::default()
            };
            for (index, stored) in lines.remove(&key).unwrap_or_default() {
                let line = stored.line;
                let taken_back = stored
                    .reverted
                    .checked_add(stored.forgiven)
                    .ok_or("a line overflows")?;
                ensure!(
                    taken_back <= line.amount,
                    "more was taken back than a line was about"
                );
                let noted = notes.get(&(key.clone(), index)).copied().unwrap_or(0);
                ensure!(
                    taken_back == noted || (may_be_pruned && noted < taken_back),
                    "credit notes differ from what was taken back"
                );
                let sum = match line.kind {
                    LineKind::Usage => &mut again.total,
                    LineKind::CreditNote { .. } => &mut again.credited,
                };
                *sum = sum.checked_add(line.amount).ok_or("an invoice overflows")?;
                ensure!(
                    again.lines.append(mmr::leaf(&line.encode())) == Some(index),
                    "an invoice has a gap"
                );
            }
            ensure!(again == invoice, "an invoice differs from its lines");
        }
        ensure!(
            InvoiceDeposits::<T>::iter_keys()
                .all(|key| Self::invoice(key.clone()).is_some() || Pruning::<T>::contains_key(&key)),
            "an invoice's deposit is orphaned"
        );
        Ok(())
    }

    /// * A plan has at least as many users as unsettled agreements name it; a retired one has users.
    fn check_plans() -> Result<(), TryRuntimeError> {
        let mut users = BTreeMap::<PlanId, u32>::new();
        for (_, agreement) in Agreements::<T>::iter() {
            if !matches!(agreement.state, AgreementState::Settled { .. }) {
                let count = users.entry(agreement.plan).or_default();
                *count = count.saturating_add(1);
            }
        }
        for (id, record) in Plans::<T>::iter() {
            ensure!(
                record.users >= users.remove(&id).unwrap_or(0),
                "a plan has fewer users than agreements"
            );
            ensure!(
                !record.retired || record.users > 0,
                "a retired plan was not removed"
            );
        }
        ensure!(users.is_empty(), "an agreement's plan is gone");
        Ok(())
    }
}
