//! A picture in the terminal: two pixels to a character cell, in 24-bit colours.

use std::fmt::Write;

/// Most pixels that are decoded: a picture of a result, not a bomb.
const MOST_PIXELS: u64 = 64 << 20;

/// Renders a PNG at most `columns` wide. Errors say why it cannot be shown.
pub fn png(bytes: &[u8], columns: u32) -> Result<String, String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(
        png::Transformations::normalize_to_color8() | png::Transformations::ALPHA,
    );
    let mut reader = decoder.read_info().map_err(|e| e.to_string())?;
    let (width, height) = reader.info().size();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err("the picture is too large to be shown".into());
    }
    let mut buffer = vec![
        0;
        reader
            .output_buffer_size()
            .ok_or("the picture is too large to be shown")?
    ];
    let frame = reader.next_frame(&mut buffer).map_err(|e| e.to_string())?;
    let channels = frame.color_type.samples();
    let pixel = |x: u32, y: u32| -> [u8; 3] {
        let at = (y as usize * width as usize + x as usize) * channels;
        match buffer.get(at..at + channels) {
            Some([grey, alpha]) => blend([*grey; 3], *alpha),
            Some([r, g, b, alpha]) => blend([*r, *g, *b], *alpha),
            _ => [0; 3],
        }
    };
    // A tall picture is made narrower, so that it does not run for pages.
    let most_rows = u64::from(columns) * 4;
    let fitting = u64::from(width) * most_rows / u64::from(height.max(1));
    let out_width = columns
        .min(width)
        .min(u32::try_from(fitting).unwrap_or(u32::MAX))
        .max(1);
    let out_height = (u64::from(height) * u64::from(out_width))
        .div_ceil(u64::from(width.max(1)))
        .clamp(1, most_rows) as u32;
    // The mean of the pixels that fall on an output pixel: a plot's thin lines stay visible.
    let mean = |x: u32, y: u32| -> [u8; 3] {
        let span = |i: u32, of: u32, out: u32| {
            let from = (u64::from(i) * u64::from(of) / u64::from(out)) as u32;
            let to = (u64::from(i + 1) * u64::from(of)).div_ceil(u64::from(out)) as u32;
            from..to.min(of).max(from + 1)
        };
        let (mut sum, mut count) = ([0u64; 3], 0u64);
        for py in span(y, height, out_height) {
            for px in span(x, width, out_width) {
                let p = pixel(px.min(width - 1), py.min(height - 1));
                sum.iter_mut().zip(p).for_each(|(s, c)| *s += u64::from(c));
                count += 1;
            }
        }
        sum.map(|s| (s / count.max(1)) as u8)
    };
    let mut text = String::new();
    for row in 0..out_height.div_ceil(2) {
        for x in 0..out_width {
            let [r, g, b] = mean(x, row * 2);
            let _ = write!(text, "\x1b[38;2;{r};{g};{b}m");
            if row * 2 + 1 < out_height {
                let [r, g, b] = mean(x, row * 2 + 1);
                let _ = write!(text, "\x1b[48;2;{r};{g};{b}m");
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
    Ok(text)
}

/// Over black, as a terminal has it.
fn blend(colour: [u8; 3], alpha: u8) -> [u8; 3] {
    colour.map(|c| (u16::from(c) * u16::from(alpha) / 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, colour: png::ColorType, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(colour);
        encoder.set_depth(png::BitDepth::Eight);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(data)
            .unwrap();
        out
    }

    #[test]
    fn two_rows_should_share_a_cell() {
        let bytes = picture(1, 2, png::ColorType::Rgb, &[255, 0, 0, 0, 0, 255]);
        assert_eq!(
            png(&bytes, 80).unwrap(),
            "\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀\x1b[0m\n"
        );
    }

    #[test]
    fn picture_should_be_as_wide_as_asked_when_it_is_larger() {
        let bytes = picture(200, 100, png::ColorType::Grayscale, &[128; 20_000]);
        let text = png(&bytes, 50).unwrap();
        assert_eq!(text.lines().count(), 13);
        assert!(text.lines().all(|l| l.matches('▀').count() == 50));
    }

    #[test]
    fn picture_should_end_after_a_few_pages_when_it_is_very_tall() {
        let bytes = picture(1, 100_000, png::ColorType::Grayscale, &[128; 100_000]);
        assert!(png(&bytes, 50).unwrap().lines().count() <= 100);
        let bytes = picture(100, 10_000, png::ColorType::Grayscale, &[128; 1_000_000]);
        assert!(png(&bytes, 50).unwrap().lines().count() <= 100);
    }

    #[test]
    fn picture_should_be_refused_when_it_is_none() {
        assert!(png(b"not a picture", 80).is_err());
        let bytes = picture(4, 4, png::ColorType::Rgb, &[9; 48]);
        assert!(png(&bytes[..bytes.len() / 2], 80).is_err());
    }
}
