//! Invoices: lines that are only ever appended, and what proves them.

use crate::{
    Agreements, Book, Books, Config, Error, Event, InvoiceDeposits, Invoices, LineRef, Lines,
    OpenLine, OpenLines, Pallet, Pruning, StoredLine, MAX_LINES, PRUNE_BATCH,
};
use codec::{Encode, MaxEncodedLen};
use frame_support::{
    ensure,
    storage::with_storage_layer,
    traits::{fungibles::Mutate as _, tokens::Preservation, Consideration, Footprint, Get},
};
use sp_runtime::{DispatchError, DispatchResult, Perbill};
use virtengine_primitives::{
    billing::{
        Agreement, AgreementState, Invoice, InvoiceKey, InvoiceLine, LineKind, Month, Quantities,
    },
    calendar::{end_of, month_of},
    mmr,
    traits::{AccountStanding, ProviderRegistry},
    AgreementId, AssetKind, Balance, Role,
};

/// Where a credit note's money comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counter {
    /// Out of escrow: it had not been paid.
    Reverted,
    /// From the provider and the pot: it had been paid.
    Forgiven,
}

impl<T: Config> Pallet<T> {
    pub(crate) fn parts(
        key: &InvoiceKey<T::AccountId>,
    ) -> (
        T::AccountId,
        Month,
        virtengine_primitives::ProviderId,
        AssetKind,
    ) {
        (key.payer.clone(), key.month, key.provider, key.asset)
    }

    /// An invoice.
    pub fn invoice(key: InvoiceKey<T::AccountId>) -> Option<Invoice> {
        Invoices::<T>::get(Self::parts(&key))
    }

    /// The invoice of an agreement for a month.
    pub(crate) fn invoice_key(
        agreement: &Agreement<T::AccountId>,
        month: Month,
    ) -> InvoiceKey<T::AccountId> {
        InvoiceKey {
            payer: agreement.payer.clone(),
            provider: agreement.provider,
            asset: agreement.asset,
            month,
        }
    }

    /// Whether an agreement may have another line before its last.
    pub(crate) fn may_seal(book: &Book) -> bool {
        (book.lines.len() as u32) < MAX_LINES.saturating_sub(1)
    }

    /// Writes a finished line on the invoice of its month, or on the first later one that still takes lines.
    pub(crate) fn seal(
        agreement: &Agreement<T::AccountId>,
        book: &mut Book,
        open: OpenLine,
    ) -> DispatchResult {
        // An invoice takes lines until the grace time after its month is over, so this is the earliest that does.
        let earliest = month_of(Self::now().saturating_sub(T::InvoiceGrace::get()));
        let month = open.month.max(earliest);
        let standing = open.line.amount;
        let key = Self::invoice_key(agreement, month);
        let index = Self::append(&key, open.line, agreement.take_rate)?;
        book.lines
            .try_push(LineRef {
                month,
                index,
                standing,
            })
            .map_err(|_| Error::<T>::Inconsistent)?;
        Ok(())
    }

    /// Seals the line of a metering agreement whose month is over.
    pub(crate) fn seal_finished_month(
        id: AgreementId,
        agreement: &Agreement<T::AccountId>,
    ) -> DispatchResult {
        let Some(open) = OpenLines::<T>::get(id) else {
            return Ok(());
        };
        let mut book = Books::<T>::get(id);
        if Self::now() >= end_of(open.month) && Self::may_seal(&book) {
            OpenLines::<T>::remove(id);
            Self::seal(agreement, &mut book, open)?;
            Books::<T>::insert(id, book);
        }
        Ok(())
    }

    /// Appends a line to an invoice and returns its index.
    fn append(
        key: &InvoiceKey<T::AccountId>,
        line: InvoiceLine,
        take_rate: Perbill,
    ) -> Result<u32, DispatchError> {
        let parts = Self::parts(key);
        let mut invoice = match Invoices::<T>::get(&parts) {
            Some(invoice) => invoice,
            None => {
                Self::take_invoice_deposit(key);
                Invoice::default()
            }
        };
        ensure!(invoice.closed_at.is_none(), Error::<T>::AlreadyClosed);
        let sum = match line.kind {
            LineKind::Usage => &mut invoice.total,
            LineKind::CreditNote { .. } => &mut invoice.credited,
        };
        *sum = sum
            .checked_add(line.amount)
            .ok_or(Error::<T>::Inconsistent)?;
        let index = invoice
            .lines
            .append(mmr::leaf(&line.encode()))
            .ok_or(Error::<T>::Inconsistent)?;
        Self::deposit_event(Event::LineSealed {
            invoice: key.clone(),
            index,
            line: line.clone(),
            total: invoice.total,
            credited: invoice.credited,
            root: invoice.lines.root(),
        });
        Invoices::<T>::insert(&parts, invoice);
        Lines::<T>::insert(
            key,
            index,
            StoredLine {
                line,
                take_rate,
                reverted: 0,
                forgiven: 0,
            },
        );
        Ok(index)
    }

