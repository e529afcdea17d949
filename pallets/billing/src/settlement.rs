//! From the end of an agreement to its settlement: disputes, deadlines, releases.

use crate::{
    Agreements, Book, Books, Config, DisputeDeposits, Disputes, Error, Event, Outcome, Pallet,
    WeightInfo as _,
};
use codec::MaxEncodedLen;
use frame_support::{
    ensure,
    storage::with_storage_layer,
    traits::{Consideration, Footprint, Get},
    weights::Weight,
};
use sp_core::H256;
use sp_runtime::DispatchResult;
use virtengine_primitives::{
    billing::{Agreement, AgreementState, Dispute},
    traits::{AccountStanding, Escrow, OnAgreementEnded, ProviderRegistry},
    AgreementId, Balance, BlockNumber, Role,
};

impl<T: Config> Pallet<T> {
    /// Weight of settling one agreement, with whoever is told about it.
    pub(crate) fn settle_weight() -> Weight {
        T::WeightInfo::settle().saturating_add(T::OnSettled::weight())
    }

    /// Does whatever is due; see the call.
    pub(crate) fn do_settle(id: AgreementId) -> DispatchResult {
        with_storage_layer(|| {
            let mut agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
            match agreement.state {
                AgreementState::Open | AgreementState::Settled { .. } => {}
                AgreementState::Metering => Self::seal_finished_month(id, &agreement)?,
                AgreementState::Ended { release_at } => {
                    let mut book = Books::<T>::get(id);
                    let now = Self::now_block();
                    let dispute = Disputes::<T>::get(id);
                    if let Some((dispute, outcome)) =
                        dispute.and_then(|d| Self::overdue(&d, now).map(|o| (d, o)))
                    {
                        let to_payee = match outcome {
                            Outcome::DefaultSplit => {
                                T::DefaultSplit::get().mul_floor(dispute.amount)
                            }
                            _ => 0,
                        };
                        Self::resolve(id, &mut agreement, &mut book, dispute, to_payee, outcome)?;
                    }
                    Self::release_due(id, &mut agreement, &mut book, release_at)?;
                    Books::<T>::insert(id, book);
                    Agreements::<T>::insert(id, agreement);
                }
            }
            Ok(())
        })
    }

    /// What time has decided about a dispute, if anything.
    fn overdue(dispute: &Dispute, now: BlockNumber) -> Option<Outcome> {
        match dispute.evidence {
            None if now >= dispute.evidence_by => Some(Outcome::EvidenceMissing),
            Some(_) if now >= dispute.decide_by => Some(Outcome::DefaultSplit),
            _ => None,
        }
    }

    /// Releases what is pending and not disputed, if its time has come, and settles if that was all.
    fn release_due(
        id: AgreementId,
        agreement: &mut Agreement<T::AccountId>,
        book: &mut Book,
        release_at: BlockNumber,
    ) -> DispatchResult {
        if Self::now_block() < release_at {
            return Ok(());
        }
        let dispute = Disputes::<T>::get(id);
        let (_, pending) = T::Escrow::balances(id).ok_or(Error::<T>::Inconsistent)?;
        let free = pending
            .checked_sub(dispute.as_ref().map_or(0, |d| d.amount))
            .ok_or(Error::<T>::Inconsistent)?;
        Self::release_part(id, agreement, book, free)?;
        if dispute.is_some() {
            return Ok(());
        }
        T::Escrow::close(id)?;
        let prune_at = Self::now_block().saturating_add(T::PruneAfter::get());
        agreement.state = AgreementState::Settled { prune_at };
        Self::do_unpin(agreement.plan);
        T::Providers::agreement_closed(agreement.provider);
        Self::deposit_event(Event::Settled {
            agreement: id,
            asset: agreement.asset,
            charged: agreement.charged,
            prune_at,
        });
        T::OnSettled::on_settled(id);
        Ok(())
    }

