//! What `ve-score` is made of: a verifier uses the same parts.
//!
//! * [`evidence`] reads a folder of evidence.
//! * [`models`] loads the artefacts that `manifest.toml` pins, and runs their known answers.
//! * [`explain`] turns the outcome into tables and JSON, [`look`] into pictures.

pub mod evidence;
pub mod explain;
pub mod look;
pub mod models;
