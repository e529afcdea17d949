//! Weights of the calls. The runtime's are generated; those for `()` are generous estimates for tests.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// What each call costs at most.
pub trait WeightInfo {
    /// Weight of `register_key`.
    fn register_key() -> Weight;
    /// Weight of `rotate_key`.
    fn rotate_key() -> Weight;
    /// Weight of `revoke_key`.
    fn revoke_key() -> Weight;
    /// Weight of `forget_key`.
    fn forget_key() -> Weight;
    /// Weight of checking an envelope with the most recipients, for those that ask through the seam.
    fn ensure_sealed_to() -> Weight;
}

fn estimate(reads: u64, writes: u64) -> Weight {
    Weight::from_parts(60_000_000, 20_000)
        .saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
    fn register_key() -> Weight {
        estimate(5, 5)
    }
    fn rotate_key() -> Weight {
        estimate(7, 8)
    }
    fn revoke_key() -> Weight {
        estimate(3, 4)
    }
    fn forget_key() -> Weight {
        estimate(4, 4)
    }
    fn ensure_sealed_to() -> Weight {
        estimate(32, 0)
    }
}
