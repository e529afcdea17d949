//! The shipped networks as WebAssembly: the known answers, and the bounds on time and memory that a runtime has.
//!
//! Each test prints a line for each answer (`answer EXECUTOR MODEL PICTURE DIGEST`) and one with what a run costs;
//! `scripts/ml-bench.sh` makes its tables of them.

mod build;
mod executor;
#[path = "../../../engine/tests/engine/pinned.rs"]
mod pinned;
mod wasmtime;

/// The models that have known answers.
fn models() -> Vec<String> {
    let mut models: Vec<_> = pinned::pinned()
        .into_iter()
        .map(|(model, ..)| model)
        .collect();
    models.dedup();
    models
}