    /// Holds something of the provider's owner for an invoice if it can: that an owner is poor must not keep an
    /// agreement from ending.
    pub(crate) fn take_invoice_deposit(key: &InvoiceKey<T::AccountId>) {
        let Some(owner) = T::Providers::owner(key.provider) else {
            return;
        };
        let footprint = Footprint::from_parts(1, Invoice::max_encoded_len());
        let ticket =
            with_storage_layer::<_, DispatchError, _>(|| T::InvoiceDeposit::new(&owner, footprint));
        if let Ok(ticket) = ticket {
            InvoiceDeposits::<T>::insert(key, (owner, ticket));
        }
    }

    /// Appends credit notes over `amount` for what is not charged any more, the newest lines first.
    pub(crate) fn correct_lines(
        id: AgreementId,
        agreement: &Agreement<T::AccountId>,
        book: &mut Book,
        amount: Balance,
    ) -> DispatchResult {
        let mut left = amount;
        for line in book.lines.iter_mut().rev() {
            let part = line.standing.min(left);
            if part == 0 {
                continue;
            }
            line.standing = line.standing.saturating_sub(part);
            left = left.saturating_sub(part);
            let key = Self::invoice_key(agreement, line.month);
            Self::append_note(
                id,
                agreement.plan,
                &key,
                line.index,
                part,
                Counter::Reverted,
            )?;
        }
        ensure!(left == 0, Error::<T>::Inconsistent);
        Ok(())
    }

    /// Appends a credit note for a line to the invoice of the current month: one that is never closed.
    fn append_note(
        id: AgreementId,
        plan: virtengine_primitives::PlanId,
        key: &InvoiceKey<T::AccountId>,
        index: u32,
        amount: Balance,
        counter: Counter,
    ) -> DispatchResult {
        // The corrected line may have been pruned while its agreement lived on; the note names it all the same.
        let corrected = Lines::<T>::get(key, index);
        let original = corrected.as_ref().map(|stored| &stored.line);
        let note = InvoiceLine {
            agreement: id,
            kind: LineKind::CreditNote {
                line: index,
                month: key.month,
            },
            plan,
            first_sequence: original.map_or(0, |l| l.first_sequence),
            last_sequence: original.map_or(0, |l| l.last_sequence),
            from: original.map_or(0, |l| l.from),
            until: original.map_or(0, |l| l.until),
            quantities: Quantities::default(),
            amount,
            head: original.map_or_else(Default::default, |l| l.head),
        };
        if let Some(mut stored) = corrected {
            let sum = match counter {
                Counter::Reverted => &mut stored.reverted,
                Counter::Forgiven => &mut stored.forgiven,
            };
            *sum = sum.checked_add(amount).ok_or(Error::<T>::Inconsistent)?;
            Lines::<T>::insert(key, index, stored);
        }
        // A line of the first seconds of a month can be written in the last ones of the month before.
        let current = InvoiceKey {
            month: month_of(Self::now()).max(key.month),
            ..key.clone()
        };
        Self::append(&current, note, Perbill::zero()).map(|_| ())
    }

