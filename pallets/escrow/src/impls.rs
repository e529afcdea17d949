//! The movements of money.

use crate::{
    Config, Credit, Credits, Error, Event, HoldReason, Ledgers, Pallet, Standing, WeightInfo as _,
};
use frame_support::{
    ensure,
    storage::with_storage_layer,
    traits::{
        fungibles::hold::Mutate as _,
        tokens::{Fortitude, Precision, Restriction},
    },
};
use sp_runtime::{DispatchError, DispatchResult};
use virtengine_primitives::{
    escrow::Ledger, traits::Escrow as EscrowSeam, AgreementId, AssetKind, Balance,
};

/// From which part of a ledger a payment is made.
#[derive(Clone, Copy)]
enum Source {
    /// Earned money, to whom it was earned by.
    Pending,
    /// Money that was never earned, back to the payer.
    Available,
}

impl<T: Config> Pallet<T> {
    /// Ledger of an agreement.
    pub fn ledger(agreement: AgreementId) -> Option<Ledger<T::AccountId>> {
        Ledgers::<T>::get(agreement)
    }

    /// Weight of `claim`, for callers who settle on somebody's behalf.
    pub fn claim_weight() -> frame_support::weights::Weight {
        T::WeightInfo::claim()
    }

    /// Pays the credit of `recipient`; see the call.
    pub fn do_claim(agreement: AgreementId, recipient: &T::AccountId) -> DispatchResult {
        with_storage_layer(|| {
            let mut ledger = Ledgers::<T>::get(agreement).ok_or(Error::<T>::NotFound)?;
            let credit = Credits::<T>::get(agreement, recipient).ok_or(Error::<T>::NoCredit)?;
            let owed = credit.total().ok_or(Error::<T>::Overflow)?;
            ensure!(Self::pay(&ledger, recipient, owed), Error::<T>::NotPayable);
            Self::book_claim(agreement, &mut ledger, recipient, credit)?;
            Ledgers::<T>::insert(agreement, ledger);
            Ok(())
        })
    }

    /// Moves held money to a recipient: all of `amount` and `true`, or nothing at all and `false`.
    ///
    /// The storage layer matters: the pallets below may fail after they took the money off the hold (an asset that
    /// is not live refuses only the deposit that follows). Freezes of the payer are overridden, for they must not
    /// keep a payee from what was held for them.
    fn pay(ledger: &Ledger<T::AccountId>, to: &T::AccountId, amount: Balance) -> bool {
        if amount == 0 {
            return true;
        }
        let reason = HoldReason::Agreement.into();
        with_storage_layer::<(), DispatchError, _>(|| {
            let moved = if to == &ledger.payer {
                T::Assets::release(ledger.asset, &reason, to, amount, Precision::Exact)?
            } else {
                T::Assets::transfer_on_hold(
                    ledger.asset,
                    &reason,
                    &ledger.payer,
                    to,
                    amount,
                    Precision::Exact,
                    Restriction::Free,
                    Fortitude::Force,
                )?
            };
            ensure!(moved == amount, Error::<T>::NotPayable);
            Ok(())
        })
        .is_ok()
    }

    /// Books a credit that has just been paid.
    fn book_claim(
        agreement: AgreementId,
        ledger: &mut Ledger<T::AccountId>,
        recipient: &T::AccountId,
        credit: Credit,
    ) -> DispatchResult {
        let overflow = Error::<T>::Overflow;
        let owed = credit.total().ok_or(overflow)?;
        ledger.credited = ledger
            .credited
            .checked_sub(owed)
            .ok_or(Error::<T>::Overflow)?;
        ledger.paid = ledger
            .paid
            .checked_add(credit.payment)
            .ok_or(Error::<T>::Overflow)?;
        ledger.refunded = ledger
            .refunded
            .checked_add(credit.refund)
            .ok_or(Error::<T>::Overflow)?;
        Credits::<T>::remove(agreement, recipient);
        Self::deposit_event(Event::Claimed {
            agreement,
            asset: ledger.asset,
            to: recipient.clone(),
            credit,
            standing: Standing::from(&*ledger),
        });
        Ok(())
    }

