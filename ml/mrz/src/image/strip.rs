//! A zone laid flat, and its grid of cells.

use super::{Block, Grey, Quad};
use alloc::{vec, vec::Vec};

/// Pixels of a strip from one cell to the next.
pub const PITCH: i64 = 24;
/// Side of the square picture of a cell that the network reads: one and a half cells wide, one and a half symbols high.
pub const CELL: usize = 24;
/// Cells around the zone that a strip shows, on every side.
pub const MARGIN_CELLS: i64 = 2;
const MARGIN: i64 = MARGIN_CELLS * PITCH;
/// Height of a symbol whose edges cannot be seen: a symbol of OCR-B is as high as its cell is wide.
const HIGH: i64 = PITCH;
/// How far the ends of a line are searched from where its ink ends.
const REACH: i64 = 20;

/// A zone, laid flat: a picture with [`PITCH`] pixels for each cell.
#[derive(Clone, Debug)]
pub struct Strip {
    /// The picture.
    pub grey: Grey,
    columns: i64,
    /// Middle lines of the rows, in pixels of the strip.
    middles: Vec<i64>,
}

/// The grid of one line in a strip. All in 1/256 of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Left end of the first cell.
    pub left: i64,
    /// Right end of the last cell.
    pub right: i64,
    /// How far the middle of the line lies to the right of the mean of its ends: perspective.
    pub bend: i64,
    /// Top and foot of the symbols at the left end.
    pub at_left: [i64; 2],
    /// The same at the right end.
    pub at_right: [i64; 2],
    /// Number of cells.
    pub columns: i64,
}

impl Grid {
    /// Place of a cell's boundary: `k` of `columns`, counted in halves.
    fn boundary(&self, halves: i64) -> i64 {
        let all = 2 * self.columns;
        let straight = self.left + (self.right - self.left) * halves / all;
        straight + 4 * self.bend * halves * (all - halves) / (all * all)
    }

    /// Middle of a cell: to the right and down, in 1/256 of a pixel.
    pub fn middle(&self, column: usize) -> [i64; 2] {
        let halves = 2 * column as i64 + 1;
        let [top, foot] = self.rows(halves);
        [self.boundary(halves), (top + foot) / 2]
    }

    fn rows(&self, halves: i64) -> [i64; 2] {
        let all = 2 * self.columns;
        [0, 1].map(|i| self.at_left[i] + (self.at_right[i] - self.at_left[i]) * halves / all)
    }
}

impl Strip {
    /// Lays a block flat for lines of `columns` cells; nothing when its corners make no quadrilateral.
    pub fn new(grey: &Grey, block: &Block, columns: usize) -> Option<Self> {
        let (along, across) = block.quad.sides();
        if along == 0 || !(1..=64).contains(&columns) {
            return None;
        }
        let width = columns as i64 * PITCH;
        let height = (width * across / along).clamp(PITCH, 12 * PITCH);
        let picture = flat(grey, &block.quad, width, height)?;
        let (first, last) = (
            MARGIN + height * block.half / 1024,
            MARGIN + height - height * block.half / 1024,
        );
        let middles = match block.lines {
            3 => vec![first, (first + last) / 2, last],
            _ => vec![first, last],
        };
        Some(Self {
            grey: picture,
            columns: columns as i64,
            middles,
        })
    }

    /// A strip whose block's corners are the ends of cells and symbols exactly: for training, where they are known.
    pub fn exact(
        grey: &Grey,
        quad: &Quad,
        columns: usize,
        bands: &[[i64; 2]],
    ) -> Option<(Self, Vec<Grid>)> {
        let (width, height) = (columns as i64 * PITCH, bands.last()?[1]);
        let strip = Self {
            grey: flat(grey, quad, width, height)?,
            columns: columns as i64,
            middles: bands
                .iter()
                .map(|[top, foot]| MARGIN + (top + foot) / 2)
                .collect(),
        };
        let grids = bands.iter().map(|band| {
            let rows = band.map(|row| 256 * (MARGIN + row));
            Grid {
                left: 256 * MARGIN,
                right: 256 * (MARGIN + width),
                bend: 0,
                at_left: rows,
                at_right: rows,
                columns: columns as i64,
            }
        });
        Some((strip, grids.collect()))
    }

    /// Finds the grid of every line, by its ink: dark in the middle of cells, light between them.
    pub fn grids(&self) -> Vec<Grid> {
        let dark = self.darkness();
        self.middles
            .iter()
            .map(|middle| self.grid(&dark, *middle))
            .collect()
    }

