//! Weights of the validators pallet: its own estimates, until generated ones replace this file.

use core::marker::PhantomData;
use frame_support::weights::Weight;
use virtengine_runtime_common::validators;

/// Weights of the validators pallet.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T> validators::WeightInfo for WeightInfo<T> {
    fn set_validators(n: u32) -> Weight {
        <() as validators::WeightInfo>::set_validators(n)
    }
}
