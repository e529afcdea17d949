//! From the bytes of a picture to integer features: one bit pattern on every machine.
//!
//! * [`features`] is the schema: 64 numbers, each with a name, a range, a unit and a meaning.
//! * [`reasons`] says why something is missing or wrong, and what a person can do about it.
//!
//! Without the feature `std` these two are all there is, so that a scorer inside the runtime shares the schema. With it:
//!
//! * [`decode()`] makes a picture of a file, [`detect`] finds faces in it, [`align`] moves a face onto the template, and
//!   [`models`] runs the networks; [`quality`], [`capture`] and [`challenge`] judge the rest.
//! * [`Pipeline`] does it all and answers features, reasons and one digest for each stage ([`stages`]).
//!
//! There is no floating point in this crate outside of tests, and none in what it computes with: JPEG decoding is pinned
//! to one integer path (see [`decode()`]).
#![cfg_attr(not(feature = "std"), no_std)]

pub mod features;
pub mod reasons;

#[cfg(feature = "std")]
pub mod align;
#[cfg(feature = "std")]
pub mod capture;
#[cfg(feature = "std")]
pub mod challenge;
#[cfg(feature = "std")]
mod decode;
#[cfg(feature = "std")]
pub mod detect;
#[cfg(feature = "std")]
mod fixed;
#[cfg(feature = "std")]
pub mod models;
#[cfg(feature = "std")]
mod picture;
#[cfg(feature = "std")]
mod pipeline;
#[cfg(feature = "std")]
pub mod quality;
#[cfg(feature = "std")]
pub mod stages;

pub use features::{Features, Slot};
pub use reasons::Reason;

#[cfg(feature = "std")]
pub use {
    decode::{decode, MAX_FILE, MAX_PIXELS, MIN_SIDE},
    picture::{Picture, Point, UNIT},
    pipeline::{Evidence, Findings, Outcome, Pipeline, Readers, DIFFERENT_BELOW, SAME_FROM},
};
