//! Weights of the calls. The runtime's are generated; those for `()` are generous estimates for tests.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// What each call costs at most.
pub trait WeightInfo {
    /// Weight of `nominate`.
    fn nominate() -> Weight;
    /// Weight of `revoke`.
    fn revoke() -> Weight;
    /// Weight of `resign`.
    fn resign() -> Weight;
    /// Weight of `register`.
    fn register() -> Weight;
    /// Weight of `unregister`.
    fn unregister() -> Weight;
    /// Weight of `suspend`.
    fn suspend() -> Weight;
    /// Weight of `reactivate`.
    fn reactivate() -> Weight;
    /// Weight of `terminate`, for an account with all roles.
    fn terminate() -> Weight;
}

fn estimate(reads: u64, writes: u64) -> Weight {
    Weight::from_parts(50_000_000, 20_000)
        .saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
    fn nominate() -> Weight {
        estimate(6, 2)
    }
    fn revoke() -> Weight {
        estimate(6, 3)
    }
    fn resign() -> Weight {
        estimate(4, 3)
    }
    fn register() -> Weight {
        estimate(4, 2)
    }
    fn unregister() -> Weight {
        estimate(4, 3)
    }
    fn suspend() -> Weight {
        estimate(10, 2)
    }
    fn reactivate() -> Weight {
        estimate(10, 2)
    }
    fn terminate() -> Weight {
        estimate(30, 13)
    }
}