    pub(crate) fn do_credit_note(
        who: &T::AccountId,
        key: InvoiceKey<T::AccountId>,
        index: u32,
        amount: Balance,
    ) -> DispatchResult {
        with_storage_layer(|| {
            let is_owner = T::Providers::owner(key.provider).as_ref() == Some(who);
            if is_owner {
                T::Standing::ensure_active(who)?;
            } else {
                ensure!(
                    T::Standing::has_role(who, Role::Arbiter),
                    Error::<T>::NotAuthorized
                );
                ensure!(*who != key.payer, Error::<T>::ConflictOfInterest);
            }
            ensure!(
                Invoices::<T>::contains_key(Self::parts(&key)),
                Error::<T>::NotFound
            );
            let stored = Lines::<T>::get(&key, index).ok_or(Error::<T>::NotFound)?;
            ensure!(stored.line.kind == LineKind::Usage, Error::<T>::NotUsage);
            if let Some(agreement) = Agreements::<T>::get(stored.line.agreement) {
                ensure!(
                    matches!(agreement.state, AgreementState::Settled { .. }),
                    Error::<T>::NotSettled
                );
            }
            let standing = stored
                .line
                .amount
                .saturating_sub(stored.reverted)
                .saturating_sub(stored.forgiven);
            ensure!(amount > 0 && amount <= standing, Error::<T>::InvalidAmount);
            // Of all that was forgiven, less what the pot returned before: no more than it took, whatever the parts.
            let share = |of: Balance| stored.take_rate.mul_floor(of);
            let from_pot = share(stored.forgiven.saturating_add(amount))
                .saturating_sub(share(stored.forgiven));
            let from_provider = amount.saturating_sub(from_pot);
            if from_provider > 0 {
                if is_owner {
                    // Nobody loses the rest of an account by being generous.
                    let keep = Preservation::Preserve;
                    T::Assets::transfer(key.asset, who, &key.payer, from_provider, keep)?;
                } else {
                    ensure!(key.asset == AssetKind::Native, Error::<T>::NativeOnly);
                    T::Providers::pay_from_bond(key.provider, from_provider, &key.payer)?;
                }
            }
            if from_pot > 0 {
                // The pot was endowed in the chain's token and lives for ever. In an asset it may own nothing but what
                // it took, and gives back all of it if need be.
                let keep = match key.asset {
                    AssetKind::Native => Preservation::Preserve,
                    AssetKind::Asset(_) => Preservation::Expendable,
                };
                T::Assets::transfer(key.asset, &T::TakePot::get(), &key.payer, from_pot, keep)?;
            }
            let (id, plan) = (stored.line.agreement, stored.line.plan);
            Self::append_note(id, plan, &key, index, amount, Counter::Forgiven)?;
            Self::deposit_event(Event::CreditNoteIssued {
                invoice: key,
                line: index,
                amount,
                from_provider,
                from_pot,
                from_bond: !is_owner,
            });
            Ok(())
        })
    }

    pub(crate) fn do_close_invoice(key: InvoiceKey<T::AccountId>) -> DispatchResult {
        Invoices::<T>::try_mutate(Self::parts(&key), |invoice| {
            let invoice = invoice.as_mut().ok_or(Error::<T>::NotFound)?;
            ensure!(invoice.closed_at.is_none(), Error::<T>::AlreadyClosed);
            ensure!(
                Self::now() >= end_of(key.month).saturating_add(T::InvoiceGrace::get()),
                Error::<T>::TooEarly
            );
            invoice.closed_at = Some(Self::now_block());
            Self::deposit_event(Event::InvoiceClosed {
                total: invoice.total,
                credited: invoice.credited,
                lines: invoice.lines.count,
                root: invoice.lines.root(),
                invoice: key.clone(),
            });
            Ok(())
        })
    }

    /// Removes an invoice, or goes on removing its lines. Returns how many lines were removed.
    pub(crate) fn do_prune_invoice(key: InvoiceKey<T::AccountId>) -> Result<u32, DispatchError> {
        with_storage_layer(|| {
            let parts = Self::parts(&key);
            match Invoices::<T>::get(&parts) {
                Some(invoice) => {
                    ensure!(invoice.closed_at.is_some(), Error::<T>::NotClosed);
                    let kept_until = key.month.saturating_add(T::InvoiceRetention::get());
                    ensure!(Self::now() >= end_of(kept_until), Error::<T>::TooEarly);
                    Invoices::<T>::remove(&parts);
                    Pruning::<T>::insert(&key, ());
                }
                None => ensure!(Pruning::<T>::contains_key(&key), Error::<T>::NotFound),
            }
            let batch: alloc::vec::Vec<u32> = Lines::<T>::iter_key_prefix(&key)
                .take(PRUNE_BATCH as usize)
                .collect();
            for index in &batch {
                Lines::<T>::remove(&key, index);
            }
            let removed = batch.len() as u32;
            if removed < PRUNE_BATCH {
                Pruning::<T>::remove(&key);
                if let Some((owner, ticket)) = InvoiceDeposits::<T>::take(&key) {
                    ticket.drop(&owner)?;
                }
                Self::deposit_event(Event::InvoicePruned { invoice: key });
            }
            Ok(removed)
        })
    }
}
