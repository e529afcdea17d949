//! Answers for the runtime API. Bounded by [`PAGE`] but for `prove_line`, which reads one mountain of one invoice.

use crate::{Agreements, Config, Disputes, Invoices, Lines, Pallet, Plans};
use alloc::vec::Vec;
use codec::Encode;
use sp_core::H256;
use virtengine_primitives::{
    apis::PAGE,
    billing::{Agreement, Allocation, Dispute, Invoice, InvoiceKey, InvoiceLine, Month, PricePlan},
    mmr, AgreementId, AssetKind, Balance, PlanId, ProviderId,
};

impl<T: Config> Pallet<T> {
    /// A price plan and whose it is.
    pub fn plan(id: PlanId) -> Option<(ProviderId, PricePlan)> {
        Plans::<T>::get(id).map(|record| (record.provider, record.plan))
    }

    /// An agreement.
    pub fn agreement(id: AgreementId) -> Option<Agreement<T::AccountId>> {
        Agreements::<T>::get(id)
    }

    /// Of the first [`PAGE`] of some agreements, an answer for each, in order.
    pub fn agreements(ids: Vec<AgreementId>) -> Vec<Option<Agreement<T::AccountId>>> {
        let first = ids.into_iter().take(PAGE as usize);
        first.map(Self::agreement).collect()
    }

    /// The open dispute of an agreement: `dispute` of the runtime API (the call has taken the name).
    pub fn dispute_of(id: AgreementId) -> Option<Dispute> {
        Disputes::<T>::get(id)
    }

    /// Open disputes, at most [`PAGE`] after `after`, in no order that means anything.
    pub fn disputes(after: Option<AgreementId>) -> Vec<(AgreementId, Dispute)> {
        let disputes = match after {
            None => Disputes::<T>::iter(),
            Some(after) => Disputes::<T>::iter_from(Disputes::<T>::hashed_key_for(after)),
        };
        disputes.take(PAGE as usize).collect()
    }

    /// Invoices of a payer in a month, at most [`PAGE`].
    pub fn invoices(payer: T::AccountId, month: Month) -> Vec<(InvoiceKey<T::AccountId>, Invoice)> {
        Invoices::<T>::iter_prefix((payer.clone(), month))
            .take(PAGE as usize)
            .map(|((provider, asset), invoice)| {
                let payer = payer.clone();
                let key = InvoiceKey {
                    payer,
                    provider,
                    asset,
                    month,
                };
                (key, invoice)
            })
            .collect()
    }

    /// Lines of an invoice from `from` on, at most [`PAGE`].
    pub fn invoice_lines(key: InvoiceKey<T::AccountId>, from: u32) -> Vec<InvoiceLine> {
        (from..from.saturating_add(PAGE))
            .map_while(|index| Lines::<T>::get(&key, index))
            .map(|stored| stored.line)
            .collect()
    }

    /// Merkle proof of a line against the invoice's root. The peaks of all other mountains are on the invoice, so
    /// only the lines under the same peak are read.
    pub fn prove_line(
        key: InvoiceKey<T::AccountId>,
        index: u32,
    ) -> Option<(InvoiceLine, mmr::Proof)> {
        let frontier = Self::invoice(key.clone())?.lines;
        let line = Lines::<T>::get(&key, index)?.line;
        let mut first = 0u32;
        let mut other_peaks = frontier.peaks.to_vec();
        for (position, height) in (0..32u32)
            .rev()
            .filter(|h| frontier.count & 1u32.wrapping_shl(*h) != 0)
            .enumerate()
        {
            let after = first.saturating_add(1u32.wrapping_shl(height));
            if index < after {
                let leaves: Vec<H256> = (first..after)
                    .map(|i| Some(mmr::leaf(&Lines::<T>::get(&key, i)?.line.encode())))
                    .collect::<Option<_>>()?;
                let within = mmr::prove(&leaves, index.checked_sub(first)?)?;
                if position < other_peaks.len() {
                    other_peaks.remove(position);
                }
                let proof = mmr::Proof {
                    index,
                    count: frontier.count,
                    siblings: within.siblings,
                    other_peaks,
                };
                return Some((line, proof));
            }
            first = after;
        }
        None
    }

    /// Asset and most that an allocation costs under a plan; `None` for an unknown or retired plan, or overflow.
    pub fn quote(plan: PlanId, allocation: Allocation) -> Option<(AssetKind, Balance)> {
        Self::try_quote(plan, None, &allocation).ok()
    }
}
