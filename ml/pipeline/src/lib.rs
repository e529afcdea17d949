//! From the bytes of a picture to integer features: one bit pattern on every machine.
//!
//! * [`features`] is the schema: 64 numbers, each with a name, a range, a unit and a meaning.
//! * [`reasons`] says why something is missing or wrong, and what a person can do about it.
//! * [`decode()`] makes a picture of a file, [`detect`] finds faces in it, [`align`] moves a face onto the template, and
//!   [`models`] runs the networks; [`outline`] finds the document's corners and lays it flat; [`quality`], [`capture`] and
//!   [`challenge`] judge the rest.
//! * [`Pipeline`] does it all and answers features, reasons and one digest for each stage ([`stages`]); [`sample`] is what
//!   every machine's answers are compared on.
//!
//! The schema and the reasons belong to the scorer, which the runtime links too.
//!
//! There is no floating point in this crate outside of tests, and none in what it computes with: JPEG decoding is pinned
//! to one integer path (see [`decode()`]).

pub mod align;
pub mod capture;
pub mod challenge;
mod decode;
pub mod detect;
mod fixed;
pub mod models;
pub mod outline;
mod picture;
mod pipeline;
pub mod quality;
pub mod sample;
pub mod stages;

pub use {
    decode::{decode, MAX_FILE, MAX_PIXELS, MIN_SIDE},
    picture::{Picture, Point, UNIT},
    pipeline::{Evidence, Findings, Outcome, Pipeline, Readers, DIFFERENT_BELOW, SAME_FROM},
    ve_ml_score::{features, reasons, Features, Reason, Slot},
};