    /// How much darker each pixel is than the paper around it.
    fn darkness(&self) -> Vec<i64> {
        let (width, height) = (self.grey.width(), self.grey.height());
        // Paper: the brighter part of four cells, as high as the strip.
        let block = 4 * PITCH as usize;
        let paper: Vec<i64> = (0..width.div_ceil(block))
            .map(|i| {
                let mut counts = [0usize; 256];
                let columns = i * block..((i + 1) * block).min(width);
                for row in self.grey.pixels().chunks_exact(width) {
                    row[columns.clone()]
                        .iter()
                        .for_each(|p| counts[usize::from(*p)] += 1);
                }
                let (mut left, mut level) = (columns.len() * height * 7 / 10, 0);
                for (value, count) in counts.iter().enumerate() {
                    level = value;
                    if *count > left {
                        break;
                    }
                    left -= count;
                }
                level as i64
            })
            .collect();
        let pixels = self.grey.pixels().iter().enumerate();
        pixels
            .map(|(i, p)| (paper[i % width / block] - i64::from(*p)).max(0))
            .collect()
    }

    fn grid(&self, dark: &[i64], middle: i64) -> Grid {
        let (width, height) = (self.grey.width() as i64, self.grey.height() as i64);
        let half = self.columns * PITCH / 2;
        // Top and foot, seen in each half, and continued to the ends.
        let [near, far] = [0, 1].map(|i| {
            let from = MARGIN + i * half;
            let rows: Vec<i64> = (0..height)
                .map(|y| {
                    (from..from + half)
                        .map(|x| dark[(y * width + x) as usize])
                        .sum()
                })
                .collect();
            band(&rows, middle)
        });
        let at = |i: usize, quarters: i64| {
            // Seen at one and three quarters of the length.
            256 * near[i] + 256 * (far[i] - near[i]) * (quarters - 1) / 2
        };
        let mut grid = Grid {
            left: 256 * MARGIN,
            right: 256 * (MARGIN + 2 * half),
            bend: 0,
            at_left: [at(0, 0), at(1, 0)],
            at_right: [at(0, 4), at(1, 4)],
            columns: self.columns,
        };
        self.ends(dark, &mut grid);
        grid
    }

    /// Moves the ends of a line, and bends it, until its boundaries are light and its middles dark.
    fn ends(&self, dark: &[i64], grid: &mut Grid) {
        let (width, height) = (self.grey.width() as i64, self.grey.height() as i64);
        let span = grid.right - grid.left;
        let ink: Vec<i64> = (0..width)
            .map(|x| {
                let at = (256 * x - grid.left).clamp(0, span);
                let row = |i: usize| {
                    (grid.at_left[i] + (grid.at_right[i] - grid.at_left[i]) * at / span) / 256
                };
                (row(0).max(0)..row(1).min(height))
                    .map(|y| dark[(y * width + x) as usize])
                    .sum()
            })
            .collect();
        let at = |x: i64| ink[x.clamp(0, width - 1) as usize];
        let smooth: Vec<i64> = (0..width)
            .map(|x| at(x - 1) + 2 * at(x) + at(x + 1))
            .collect();
        let mean = smooth.iter().sum::<i64>() / width.max(1);
        let at = |x: i64| smooth[((x + 128) >> 8).clamp(0, width - 1) as usize];
        let score = |left: i64, right: i64, bend: i64| {
            let moved = Grid {
                left: grid.left + 256 * left,
                right: grid.right + 256 * right,
                bend: 256 * bend,
                ..*grid
            };
            let all = 2 * self.columns;
            let sum = |parity: i64| -> i64 {
                (parity..=all)
                    .step_by(2)
                    .map(|h| at(moved.boundary(h)))
                    .sum()
            };
            // A symbol's ink begins about a sixth of a cell after its cell.
            let away = (left + 4).abs() + (right - 4).abs() + bend.abs();
            (2 * (sum(1) - 2 * sum(0)) - away * mean, moved)
        };
        // Every other pixel first, then around the best.
        let mut best = (i64::MIN, (0, 0, 0), *grid);
        let mut search = |lefts: (i64, i64), rights: (i64, i64), bends: (i64, i64), step: usize| {
            for bend in (bends.0..=bends.1).step_by(2 * step) {
                for left in (lefts.0..=lefts.1).step_by(step) {
                    for right in (rights.0..=rights.1).step_by(step) {
                        let (score, moved) = score(left, right, bend);
                        if score > best.0 {
                            best = (score, (left, right, bend), moved);
                        }
                    }
                }
            }
            best
        };
        let (_, (left, right, bend), _) = search((-REACH, REACH), (-REACH, REACH), (-8, 8), 2);
        let near = |at: i64, by: i64| (at - by, at + by);
        *grid = search(near(left, 1), near(right, 1), near(bend, 2), 1).2;
    }

