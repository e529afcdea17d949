//! What the calls of the validators pallet weigh.

use frame_support::weights::{constants::ParityDbWeight, Weight};

/// Weights of the calls.
pub trait WeightInfo {
    /// Replacing the list by one of `n` validators.
    fn set_validators(n: u32) -> Weight;
}

/// Estimates on the generous side, for mocks.
impl WeightInfo for () {
    fn set_validators(n: u32) -> Weight {
        let n = u64::from(n);
        Weight::from_parts(20_000_000, 2_000)
            .saturating_add(Weight::from_parts(5_000_000, 2_600).saturating_mul(n))
            .saturating_add(ParityDbWeight::get().reads_writes(n, 1))
    }
}
