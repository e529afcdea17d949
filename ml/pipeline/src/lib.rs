//! From the bytes of a picture to integer features: one bit pattern on every machine.
//!
//! * [`features`] is the schema: 64 numbers, each with a name, a range, a unit and a meaning.
//! * [`reasons`] says why something is missing or wrong, and what a person can do about it.
//!
//! Both belong to the scorer, which the runtime links too.

pub use ve_ml_score::{features, reasons, Features, Reason, Slot};
