//! Tests of the store's public face.

mod artifacts;
mod child;
mod crash;
mod full;
mod outbox;
mod records;

use ve_store::*;

/// What the tests record.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Row {
    phase: String,
    number: u64,
}

fn row(phase: &str, number: u64) -> Row {
    Row {
        phase: phase.into(),
        number,
    }
}
