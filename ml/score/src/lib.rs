//! From integer features and web scopes to a score of 0 to 100.
//!
//! * [`features`] is the schema of the feature vector: 64 numbers, each with a name, a range, a unit and a meaning.
//! * [`reasons`] says why evidence counts less than it could, and what a person can do about it.
//!
//! `no_std`, integers only: a verifier runs it, and the chain's runtime runs it again, so that nobody can report a score.
#![no_std]

extern crate alloc;

pub mod features;
pub mod reasons;

pub use features::{Features, Slot};
pub use reasons::Reason;
