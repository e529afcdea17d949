//! How good a picture is, before anybody asks what it shows.

use crate::picture::Picture;

/// Longer side of the picture on which a document's quality is measured; larger ones are shrunk first.
pub const DOCUMENT_SIDE: usize = 1024;
/// Darker than this is black, brighter than [`WHITE`] is white: nothing can be seen there.
const BLACK: usize = 16;
const WHITE: usize = 239;

/// Measures of brightness, 0 black to 255 white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Mean magnitude of the Laplacian (four times a pixel less its four neighbours), in 1/16, rounded down: how much
    /// fine detail there is.
    pub sharpness: i64,
    /// Mean, rounded down.
    pub brightness: i64,
    /// From the 5th to the 95th percentile.
    pub contrast: i64,
    /// Part of the pixels that are darker than 16, in 1/1000, rounded down.
    pub black: i64,
    /// Part of the pixels that are brighter than 239, in 1/1000, rounded down.
    pub white: i64,
}

impl Quality {
    /// Measures a picture as it is.
    pub fn of(picture: &Picture) -> Self {
        let (luma, width) = (picture.luma(), picture.width());
        let mut histogram = [0u64; 256];
        for v in &luma {
            histogram[usize::from(*v)] += 1;
        }
        let n = luma.len() as u64;
        let sum: u64 = (0u64..).zip(&histogram).map(|(v, count)| v * count).sum();
        // The first brightness at which at least `part` twentieths of the pixels are reached.
        let percentile = |part: u64| {
            let mut reached = 0;
            let position = histogram.iter().position(|count| {
                reached += count;
                reached * 20 >= n * part
            });
            position.unwrap_or(255) as i64
        };
        let part = |counts: &[u64]| (counts.iter().sum::<u64>() * 1000 / n) as i64;
        Self {
            sharpness: sharpness(&luma, width),
            brightness: (sum / n) as i64,
            contrast: percentile(19) - percentile(1),
            black: part(&histogram[..BLACK]),
            white: part(&histogram[WHITE + 1..]),
        }
    }

    /// The five numbers, in the order of their declaration.
    pub fn values(&self) -> [i64; 5] {
        [
            self.sharpness,
            self.brightness,
            self.contrast,
            self.black,
            self.white,
        ]
    }
}

fn sharpness(luma: &[u8], width: usize) -> i64 {
    let height = luma.len() / width;
    if width < 3 || height < 3 {
        return 0;
    }
    let rows: Vec<&[u8]> = luma.chunks_exact(width).collect();
    let mut sum = 0u64;
    for rows in rows.windows(3) {
        let [above, row, below] = [rows[0], rows[1], rows[2]];
        for x in 1..width - 1 {
            let around = [above[x], below[x], row[x - 1], row[x + 1]].map(i32::from);
            let laplacian = 4 * i32::from(row[x]) - around.iter().sum::<i32>();
            sum += u64::from(laplacian.unsigned_abs());
        }
    }
    (sum * 16 / ((width - 2) * (height - 2)) as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: usize, height: usize, value: impl Fn(usize, usize) -> u8) -> Picture {
        let values = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Picture::new(
            width,
            height,
            values.flat_map(|(x, y)| [value(x, y); 3]).collect(),
        )
    }

    #[test]
    fn quality_should_be_known_when_the_picture_is_simple() {
        let flat = Quality::of(&grey(10, 10, |_, _| 100));
        assert_eq!(flat.values(), [0, 100, 0, 0, 0]);
        let board = Quality::of(&grey(10, 10, |x, y| 255 * ((x + y) % 2) as u8));
        assert_eq!(board.values(), [4 * 255 * 16, 127, 255, 500, 500]);
        let ends = Quality::of(&grey(4, 1, |x, _| [15, 16, 239, 240][x]));
        assert_eq!((ends.black, ends.white, ends.sharpness), (250, 250, 0));
    }

    #[test]
    fn sharpness_should_fall_when_the_picture_is_blurred() {
        let noise = |x: usize, y: usize| ((x * 7919 + y * 104_729) % 251) as u8;
        let sharp = grey(64, 64, noise);
        let blurred = grey(64, 64, |x, y| {
            ((u32::from(noise(x, y)) + u32::from(noise(x + 1, y))) / 2) as u8
        });
        assert!(Quality::of(&sharp).sharpness > Quality::of(&blurred).sharpness);
    }
}
