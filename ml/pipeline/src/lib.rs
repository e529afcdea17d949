//! From the bytes of a picture to integer features: one bit pattern on every machine.
//!
//! * [`features`] is the schema: 64 numbers, each with a name, a range, a unit and a meaning.
//! * [`reasons`] says why something is missing or wrong, and what a person can do about it.
//!
//! Without the feature `std` these two are all there is, so that a scorer inside the runtime shares the schema.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod features;
pub mod reasons;

pub use features::{Features, Slot};
pub use reasons::Reason;
