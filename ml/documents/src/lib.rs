//! What is printed on a document, for the pipeline: a machine-readable zone, a barcode, their dates, and whether they agree.
//!
//! * [`Documents`] is the pipeline's `Readers`.
//! * [`barcode`] and [`corners`] show what it saw to whoever draws pictures of it.
//! * [`sample`] is what every machine's answers are compared on.

mod calendar;
mod dates;
mod documents;
pub mod sample;
mod zone;

pub use {
    documents::{barcode, Documents},
    ve_ml_mrz::Reader,
    zone::corners,
};
