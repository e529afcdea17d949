//! Random sequences of all calls of our pallets over the real runtime: money is exact to the unit after every one, and
//! from wherever a sequence stops, time alone gives every customer back what was not earned.
//!
//! The seed is printed; run one world again with `VE_SEED=<seed> VE_CALLS=<n>`. `VE_CALLS` is the total (100,000).

#[path = "money/world.rs"]
mod world;

use world::World;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Several worlds beat one long one: each starts young and grows its own crowd of old agreements.
const WORLDS: u64 = 20;

#[test]
fn money_should_stay_exact_and_never_get_stuck_over_random_calls() {
    let first = setting("VE_SEED", 20_261_123);
    let worlds = if std::env::var_os("VE_SEED").is_some() {
        1
    } else {
        WORLDS
    };
    let calls = setting("VE_CALLS", 100_000);
    let mut accepted = std::collections::BTreeMap::<String, (u64, u64)>::new();
    for seed in first..first + worlds {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for step in 0..calls.div_ceil(worlds) {
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
