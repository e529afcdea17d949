//! Pictures and points in them.

use std::iter;

/// Rows of RGB pixels, one byte a channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

/// A place in a picture in 1/256 pixels from the middle of its upper left pixel; x to the right, y down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// To the right.
    pub x: i64,
    /// Down.
    pub y: i64,
}

/// Units of a [`Point`] in a pixel.
pub const UNIT: i64 = 256;

impl Point {
    /// The same place after a number of clockwise quarter turns of the picture, whose width and height before are given.
    pub fn turned(self, (width, height): (usize, usize), quarters: u8) -> Self {
        let far = |side: usize| (side as i64 - 1) * UNIT;
        let (x, y) = match quarters % 4 {
            0 => (self.x, self.y),
            1 => (far(height) - self.y, self.x),
            2 => (far(width) - self.x, far(height) - self.y),
            _ => (self.y, far(width) - self.x),
        };
        Self { x, y }
    }
}

impl Picture {
    /// A picture of given bytes.
    ///
    /// # Panics
    ///
    /// If there are not `width * height` pixels, or none.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        assert!(
            width > 0 && height > 0 && rgb.len() == width * height * 3,
            "{width} x {height} pixels are not {} bytes",
            rgb.len()
        );
        Self { width, height, rgb }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes, row after row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// One pixel. Outside of the picture there is black.
    pub fn pixel(&self, x: i64, y: i64) -> [u8; 3] {
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 {
            return [0; 3];
        }
        let at = (y as usize * self.width + x as usize) * 3;
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// Brightness of every pixel: `(77 R + 150 G + 29 B + 128) / 256`, the weights of ITU-R BT.601 in 1/256.
    pub fn luma(&self) -> Vec<u8> {
        let weigh = |p: &[u8; 3]| {
            let [r, g, b] = p.map(u32::from);
            ((77 * r + 150 * g + 29 * b + 128) >> 8) as u8
        };
        self.rgb.as_chunks::<3>().0.iter().map(weigh).collect()
    }

    /// The picture after a number of clockwise quarter turns.
    pub fn turned(&self, quarters: u8) -> Self {
        let (w, h) = (self.width, self.height);
        match quarters % 4 {
            0 => self.clone(),
            1 => self.rearranged(h, w, |x, y| (y, h - 1 - x)),
            2 => self.rearranged(w, h, |x, y| (w - 1 - x, h - 1 - y)),
            _ => self.rearranged(h, w, |x, y| (w - 1 - y, x)),
        }
    }

    /// The picture as a mirror shows it: left and right exchanged.
    pub fn mirrored(&self) -> Self {
        self.rearranged(self.width, self.height, |x, y| (self.width - 1 - x, y))
    }

    fn rearranged(
        &self,
        width: usize,
        height: usize,
        from: impl Fn(usize, usize) -> (usize, usize),
    ) -> Self {
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for (y, x) in (0..height).flat_map(|y| iter::repeat(y).zip(0..width)) {
            let (x, y) = from(x, y);
            rgb.extend_from_slice(&self.rgb[(y * self.width + x) * 3..][..3]);
        }
        Self { width, height, rgb }
    }

    /// Shrinks the picture until its longer side has at most `side` pixels; never enlarges it.
    ///
    /// A pixel of the result is the mean of the pixels that it covers, rounded half up; which it covers is decided by
    /// whole pixels: column `i` covers the columns from `i * old / new` to `(i + 1) * old / new`, rounded down.
    pub fn shrunk(&self, side: usize) -> Self {
        let longer = self.width.max(self.height);
        if longer <= side {
            return self.clone();
        }
        let scaled = |n: usize| (n * side / longer).max(1);
        let (width, height) = (scaled(self.width), scaled(self.height));
        let mut rgb = Vec::with_capacity(width * height * 3);
        let mut sums = vec![[0u32; 3]; width];
        for y in 0..height {
            let rows = y * self.height / height..(y + 1) * self.height / height;
            sums.fill([0; 3]);
            for row in rows.clone() {
                let row = &self.rgb[row * self.width * 3..][..self.width * 3];
                for (x, sum) in sums.iter_mut().enumerate() {
                    let columns = x * self.width / width..(x + 1) * self.width / width;
                    for pixel in row[columns.start * 3..columns.end * 3].as_chunks::<3>().0 {
                        for (sum, value) in sum.iter_mut().zip(pixel) {
                            *sum += u32::from(*value);
                        }
                    }
                }
            }
            for (x, sum) in sums.iter().enumerate() {
                let columns = (x + 1) * self.width / width - x * self.width / width;
                let n = (rows.len() * columns) as u32;
                rgb.extend(sum.map(|sum| ((2 * sum + n) / (2 * n)) as u8));
            }
        }
        Self { width, height, rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pixel another one: red counts.
    fn counted(width: usize, height: usize) -> Picture {
        let rgb = (0..width * height).flat_map(|i| [i as u8, 0, 0]).collect();
        Picture::new(width, height, rgb)
    }

    fn reds(picture: &Picture) -> Vec<u8> {
        picture.rgb().iter().step_by(3).copied().collect()
    }

    #[test]
    fn picture_should_come_back_when_turned_four_times() {
        let picture = counted(3, 2);
        assert_eq!(reds(&picture.turned(1)), [3, 0, 4, 1, 5, 2]);
        assert_eq!(reds(&picture.turned(2)), [5, 4, 3, 2, 1, 0]);
        assert_eq!(reds(&picture.turned(3)), [2, 5, 1, 4, 0, 3]);
        assert!(picture.turned(1).turned(3) == picture);
        assert!(picture.turned(2).turned(2) == picture);
        assert!(picture.turned(4) == picture);
        for (quarters, (x, y)) in (0..4).flat_map(|q| [(q, (0, 0)), (q, (2, 1)), (q, (1, 0))]) {
            let place = Point { x, y };
            let whole = |p: Point| (p.x * UNIT, p.y * UNIT);
            let (x, y) = whole(place);
            let moved = Point { x, y }.turned((3, 2), quarters);
            let turned = picture.turned(quarters);
            assert_eq!(
                turned.pixel(moved.x / UNIT, moved.y / UNIT),
                picture.pixel(place.x, place.y)
            );
        }
        assert_eq!(reds(&picture.mirrored()), [2, 1, 0, 5, 4, 3]);
    }

    #[test]
    fn picture_should_keep_means_when_shrunk() {
        let shrunk = counted(4, 2).shrunk(2);
        assert_eq!((shrunk.width(), shrunk.height()), (2, 1));
        // (0 + 1 + 4 + 5) / 4 = 2.5, rounded half up.
        assert_eq!(reds(&shrunk), [3, 5]);
        let uneven = counted(7, 3).shrunk(5);
        assert_eq!((uneven.width(), uneven.height()), (5, 2));
        assert!(counted(2, 2).shrunk(2) == counted(2, 2));
        assert_eq!(counted(200, 1).shrunk(3).height(), 1);
    }

    #[test]
    fn luma_should_reach_both_ends_when_pixels_are_grey() {
        let picture = Picture::new(3, 1, vec![0, 0, 0, 128, 128, 128, 255, 255, 255]);
        assert_eq!(picture.luma(), [0, 128, 255]);
    }
}
