//! From public float networks to the integer artefacts of `ml/models`, and the reference that checks the engine.
//!
//! * [`onnx`] reads a model file, [`network`] folds it into nodes that the engine has, [`quantise`] turns it into integers.
//!   These three are scalar and in a fixed order: the same file and the same calibration give the same artefact anywhere.
//! * [`float`] and [`faces`] make the calibration, in floating point; its result is committed.
//! * [`mrz`] trains and measures the reader of machine-readable zones.
//! * [`exact`] executes an integer graph with candle's tensors, bit for bit as the engine does.

pub mod compare;
pub mod exact;
pub mod faces;
pub mod float;
pub mod manifest;
pub mod mrz;
pub mod network;
pub mod onnx;
pub mod quantise;
pub mod tensors;
