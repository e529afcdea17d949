//! Tests of conversion and of the exact reference.

mod conversion;
mod exact;
mod models;
#[path = "../../../engine/tests/engine/random.rs"]
mod random;
