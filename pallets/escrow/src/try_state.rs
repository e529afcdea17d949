//! The invariants.

use crate::{Config, Credits, HoldReason, Ledgers, Pallet};
use alloc::collections::BTreeMap;
use frame_support::{ensure, traits::fungibles::hold::Inspect as _};
use sp_runtime::TryRuntimeError;
use virtengine_primitives::{AgreementId, AssetKind, Balance};

impl<T: Config> Pallet<T> {
    /// Checks every invariant of this pallet. Iterates all ledgers: for tests and `try-runtime` only.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        Self::check_ledgers()?;
        Self::check_credits()?;
        Self::check_holds()
    }

    /// * `available + pending + credited + paid + refunded == deposited`.
    /// * A closed ledger has nothing available or pending.
    fn check_ledgers() -> Result<(), TryRuntimeError> {
        for (_, ledger) in Ledgers::<T>::iter() {
            ensure!(ledger.is_balanced(), "a ledger does not add up");
            ensure!(
                !ledger.closed || (ledger.available == 0 && ledger.pending == 0),
                "a closed ledger still has money to move"
            );
        }
        Ok(())
    }

    /// * The credits of an agreement add up to what its ledger says is credited, and belong to a ledger.
    /// * No credit is empty.
    fn check_credits() -> Result<(), TryRuntimeError> {
        let mut sums = BTreeMap::<AgreementId, Balance>::new();
        for (agreement, _, credit) in Credits::<T>::iter() {
            let total = credit.total().ok_or("a credit overflows")?;
            ensure!(total > 0, "a credit is empty");
            let sum = sums.entry(agreement).or_default();
            *sum = sum.checked_add(total).ok_or("credits overflow")?;
        }
        for (agreement, ledger) in Ledgers::<T>::iter() {
            ensure!(
                sums.remove(&agreement).unwrap_or_default() == ledger.credited,
                "credits differ from the ledger's"
            );
        }
        ensure!(sums.is_empty(), "a credit has no ledger");
        Ok(())
    }

    /// * What is held on each payer's account per asset is the sum of what its ledgers say is held.
    fn check_holds() -> Result<(), TryRuntimeError> {
        let mut sums = alloc::vec::Vec::<(T::AccountId, AssetKind, Balance)>::new();
        for (_, ledger) in Ledgers::<T>::iter() {
            let held = ledger.held().ok_or("a ledger's held overflows")?;
            match sums
                .iter_mut()
                .find(|(who, asset, _)| *who == ledger.payer && *asset == ledger.asset)
            {
                Some((_, _, sum)) => *sum = sum.checked_add(held).ok_or("holds overflow")?,
                None => sums.push((ledger.payer, ledger.asset, held)),
            }
        }
        for (who, asset, sum) in sums {
            ensure!(
                T::Assets::balance_on_hold(asset, &HoldReason::Agreement.into(), &who) == sum,
                "a payer's hold differs from the sum of its ledgers"
            );
        }
        Ok(())
    }
}
