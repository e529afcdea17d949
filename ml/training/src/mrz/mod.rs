//! The reader of machine-readable zones: synthetic documents, training, measurement.
//!
//! Pictures are made in integers from a seed, so that everybody makes the same ones; [`severity`] says how bad they are,
//! and its file was committed before the first training. Training is in floating point; its checkpoint is committed.

pub mod command;
pub mod glyphs;
pub mod measure;
pub mod network;
pub mod random;
pub mod scene;
pub mod severity;
pub mod train;
pub mod zone;
