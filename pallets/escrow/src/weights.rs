//! Weights of the calls. The runtime brings measured ones; those of `()` are generous estimates for mocks.

use frame_support::weights::Weight;

/// Weights of the calls.
pub trait WeightInfo {
    /// Weight of `claim`.
    fn claim() -> Weight;
}

impl WeightInfo for () {
    fn claim() -> Weight {
        Weight::from_parts(100_000_000, 10_000)
    }
}