    /// The picture of a cell, contrast stretched: paper is 255 and ink 0.
    pub fn cell(&self, grid: &Grid, column: usize) -> Vec<u8> {
        self.cell_moved(grid, column, [0; 5])
    }

    /// The same, moved to the right and down, and wider and higher, by 1/256 of the cell's width and the symbol's height, and
    /// slanted to the right by 1/256: for training.
    pub fn cell_moved(&self, grid: &Grid, column: usize, by: [i64; 5]) -> Vec<u8> {
        let halves = 2 * column as i64 + 1;
        let [top, foot] = grid.rows(halves);
        let pitch = grid.boundary(halves + 1) - grid.boundary(halves - 1);
        let high = foot - top;
        let middle = [
            grid.boundary(halves) + pitch * by[0] / 256,
            (top + foot) / 2 + high * by[1] / 256,
        ];
        let size = [pitch * (256 + by[2]) / 256, high * (256 + by[3]) / 256];
        let side = CELL as i64;
        let mut pixels = Vec::with_capacity(CELL * CELL);
        for y in 0..side {
            for x in 0..side {
                let at = |i: usize, step: i64| {
                    // Three halves of the size over the side, from pixel centre to pixel centre.
                    middle[i] + (2 * step + 1 - side) * size[i] * 3 / (4 * side) - 128
                };
                let down = at(1, y);
                let slanted = at(0, x) + (middle[1] - down) * by[4] / 256;
                pixels.push(self.grey.between(slanted, down));
            }
        }
        stretch(&mut pixels);
        pixels
    }
}

/// The rows, around the middle, that hold a line's ink.
fn band(rows: &[i64], middle: i64) -> [i64; 2] {
    let from = (middle - HIGH).max(0);
    let to = (middle + HIGH).min(rows.len() as i64);
    let near = rows.get(from as usize..to as usize).unwrap_or_default();
    let (least, most) = (
        near.iter().min().copied().unwrap_or(0),
        near.iter().max().copied().unwrap_or(0),
    );
    let level = least + (most - least) * 3 / 10;
    // The consecutive rows that exceed the level by most.
    let (mut best, mut sum, mut start) = ((0, [0, 0]), 0, 0);
    for (i, row) in near.iter().enumerate() {
        if sum <= 0 {
            (sum, start) = (0, i);
        }
        sum += row - level;
        if sum > best.0 {
            best = (sum, [start as i64, i as i64 + 1]);
        }
    }
    let [top, foot] = best.1.map(|i| from + i);
    if (HIGH / 2..=HIGH * 8 / 5).contains(&(foot - top)) {
        [top, foot]
    } else {
        [middle - HIGH / 2, middle + HIGH / 2]
    }
}

/// Darkest parts to 0, brightest to 255, so that light and shadow do not matter.
fn stretch(pixels: &mut [u8]) {
    let mut sorted = pixels.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| {
        i32::from(
            sorted
                .get(sorted.len() * percent / 100)
                .copied()
                .unwrap_or(0),
        )
    };
    let (dark, bright) = (at(3), at(80));
    let range = (bright - dark).max(24);
    for p in pixels {
        *p = ((i32::from(*p) - dark) * 255 / range).clamp(0, 255) as u8;
    }
}

/// A quadrilateral with its surroundings, laid flat.
fn flat(grey: &Grey, quad: &Quad, width: i64, height: i64) -> Option<Grey> {
    // In half pixels, so that pixel centres are whole.
    let projection = quad.projection(2 * width, 2 * height)?;
    // Halve the picture until a pixel of the strip is less than two of its pixels.
    let (along, _) = quad.sides();
    let (mut level, mut scaled) = (0u32, None::<Grey>);
    while (along / super::UNIT) >> level > 2 * width && level < 8 {
        scaled = Some(scaled.as_ref().unwrap_or(grey).halved());
        level += 1;
    }
    let source = scaled.as_ref().unwrap_or(grey);
    let (wide, high) = (
        (width + 2 * MARGIN) as usize,
        (height + 2 * MARGIN) as usize,
    );
    Some(Grey::of(wide, high, |x, y| {
        let (u, v) = (x as i64 - MARGIN, y as i64 - MARGIN);
        match projection.at(2 * u + 1, 2 * v + 1) {
            Some((x, y)) => {
                let half = (1i64 << level) - 1;
                source.between((x - 128 * half) >> level, (y - 128 * half) >> level)
            }
            None => 0,
        }
    }))
}
