use super::{check_size, exif::Orientation};
use crate::{picture::Picture, reasons::Reason};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{errors::DecodeErrors, JpegDecoder};

/// Scans of a progressive file; encoders write about ten, and each costs a walk over all coefficients.
const MAX_SCANS: usize = 20;

pub(super) fn decode(file: &[u8]) -> Result<(Picture, Orientation), Reason> {
    if !is_complete(file) {
        return Err(Reason::PictureDamaged);
    }
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

/// Whether the file goes on until its end-of-image marker. The decoder would make up what is missing.
///
/// ITU-T T.81, annex B: a marker is 0xff and a code; all but a few are followed by a length, which counts itself, and that
/// many bytes. In the data of a scan 0xff is followed by zero or a restart marker.
fn is_complete(file: &[u8]) -> bool {
    let from_marker = |bytes: &[u8]| bytes.iter().position(|b| *b == 0xff).unwrap_or(bytes.len());
    let mut at = 2;
    while let Some([0xff, code]) = file.get(at..at + 2) {
        at += match code {
            0xd9 => return true,
            // Fill bytes.
            0xff => 1,
            // Alone, or in the data of a scan.
            0x00 | 0x01 | 0xd0..=0xd8 => 2,
            _ => match file.get(at + 2..at + 4) {
                Some([high, low]) => 2 + usize::from(*high) * 256 + usize::from(*low),
                _ => return false,
            },
        };
        at += file.get(at..).map_or(0, from_marker);
    }
    false
}

fn reason(error: DecodeErrors) -> Reason {
    match error {
        DecodeErrors::Unsupported(_) => Reason::PictureUnsupported,
        DecodeErrors::LargeDimensions(_) => Reason::PictureTooLarge,
        _ => Reason::PictureDamaged,
    }
}
