//! From the bytes of a file to a [`Picture`], the same on every machine.
//!
//! JPEG leaves the last bit of a sample to the decoder, and decoders with vector code round differently from those
//! without. Here the decoder is pinned to one version, its vector code is not compiled in, and what is left computes in
//! integers. PNG is lossless; there is nothing to pin.
//!
//! Memory: a header is judged before anything is allocated for it. The largest picture that is taken is a progressive
//! JPEG of [`MAX_PIXELS`] with full colour: its coefficients take 6 bytes a pixel and the result 3, together 215 MiB.

mod exif;
mod jpeg;
mod png;

use crate::{picture::Picture, reasons::Reason};

/// Most pixels of a picture.
pub const MAX_PIXELS: usize = 25_000_000;
/// Most bytes of a file.
pub const MAX_FILE: usize = 24 << 20;
/// Least pixels of a picture's shorter side.
pub const MIN_SIDE: usize = 32;

/// Decodes a JPEG or PNG file and turns it upright as its EXIF data say.
///
/// # Errors
///
/// The reason for which the person has to send another file. Files that end too early or hold less than their header
/// promises are refused, never completed.
pub fn decode(file: &[u8]) -> Result<Picture, Reason> {
    if file.len() > MAX_FILE {
        return Err(Reason::PictureTooLarge);
    }
    let (picture, orientation) = if file.starts_with(&[0xff, 0xd8]) {
        jpeg::decode(file)?
    } else if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        png::decode(file)?
    } else {
        return Err(Reason::NotAPicture);
    };
    Ok(orientation.upright(picture))
}

/// Judges a header.
fn check_size(width: usize, height: usize) -> Result<(), Reason> {
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(Reason::PictureTooLarge);
    }
    if width.min(height) < MIN_SIDE {
        return Err(Reason::PictureTooSmall);
    }
    Ok(())
}
