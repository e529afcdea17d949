//! Weights of the calls. The runtime has generated ones; those for `()` are generous guesses for mocks.

use frame_support::weights::{constants::RocksDbWeight, Weight};

/// Weights of the calls and of the pieces of `on_poll`.
pub trait WeightInfo {
    /// `p`: partitions.
    fn register_cluster(p: u32) -> Weight;
    /// `p`: partitions.
    fn update_cluster(p: u32) -> Weight;
    /// Worst case.
    fn set_cluster_state() -> Weight;
    /// `t`: templates.
    fn deregister_cluster(t: u32) -> Weight;
    /// Worst case.
    fn allow_template() -> Weight;
    /// Worst case.
    fn disallow_template() -> Weight;
    /// `c`: candidates.
    fn submit(c: u32) -> Weight;
    /// Worst case: assigned, with candidates left.
    fn cancel() -> Weight;
    /// Worst case: not started, the last of the candidates takes it.
    fn expire() -> Weight;
    /// Worst case.
    fn prune() -> Weight;
    /// `n`: jobs.
    fn accept_many(n: u32) -> Weight;
    /// Worst case: accepted, the last of the candidates takes it.
    fn decline() -> Weight;
    /// `n`: jobs.
    fn update_many(n: u32) -> Weight;
    /// Worst case: with a result and candidates left.
    fn complete() -> Weight;
    /// `n`: jobs.
    fn complete_many(n: u32) -> Weight;
    /// Reading the cursor.
    fn poll_base() -> Weight;
    /// Passing one block.
    fn poll_block() -> Weight;
    /// Acting on a deadline that gives the job to another candidate. Worst case as `expire`.
    fn poll_job() -> Weight;
    /// Acting on a deadline that ends the job. Worst case: it ran, and candidates are left.
    fn poll_end() -> Weight;
}

fn guess(micros: u64, reads: u64, writes: u64) -> Weight {
    Weight::from_parts(micros.saturating_mul(1_000_000), 16_384)
        .saturating_add(RocksDbWeight::get().reads_writes(reads, writes))
}

impl WeightInfo for () {
    fn register_cluster(p: u32) -> Weight {
        guess(50, 6, 6).saturating_add(guess(5, 1, 0).saturating_mul(p.into()))
    }
    fn update_cluster(p: u32) -> Weight {
        guess(50, 4, 2).saturating_add(guess(5, 1, 0).saturating_mul(p.into()))
    }
    fn set_cluster_state() -> Weight {
        guess(30, 3, 2)
    }
    fn deregister_cluster(t: u32) -> Weight {
        guess(50, 6, 6).saturating_add(guess(3, 1, 1).saturating_mul(t.into()))
    }
    fn allow_template() -> Weight {
        guess(50, 6, 4)
    }
    fn disallow_template() -> Weight {
        guess(50, 6, 4)
    }
    fn submit(c: u32) -> Weight {
        guess(200, 50, 20).saturating_add(guess(60, 20, 1).saturating_mul(c.into()))
    }
    fn cancel() -> Weight {
        guess(150, 30, 25)
    }
    fn expire() -> Weight {
        guess(200, 60, 30)
    }
    fn prune() -> Weight {
        guess(60, 6, 6)
    }
    fn accept_many(n: u32) -> Weight {
        guess(20, 2, 1).saturating_add(guess(60, 6, 6).saturating_mul(n.into()))
    }
    fn decline() -> Weight {
        guess(200, 60, 30)
    }
    fn update_many(n: u32) -> Weight {
        guess(20, 2, 1).saturating_add(guess(60, 6, 6).saturating_mul(n.into()))
    }
    fn complete() -> Weight {
        guess(250, 70, 30)
    }
    fn complete_many(n: u32) -> Weight {
        guess(20, 2, 1).saturating_add(guess(250, 70, 30).saturating_mul(n.into()))
    }
    fn poll_base() -> Weight {
        guess(5, 1, 1)
    }
    fn poll_block() -> Weight {
        guess(5, 1, 0)
    }
    fn poll_job() -> Weight {
        guess(200, 60, 30)
    }
    fn poll_end() -> Weight {
        guess(180, 50, 30)
    }
}
