use alloc::{vec, vec::Vec};

/// Largest width and height.
pub const MAX_SIDE: usize = 1 << 14;

/// A greyscale picture, 0 is black: rows of pixels. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grey {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Grey {
    /// From rows of pixels; nothing when they are not `width * height`, or a side is zero or above 16,384.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        let side = 1..=MAX_SIDE;
        let fits = side.contains(&width) && side.contains(&height);
        (fits && pixels.len() == width * height).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// From a function of the place: column, row.
    pub(crate) fn of(width: usize, height: usize, pixel: impl Fn(usize, usize) -> u8) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            pixels.extend((0..width).map(|x| pixel(x, y)));
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels, row after row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// A pixel; outside of the picture, the nearest one.
    pub fn at(&self, x: i64, y: i64) -> u8 {
        let x = x.clamp(0, self.width as i64 - 1) as usize;
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        self.pixels[y * self.width + x]
    }

    /// The value at a point in 1/256 of a pixel (0 is the middle of the first pixel), between its four neighbours.
    pub fn between(&self, x: i64, y: i64) -> u8 {
        let (left, top, dx, dy) = (x >> 8, y >> 8, x & 255, y & 255);
        let at = |x, y| i64::from(self.at(x, y));
        let row = |y| at(left, y) * (256 - dx) + at(left + 1, y) * dx;
        ((row(top) * (256 - dy) + row(top + 1) * dy + (1 << 15)) >> 16) as u8
    }

    /// Half as wide and high: means of four pixels.
    pub fn halved(&self) -> Self {
        Self::of(self.width / 2, self.height / 2, |x, y| {
            let (x, y) = (2 * x as i64, 2 * y as i64);
            let sum = [(0, 0), (1, 0), (0, 1), (1, 1)]
                .map(|(dx, dy)| u32::from(self.at(x + dx, y + dy)))
                .iter()
                .sum::<u32>();
            ((sum + 2) / 4) as u8
        })
    }

    /// Not larger than `side` both ways: means of the pixels that fall together. The same picture when it is small.
    pub fn shrunk(&self, side: usize) -> Self {
        let longest = self.width.max(self.height);
        if longest <= side {
            return self.clone();
        }
        let size = |s: usize| (s * side / longest).max(1);
        let (width, height) = (size(self.width), size(self.height));
        let edges = |n: usize, of: usize| -> Vec<usize> { (0..=n).map(|i| i * of / n).collect() };
        let (columns, rows) = (edges(width, self.width), edges(height, self.height));
        let mut pixels = Vec::with_capacity(width * height);
        let mut sums = vec![0u32; width];
        for y in rows.windows(2) {
            sums.fill(0);
            for row in y[0]..y[1] {
                let row = &self.pixels[row * self.width..][..self.width];
                for (sum, x) in sums.iter_mut().zip(columns.windows(2)) {
                    *sum += row[x[0]..x[1]].iter().map(|p| u32::from(*p)).sum::<u32>();
                }
            }
            let means = sums.iter().zip(columns.windows(2)).map(|(sum, x)| {
                let n = ((x[1] - x[0]) * (y[1] - y[0])) as u32;
                ((sum + n / 2) / n) as u8
            });
            pixels.extend(means);
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Turned by a quarter, clockwise.
    pub fn turned(&self) -> Self {
        Self::of(self.height, self.width, |x, y| {
            self.pixels[(self.height - 1 - x) * self.width + y]
        })
    }
}
