//! Random sequences of all calls of our pallets over the real runtime: money is exact to the unit after every one, and
//! from wherever a sequence stops, time alone gives every customer back what was not earned. Afterwards everything can
//! be pruned and every deposit returns.
//!
//! The seed is printed; run one world again with `VE_SEED=<seed> VE_CALLS=<n>`. `VE_CALLS` is the total (100,000).

mod calls;
mod world;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};
use world::World;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Several worlds beat one long one: each starts young and grows its own crowd of old agreements.
const WORLDS: u64 = 20;

/// How often each call was accepted and refused.
type Accepted = BTreeMap<String, (u64, u64)>;

/// One world: `calls` random calls, and then nothing but time.
fn live(seed: u64, calls: u64) -> Accepted {
    println!("seed {seed}");
    let mut accepted = Accepted::new();
    let mut world = World::new(seed);
    for step in 0..calls {
        let (name, ok) = world.random_call();
        let count = accepted.entry(name).or_default();
        *if ok { &mut count.0 } else { &mut count.1 } += 1;
        world.check_money(&format!("seed {seed}, step {step}"));
        if step % 50 == 0 {
            world.try_state(&format!("seed {seed}, step {step}"));
        }
    }
    world.try_state(&format!("seed {seed}, end"));
    world.let_time_pass();
    world.nothing_is_stuck(&format!("seed {seed}"));
    world.everything_can_be_pruned(&format!("seed {seed}, pruned"));
    accepted
}

/// Does `work` for every number; no world knows of another, so each processor takes the next one that is left.
fn on_all_processors<R: Send>(
    numbers: std::ops::Range<u64>,
    work: impl Fn(u64) -> R + Sync,
) -> Vec<R> {
    let next = AtomicU64::new(numbers.start);
    let take = || {
        std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)))
            .take_while(|number| numbers.contains(number))
            .map(&work)
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, |n| n.get());
        let threads: Vec<_> = (0..processors).map(|_| scope.spawn(take)).collect();
        threads
            .into_iter()
            .flat_map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|e| std::panic::resume_unwind(e))
            })
            .collect()
    })
}

#[test]
fn money_should_stay_exact_and_never_get_stuck_over_random_calls() {
    let first = setting("VE_SEED", 20_261_123);
    let worlds = if std::env::var_os("VE_SEED").is_some() {
        1
    } else {
        WORLDS
    };
    let calls = setting("VE_CALLS", 100_000).div_ceil(worlds);
    let mut accepted = Accepted::new();
    for of_one_world in on_all_processors(first..first + worlds, |seed| live(seed, calls)) {
        for (name, (ok, refused)) in of_one_world {
            let count = accepted.entry(name).or_default();
            *count = (count.0 + ok, count.1 + refused);
        }
    }
    println!("{:<32} {:>8} {:>8}", "call", "accepted", "refused");
    for (name, (ok, refused)) in &accepted {
        println!("{name:<32} {ok:>8} {refused:>8}");
    }
    // A sequence in which nothing ever succeeds would prove nothing.
    for name in [
        "hpc.submit",
        "hpc.cancel",
        "hpc.accept_many",
        "hpc.update_many",
        "hpc.complete",
        "hpc.expire",
        "hpc.decline",
        "billing.report",
        "billing.settle",
        "billing.dispute",
        "billing.decide",
        "billing.open_evidence",
        "billing.publish_plan",
        "billing.credit_note",
        "billing.prune_agreement",
        "hpc.prune",
        "escrow.claim",
        "providers.bond_more",
        "providers.withdraw_bond",
        "providers.set_payout",
        "providers.accept_transfer",
        "accounts.suspend",
        "accounts.reactivate",
    ] {
        assert!(
            accepted.get(name).is_some_and(|(ok, _)| *ok > 0),
            "{name} never succeeded"
        );
    }
}

#[test]
fn two_runs_should_end_in_the_same_state_when_the_seed_is_the_same() {
    let root = |seed| {
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.random_call();
        }
        world.state_root()
    };
    assert_eq!(root(7), root(7));
    assert_ne!(root(7), root(8));
}
