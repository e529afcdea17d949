//! The machine-readable zone of a travel document: from the pixels of a photograph to checked fields, with integers only.
//!
//! * [`image`] finds the rows of a zone, lays them flat and cuts them into cells.
//! * [`Reader`] reads the cells with a network of `ml/engine`, in either direction, and picks the best reading.
//! * [`text`] is what ICAO Doc 9303 says: formats, check digits, dates, names, and the repair of misread symbols.
//!
//! Everybody who reads the same pixels with the same network arrives at the same symbols. Nothing here trusts its input:
//! any bytes may be given as text or as pixels, and none of them makes it panic.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod image;
mod read;
pub mod text;

pub use read::{Reader, Reading, NAT};