    /// Releases part of what is pending, the chain's share to the pot: `floor(take rate x all that was released)`
    /// less what it took before, so that splitting releases changes nothing.
    fn release_part(
        id: AgreementId,
        agreement: &mut Agreement<T::AccountId>,
        book: &mut Book,
        amount: Balance,
    ) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        // A provider with live agreements cannot leave. Should it be gone all the same, the money is the payer's.
        let Some(payee) = T::Providers::payout(agreement.provider) else {
            return Self::give_back(id, agreement, book, amount);
        };
        let released = book
            .released
            .checked_add(amount)
            .ok_or(Error::<T>::Inconsistent)?;
        let taken = agreement.take_rate.mul_floor(released);
        let to_pot = taken
            .checked_sub(book.taken)
            .ok_or(Error::<T>::Inconsistent)?;
        let to_payee = amount.checked_sub(to_pot).ok_or(Error::<T>::Inconsistent)?;
        book.released = released;
        book.taken = taken;
        T::Escrow::release(id, &T::TakePot::get(), to_pot)?;
        T::Escrow::release(id, &payee, to_payee)?;
        Self::deposit_event(Event::Released {
            agreement: id,
            asset: agreement.asset,
            payee,
            to_payee,
            to_pot,
            released,
        });
        Ok(())
    }

    /// Gives part of what is pending back to the payer, with credit notes for the lines that it was on.
    fn give_back(
        id: AgreementId,
        agreement: &mut Agreement<T::AccountId>,
        book: &mut Book,
        amount: Balance,
    ) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        T::Escrow::revert_pending(id, amount)?;
        T::Escrow::refund(id, amount)?;
        agreement.charged = agreement
            .charged
            .checked_sub(amount)
            .ok_or(Error::<T>::Inconsistent)?;
        Self::correct_lines(id, agreement, book, amount)
    }

    /// Ends a dispute: `to_payee` of the amount is final, the rest goes back, and so does the deposit.
    fn resolve(
        id: AgreementId,
        agreement: &mut Agreement<T::AccountId>,
        book: &mut Book,
        dispute: Dispute,
        to_payee: Balance,
        outcome: Outcome,
    ) -> DispatchResult {
        let to_payer = dispute
            .amount
            .checked_sub(to_payee)
            .ok_or(Error::<T>::InvalidAmount)?;
        Disputes::<T>::remove(id);
        if let Some(ticket) = DisputeDeposits::<T>::take(id) {
            ticket.drop(&agreement.payer)?;
        }
        Self::deposit_event(Event::DisputeResolved {
            agreement: id,
            asset: agreement.asset,
            to_payee,
            to_payer,
            outcome,
        });
        Self::release_part(id, agreement, book, to_payee)?;
        Self::give_back(id, agreement, book, to_payer)
    }

    pub(crate) fn do_dispute(
        who: &T::AccountId,
        id: AgreementId,
        amount: Balance,
        grounds: H256,
    ) -> DispatchResult {
        with_storage_layer(|| {
            let agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
            ensure!(agreement.payer == *who, Error::<T>::NotAuthorized);
            let AgreementState::Ended { release_at } = agreement.state else {
                return Err(match agreement.state {
                    AgreementState::Settled { .. } => Error::<T>::DeadlinePassed,
                    _ => Error::<T>::NotEnded,
                }
                .into());
            };
            let now = Self::now_block();
            ensure!(now < release_at, Error::<T>::DeadlinePassed);
            ensure!(!Disputes::<T>::contains_key(id), Error::<T>::DisputeOpen);
            let (_, pending) = T::Escrow::balances(id).ok_or(Error::<T>::Inconsistent)?;
            ensure!(amount > 0 && amount <= pending, Error::<T>::InvalidAmount);
            let footprint = Footprint::from_parts(1, Dispute::max_encoded_len());
            DisputeDeposits::<T>::insert(id, T::DisputeDeposit::new(who, footprint)?);
            let evidence_by = now.saturating_add(T::EvidenceWindow::get());
            let dispute = Dispute {
                amount,
                grounds,
                evidence_by,
                evidence: None,
                decide_by: evidence_by.saturating_add(T::DecisionWindow::get()),
            };
            Self::schedule(evidence_by, id);
            Disputes::<T>::insert(id, dispute.clone());
            Self::deposit_event(Event::Disputed {
                agreement: id,
                asset: agreement.asset,
                dispute,
            });
            Ok(())
        })
    }

    pub(crate) fn do_open_evidence(
        who: &T::AccountId,
        id: AgreementId,
        evidence: H256,
    ) -> DispatchResult {
        let agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
        ensure!(Self::acts_for(who, &agreement), Error::<T>::NotAuthorized);
        Disputes::<T>::try_mutate(id, |dispute| {
            let dispute = dispute.as_mut().ok_or(Error::<T>::NoDispute)?;
            ensure!(dispute.evidence.is_none(), Error::<T>::EvidenceOpened);
            ensure!(
                Self::now_block() < dispute.evidence_by,
                Error::<T>::DeadlinePassed
            );
            dispute.evidence = Some(evidence);
            Self::schedule(dispute.decide_by, id);
            Self::deposit_event(Event::EvidenceOpened {
                agreement: id,
                evidence,
                decide_by: dispute.decide_by,
            });
            Ok(())
        })
    }

    pub(crate) fn do_decide(
        who: &T::AccountId,
        id: AgreementId,
        to_payee: Balance,
    ) -> DispatchResult {
        with_storage_layer(|| {
            ensure!(
                T::Standing::has_role(who, Role::Arbiter),
                Error::<T>::NotAuthorized
            );
            let mut agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
            ensure!(
                *who != agreement.payer && !Self::acts_for(who, &agreement),
                Error::<T>::ConflictOfInterest
            );
            let dispute = Disputes::<T>::get(id).ok_or(Error::<T>::NoDispute)?;
            ensure!(
                Self::overdue(&dispute, Self::now_block()).is_none(),
                Error::<T>::DeadlinePassed
            );
            ensure!(dispute.evidence.is_some(), Error::<T>::EvidenceNotOpened);
            let AgreementState::Ended { release_at } = agreement.state else {
                return Err(Error::<T>::Inconsistent.into());
            };
            let mut book = Books::<T>::get(id);
            let outcome = Outcome::Decided;
            Self::resolve(id, &mut agreement, &mut book, dispute, to_payee, outcome)?;
            Self::release_due(id, &mut agreement, &mut book, release_at)?;
            Books::<T>::insert(id, book);
            Agreements::<T>::insert(id, agreement);
            Ok(())
        })
    }

    /// Whether an account is the owner or a hot key of an agreement's provider.
    fn acts_for(who: &T::AccountId, agreement: &Agreement<T::AccountId>) -> bool {
        let provider = Some(agreement.provider);
        T::Providers::worker_of(who) == provider || T::Providers::owned_by(who) == provider
    }

    pub(crate) fn do_prune_agreement(id: AgreementId) -> DispatchResult {
        let agreement = Agreements::<T>::get(id).ok_or(Error::<T>::NotFound)?;
        let AgreementState::Settled { prune_at } = agreement.state else {
            return Err(Error::<T>::NotSettled.into());
        };
        ensure!(Self::now_block() >= prune_at, Error::<T>::TooEarly);
        ensure!(T::Escrow::forget(id), Error::<T>::CreditsRemain);
        Agreements::<T>::remove(id);
        Books::<T>::remove(id);
        Self::deposit_event(Event::AgreementPruned { agreement: id });
        Ok(())
    }
}