    /// Pays `amount` out of a part of the ledger, together with what the recipient is owed already (so that dust
    /// adds up to something that can arrive). Returns how much of `amount` arrived: all or nothing.
    fn pay_out(
        agreement: AgreementId,
        source: Source,
        to: Option<&T::AccountId>,
        amount: Balance,
    ) -> Result<Balance, DispatchError> {
        with_storage_layer(|| {
            let mut ledger = Ledgers::<T>::get(agreement).ok_or(Error::<T>::NotFound)?;
            match source {
                Source::Pending => {
                    ledger.pending = ledger
                        .pending
                        .checked_sub(amount)
                        .ok_or(Error::<T>::InsufficientPending)?
                }
                Source::Available => {
                    ledger.available = ledger
                        .available
                        .checked_sub(amount)
                        .ok_or(Error::<T>::InsufficientAvailable)?
                }
            }
            if amount == 0 {
                return Ok(0);
            }
            let to = to.cloned().unwrap_or_else(|| ledger.payer.clone());
            let owed = Credits::<T>::get(agreement, &to);
            let total = owed
                .map_or(Some(0), |c| c.total())
                .and_then(|c| c.checked_add(amount))
                .ok_or(Error::<T>::Overflow)?;
            let arrived = Self::pay(&ledger, &to, total);
            if arrived {
                let booked = match source {
                    Source::Pending => &mut ledger.paid,
                    Source::Available => &mut ledger.refunded,
                };
                *booked = booked.checked_add(amount).ok_or(Error::<T>::Overflow)?;
                if let Some(credit) = owed {
                    Self::book_claim(agreement, &mut ledger, &to, credit)?;
                }
            } else {
                let mut credit = owed.unwrap_or_default();
                let part = match source {
                    Source::Pending => &mut credit.payment,
                    Source::Available => &mut credit.refund,
                };
                *part = part.checked_add(amount).ok_or(Error::<T>::Overflow)?;
                ledger.credited = ledger
                    .credited
                    .checked_add(amount)
                    .ok_or(Error::<T>::Overflow)?;
                Credits::<T>::insert(agreement, &to, credit);
            }
            let (asset, standing) = (ledger.asset, Standing::from(&ledger));
            Ledgers::<T>::insert(agreement, ledger);
            Self::deposit_event(match (arrived, source) {
                (true, Source::Pending) => Event::Released {
                    agreement,
                    asset,
                    to,
                    amount,
                    standing,
                },
                (true, Source::Available) => Event::Refunded {
                    agreement,
                    asset,
                    to,
                    amount,
                    standing,
                },
                (false, _) => Event::Credited {
                    agreement,
                    asset,
                    to,
                    amount,
                    standing,
                },
            });
            Ok(if arrived { amount } else { 0 })
        })
    }
}

impl<T: Config> EscrowSeam<T::AccountId> for Pallet<T> {
    fn open(
        agreement: AgreementId,
        payer: &T::AccountId,
        asset: AssetKind,
        amount: Balance,
    ) -> DispatchResult {
        with_storage_layer(|| {
            ensure!(
                !Ledgers::<T>::contains_key(agreement),
                Error::<T>::AlreadyExists
            );
            if amount > 0 {
                T::Assets::hold(asset, &HoldReason::Agreement.into(), payer, amount)?;
            }
            Ledgers::<T>::insert(
                agreement,
                Ledger {
                    payer: payer.clone(),
                    asset,
                    deposited: amount,
                    available: amount,
                    pending: 0,
                    credited: 0,
                    paid: 0,
                    refunded: 0,
                    closed: false,
                },
            );
            Self::deposit_event(Event::Opened {
                agreement,
                payer: payer.clone(),
                asset,
                amount,
            });
            Ok(())
        })
    }

