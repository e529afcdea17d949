//! Weights of the calls. The runtime's are generated; those for `()` are generous estimates for tests.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// What each call costs at most.
pub trait WeightInfo {
    /// Weight of `register`.
    fn register() -> Weight;
    /// Weight of `set_payout`.
    fn set_payout() -> Weight;
    /// Weight of `set_name`.
    fn set_name() -> Weight;
    /// Weight of `add_hot_key`.
    fn add_hot_key() -> Weight;
    /// Weight of `remove_hot_key`.
    fn remove_hot_key() -> Weight;
    /// Weight of `bond_more`.
    fn bond_more() -> Weight;
    /// Weight of `withdraw_bond`.
    fn withdraw_bond() -> Weight;
    /// Weight of `offer_transfer`.
    fn offer_transfer() -> Weight;
    /// Weight of `cancel_transfer`.
    fn cancel_transfer() -> Weight;
    /// Weight of `accept_transfer`.
    fn accept_transfer() -> Weight;
    /// Weight of `leave`, for an organisation with everything it may have.
    fn leave() -> Weight;
    /// Weight of `set_attribute`.
    fn set_attribute() -> Weight;
    /// Weight of `clear_attribute`.
    fn clear_attribute() -> Weight;
    /// Weight of `attest`, with as many attestations as may be, all expired.
    fn attest() -> Weight;
    /// Weight of `revoke_attestation`, with as many attestations as may be.
    fn revoke_attestation() -> Weight;
    /// Weight of `add_support_agent`.
    fn add_support_agent() -> Weight;
    /// Weight of `remove_support_agent`.
    fn remove_support_agent() -> Weight;
}

fn estimate(reads: u64, writes: u64) -> Weight {
    Weight::from_parts(60_000_000, 20_000)
        .saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
    fn register() -> Weight {
        estimate(8, 6)
    }
    fn set_payout() -> Weight {
        estimate(3, 1)
    }
    fn set_name() -> Weight {
        estimate(3, 1)
    }
    fn add_hot_key() -> Weight {
        estimate(6, 2)
    }
    fn remove_hot_key() -> Weight {
        estimate(3, 2)
    }
    fn bond_more() -> Weight {
        estimate(5, 3)
    }
    fn withdraw_bond() -> Weight {
        estimate(4, 3)
    }
    fn offer_transfer() -> Weight {
        estimate(5, 1)
    }
    fn cancel_transfer() -> Weight {
        estimate(2, 1)
    }
    fn accept_transfer() -> Weight {
        estimate(12, 8)
    }
    fn leave() -> Weight {
        estimate(70, 90)
    }
    fn set_attribute() -> Weight {
        estimate(5, 4)
    }
    fn clear_attribute() -> Weight {
        estimate(4, 3)
    }
    fn attest() -> Weight {
        estimate(30, 1)
    }
    fn revoke_attestation() -> Weight {
        estimate(2, 1)
    }
    fn add_support_agent() -> Weight {
        estimate(3, 1)
    }
    fn remove_support_agent() -> Weight {
        estimate(2, 1)
    }
}
