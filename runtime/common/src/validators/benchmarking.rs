//! Benchmarks of the validators pallet.

use super::*;
use alloc::vec::Vec;
use codec::Decode;
use frame_benchmarking::v2::*;
use frame_support::traits::EnsureOrigin;
use sp_runtime::traits::TrailingZeroInput;

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn set_validators(
        n: Linear<1, { <T as Config>::MaxValidators::get() }>,
    ) -> Result<(), BenchmarkError> {
        let origin =
            T::UpdateOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let keys = T::Keys::decode(&mut TrailingZeroInput::zeroes())
            .map_err(|_| BenchmarkError::Stop("session keys do not decode from zeroes"))?;
        let validators: Vec<T::AccountId> = (0..n).map(|i| account("validator", i, 0)).collect();
        for who in &validators {
            pallet_session::NextKeys::<T>::insert(who, keys.clone());
        }
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, validators);
        assert_eq!(Validators::<T>::get().len(), n as usize);
        Ok(())
    }
}
