mod complete;
mod entropy;

use super::{check_size, exif::Orientation};
use crate::{picture::Picture, reasons::Reason};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{errors::DecodeErrors, JpegDecoder};

/// Scans of a progressive file; encoders write about ten, and each costs a walk over all coefficients.
const MAX_SCANS: usize = 20;

pub(super) fn decode(file: &[u8]) -> Result<(Picture, Orientation), Reason> {
    // Strict: an error in the data is an error, not a picture with grey parts.
    let options = DecoderOptions::new_safe()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().map_err(reason)?;
    let (width, height) = decoder.dimensions().ok_or(Reason::PictureDamaged)?;
    check_size(width, height)?;
    if !complete::is_complete(file, (width, height), MAX_SCANS) {
        return Err(Reason::PictureDamaged);
    }
    // The decoder makes RGB of grey, YCbCr, CMYK and YCCK.
    let rgb = decoder.decode().map_err(reason)?;
    if rgb.len() != width * height * 3 {
        return Err(Reason::PictureUnsupported);
    }
    let orientation = decoder
        .exif()
        .map_or(Orientation::default(), |tiff| Orientation::of_tiff(tiff));
    Ok((Picture::new(width, height, rgb), orientation))
}

fn reason(error: DecodeErrors) -> Reason {
    match error {
        DecodeErrors::Unsupported(_) => Reason::PictureUnsupported,
        DecodeErrors::LargeDimensions(_) => Reason::PictureTooLarge,
        _ => Reason::PictureDamaged,
    }
}
