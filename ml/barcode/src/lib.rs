//! PDF417 codes in pictures, and the driving licences in them.
//!
//! A damaged code is read the same on every machine and every time: positions are fixed-point integers, votes are counted
//! in arrays, ties are decided by order or count as damage, and error correction is exact. There is no floating point and
//! no hash map. (The crate `rxing` reads more kinds of codes, but measures in floating point and takes one of several
//! equally likely codewords from a randomly seeded map.)
//!
//! * [`read()`] finds a code in a grey picture and gives its bytes; ISO/IEC 15438.
//! * [`Licence`] is what the bytes of a North American driving licence or identity card say; AAMVA DL/ID card design
//!   standard, versions 1 (2000) to 10 (2020).
//!
//! Nothing here panics, whatever the picture or the bytes are.

mod aamva;
mod compaction;
mod edges;
mod error;
mod locate;
mod picture;
mod read;
mod reed_solomon;
mod symbols;
mod trace;

pub use aamva::{Date, Element, Kind, Licence, NotALicence, FIELDS};
pub use error::Error;
pub use picture::{Picture, Point};
pub use read::read;

/// A code that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The bytes that were encoded.
    pub content: Vec<u8>,
    /// Rows.
    pub rows: usize,
    /// Columns of data.
    pub columns: usize,
    /// Codewords that were read wrongly.
    pub errors: usize,
    /// Codewords that were not read.
    pub erasures: usize,
    /// Codewords of correction.
    pub correction: usize,
    /// Upper left, upper right, lower right, lower left corner, as the code stands upright.
    pub corners: [Point; 4],
}

impl Reading {
    /// Part of the error correction that was used up, in thousandths: a wrong codeword costs two, a missing one one.
    pub fn used(&self) -> u16 {
        let used = (2 * self.errors + self.erasures) * 1000;
        (used / self.correction.max(1)).min(1000) as u16
    }
}

#[cfg(test)]
mod tests;
