//! Tests of conversion and of the exact reference.

mod conversion;
mod exact;
mod models;
mod mrz;
#[path = "../../../engine/tests/engine/random.rs"]
mod random;
