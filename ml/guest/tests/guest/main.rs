//! The shipped networks as WebAssembly: the known answers, and the bounds on time and memory that a runtime has.
//!
//! Each test prints a line for each answer (`answer EXECUTOR MODEL PICTURE DIGEST`) and one with what a run costs, in
//! processor time; `scripts/ml-bench.sh` makes its tables of them.

mod build;
mod executor;
mod host;
#[path = "../../../engine/tests/engine/pinned.rs"]
mod pinned;
mod wasmtime;

use nix::time::{clock_gettime, ClockId};
use std::time::Duration;

/// Processor time of this thread so far: what a run costs, whatever else the machine does.
fn now() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.expect("Linux has this clock").into()
}

/// The models that have known answers.
fn models() -> Vec<String> {
    let mut models: Vec<_> = pinned::pinned()
        .into_iter()
        .map(|(model, ..)| model)
        .collect();
    models.dedup();
    models
}

/// Prints what a run costs, and holds it to what the runtime's allocator allows and what the referee may use in all.
fn check_cost(executor: &str, name: &str, time: Duration, largest: u32, memory: u32) {
    println!(
        "cost {executor} {name} milliseconds {:.2} largest {largest} memory {memory}",
        time.as_secs_f64() * 1000.0
    );
    assert!(
        largest <= 32 << 20,
        "{name}: an allocation of {largest} bytes"
    );
    assert!(memory <= 48 << 20, "{name}: {memory} bytes of memory");
}
