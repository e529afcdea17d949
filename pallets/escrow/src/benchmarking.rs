//! Benchmarks.

use crate::{Call, Config, Credit, Credits, Ledgers, Pallet};
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use virtengine_primitives::{traits::Escrow as EscrowSeam, AgreementId, Balance};

const AMOUNT: Balance = 1_000_000_000_000_000;
const AGREEMENT: AgreementId = AgreementId::MAX;

#[benchmarks]
mod benches {
    use super::*;

    // The worst case pays an account that does not exist yet, in the asset that costs most to move.
    #[benchmark]
    fn claim() -> Result<(), BenchmarkError> {
        let caller: T::AccountId = whitelisted_caller();
        let payer: T::AccountId = account("payer", 0, 0);
        let recipient: T::AccountId = account("recipient", 0, 0);
        <Pallet<T> as EscrowSeam<T::AccountId>>::benchmark_endow(&payer, AMOUNT);
        <Pallet<T> as EscrowSeam<T::AccountId>>::open(
            AGREEMENT,
            &payer,
            <Pallet<T> as EscrowSeam<T::AccountId>>::benchmark_asset(),
            AMOUNT,
        )?;
        Ledgers::<T>::mutate(AGREEMENT, |ledger| {
            if let Some(ledger) = ledger {
                ledger.available = 0;
                ledger.credited = AMOUNT;
            }
        });
        Credits::<T>::insert(
            AGREEMENT,
            &recipient,
            Credit {
                payment: AMOUNT,
                refund: 0,
            },
        );

        #[extrinsic_call]
        _(RawOrigin::Signed(caller), AGREEMENT, recipient);

        assert_eq!(Pallet::<T>::ledger(AGREEMENT).map(|l| l.paid), Some(AMOUNT));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
