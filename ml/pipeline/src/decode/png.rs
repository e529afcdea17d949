use super::{check_size, exif::Orientation};
use crate::{picture::Picture, reasons::Reason};
use png::{ColorType, Decoder, DecodingError, InterlaceInfo, Limits, Transformations};
use std::io::Cursor;

/// What the decoder may allocate beside a row: palettes, profiles, EXIF.
const MAX_EXTRA: usize = 16 << 20;

/// Rows are converted one by one: a picture of 16-bit colour with transparency would take 8 bytes a pixel.
pub(super) fn decode(file: &[u8]) -> Result<(Picture, Orientation), Reason> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes: MAX_EXTRA });
    // 8 bits a channel (of 16 the upper ones), palettes as colours, and transparency as a channel.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(reason)?;
    let (width, height) = (header.width as usize, header.height as usize);
    check_size(width, height)?;
    let mut reader = decoder.read_info().map_err(reason)?;
    if reader.info().animation_control.is_some() {
        return Err(Reason::PictureUnsupported);
    }
    let (colour, _) = reader.output_color_type();
    let (mut rgb, mut line) = (vec![0; width * height * 3], Vec::with_capacity(width * 3));
    let mut rows = 0;
    while let Some(row) = reader.next_interlaced_row().map_err(reason)? {
        line.clear();
        to_rgb(row.data(), colour, &mut line);
        match row.interlace() {
            InterlaceInfo::Null(_) => {
                rgb[rows * width * 3..][..width * 3].copy_from_slice(&line);
                rows += 1;
            }
            InterlaceInfo::Adam7(pass) => {
                png::expand_interlaced_row(&mut rgb, width * 3, &line, pass, 24);
            }
        }
    }
    reader.finish().map_err(reason)?;
    let tiff = reader.info().exif_metadata.as_deref();
    let orientation = tiff.map_or(Orientation::default(), Orientation::of_tiff);
    Ok((Picture::new(width, height, rgb), orientation))
}

/// What is transparent lies on white paper: `(value * alpha + 255 * (255 - alpha)) / 255`, rounded half up.
fn to_rgb(row: &[u8], colour: ColorType, out: &mut Vec<u8>) {
    let over = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    match colour {
        ColorType::Rgb => out.extend_from_slice(row),
        ColorType::Rgba => {
            let pixels = row.as_chunks::<4>().0.iter();
            out.extend(pixels.flat_map(|[r, g, b, a]| [r, g, b].map(|v| over(*v, *a))));
        }
        ColorType::Grayscale => out.extend(row.iter().flat_map(|v| [*v; 3])),
        ColorType::GrayscaleAlpha => {
            let pixels = row.as_chunks::<2>().0.iter();
            out.extend(pixels.flat_map(|[v, a]| [over(*v, *a); 3]));
        }
        ColorType::Indexed => unreachable!("palettes are expanded"),
    }
}

fn reason(error: DecodingError) -> Reason {
    match error {
        DecodingError::LimitsExceeded => Reason::PictureUnsupported,
        _ => Reason::PictureDamaged,
    }
}