    fn to_pending(agreement: AgreementId, amount: Balance) -> DispatchResult {
        Ledgers::<T>::try_mutate(agreement, |ledger| {
            let ledger = ledger.as_mut().ok_or(Error::<T>::NotFound)?;
            ensure!(!ledger.closed, Error::<T>::Closed);
            ledger.available = ledger
                .available
                .checked_sub(amount)
                .ok_or(Error::<T>::InsufficientAvailable)?;
            ledger.pending = ledger
                .pending
                .checked_add(amount)
                .ok_or(Error::<T>::Overflow)?;
            if amount > 0 {
                Self::deposit_event(Event::Earned {
                    agreement,
                    asset: ledger.asset,
                    amount,
                    standing: Standing::from(&*ledger),
                });
            }
            Ok(())
        })
    }

    fn revert_pending(agreement: AgreementId, amount: Balance) -> DispatchResult {
        Ledgers::<T>::try_mutate(agreement, |ledger| {
            let ledger = ledger.as_mut().ok_or(Error::<T>::NotFound)?;
            ensure!(!ledger.closed, Error::<T>::Closed);
            ledger.pending = ledger
                .pending
                .checked_sub(amount)
                .ok_or(Error::<T>::InsufficientPending)?;
            ledger.available = ledger
                .available
                .checked_add(amount)
                .ok_or(Error::<T>::Overflow)?;
            if amount > 0 {
                Self::deposit_event(Event::Reverted {
                    agreement,
                    asset: ledger.asset,
                    amount,
                    standing: Standing::from(&*ledger),
                });
            }
            Ok(())
        })
    }

    fn release(
        agreement: AgreementId,
        to: &T::AccountId,
        amount: Balance,
    ) -> Result<Balance, DispatchError> {
        Self::pay_out(agreement, Source::Pending, Some(to), amount)
    }

    fn refund(agreement: AgreementId, amount: Balance) -> Result<Balance, DispatchError> {
        Self::pay_out(agreement, Source::Available, None, amount)
    }

    fn close(agreement: AgreementId) -> DispatchResult {
        Ledgers::<T>::try_mutate(agreement, |ledger| {
            let ledger = ledger.as_mut().ok_or(Error::<T>::NotFound)?;
            ensure!(
                ledger.available == 0 && ledger.pending == 0,
                Error::<T>::NotEmpty
            );
            if !ledger.closed {
                ledger.closed = true;
                Self::deposit_event(Event::Closed {
                    agreement,
                    standing: Standing::from(&*ledger),
                });
            }
            Ok(())
        })
    }

    fn forget(agreement: AgreementId) -> bool {
        let Some(ledger) = Ledgers::<T>::get(agreement) else {
            return true;
        };
        if !ledger.closed || ledger.credited > 0 {
            return false;
        }
        Ledgers::<T>::remove(agreement);
        Self::deposit_event(Event::Forgotten { agreement });
        true
    }

    fn balances(agreement: AgreementId) -> Option<(Balance, Balance)> {
        Ledgers::<T>::get(agreement).map(|l| (l.available, l.pending))
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_asset() -> AssetKind {
        AssetKind::Asset(u32::MAX)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn benchmark_endow(who: &T::AccountId, amount: Balance) {
        use frame_support::traits::fungibles::{Create as _, Inspect as _, Mutate as _};
        let asset = Self::benchmark_asset();
        for kind in [AssetKind::Native, asset] {
            if kind == asset && !T::BenchmarkAssets::asset_exists(asset) {
                T::BenchmarkAssets::create(asset, who.clone(), true, 1).expect("nobody made it");
            }
            let amount = amount.saturating_add(T::BenchmarkAssets::minimum_balance(kind));
            T::BenchmarkAssets::mint_into(kind, who, amount).expect("there is room for it");
        }
    }
}
