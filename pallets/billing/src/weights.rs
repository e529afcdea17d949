//! Weights of the calls. The runtime brings measured ones; those of `()` are generous estimates for mocks.

use frame_support::weights::Weight;

/// Weights of the calls and of the pieces of `on_poll`.
pub trait WeightInfo {
    /// Weight of `publish_plan`.
    fn publish_plan() -> Weight;
    /// Weight of `retire_plan`.
    fn retire_plan() -> Weight;
    /// Weight of one report, sealing a line on the way.
    fn report() -> Weight;
    /// Weight of `settle` in its worst case: an overdue dispute split over as many lines as an agreement can have,
    /// a release and the settlement. Without `OnSettled`.
    fn settle() -> Weight;
    /// Weight of `dispute`.
    fn dispute() -> Weight;
    /// Weight of `open_evidence`.
    fn open_evidence() -> Weight;
    /// Weight of `decide`, as bad as `settle`.
    fn decide() -> Weight;
    /// Weight of `credit_note`.
    fn credit_note() -> Weight;
    /// Weight of `close_invoice`.
    fn close_invoice() -> Weight;
    /// Weight of `prune_agreement`.
    fn prune_agreement() -> Weight;
    /// Weight of `prune_invoice` removing `n` lines.
    fn prune_invoice(n: u32) -> Weight;
    /// Weight of looking at one empty deadline bucket in `on_poll`.
    fn poll_bucket() -> Weight;
}

fn estimate(micros: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), micros.saturating_mul(100))
}

impl WeightInfo for () {
    fn publish_plan() -> Weight {
        estimate(60)
    }
    fn retire_plan() -> Weight {
        estimate(60)
    }
    fn report() -> Weight {
        estimate(200)
    }
    fn settle() -> Weight {
        estimate(1_000)
    }
    fn dispute() -> Weight {
        estimate(150)
    }
    fn open_evidence() -> Weight {
        estimate(80)
    }
    fn decide() -> Weight {
        estimate(1_000)
    }
    fn credit_note() -> Weight {
        estimate(300)
    }
    fn close_invoice() -> Weight {
        estimate(60)
    }
    fn prune_agreement() -> Weight {
        estimate(100)
    }
    fn prune_invoice(n: u32) -> Weight {
        estimate(100).saturating_add(estimate(10).saturating_mul(n.into()))
    }
    fn poll_bucket() -> Weight {
        estimate(30)
    }
}
