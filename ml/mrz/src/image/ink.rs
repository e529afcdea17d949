//! Dark strokes, joined to rows of text.

use super::Grey;
use alloc::{vec, vec::Vec};

/// Half the window of the local mean, in pixels: a little more than a symbol.
const NEAR: usize = 12;
/// Gaps between strokes that are closed: less than from one line to the next, more than between two symbols.
const GAP: usize = 11;

/// Sums of all pixels above and to the left.
struct Sums {
    width: usize,
    sums: Vec<u32>,
}

impl Sums {
    fn new(grey: &Grey) -> Self {
        let width = grey.width() + 1;
        let mut sums = vec![0u32; width * (grey.height() + 1)];
        for (y, row) in grey.pixels().chunks_exact(grey.width()).enumerate() {
            let mut line = 0;
            for (x, p) in row.iter().enumerate() {
                line += u32::from(*p);
                sums[(y + 1) * width + x + 1] = sums[y * width + x + 1] + line;
            }
        }
        Self { width, sums }
    }

    /// Sum and number of the pixels not further than `r` from a place.
    fn around(&self, x: usize, y: usize, r: usize, width: usize, height: usize) -> (u32, u32) {
        let (left, right) = (x.saturating_sub(r), (x + r + 1).min(width));
        let (top, bottom) = (y.saturating_sub(r), (y + r + 1).min(height));
        let at = |x: usize, y: usize| self.sums[y * self.width + x];
        let sum = at(right, bottom) + at(left, top) - at(left, bottom) - at(right, top);
        (sum, ((right - left) * (bottom - top)) as u32)
    }
}

/// A run of ink in a row, gaps closed.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub y: usize,
    pub from: usize,
    pub to: usize,
}

/// The runs of all rows, in their order: places that are clearly darker than their surroundings. The picture must have
/// fewer than 2^24 pixels.
pub(crate) fn runs(grey: &Grey) -> Vec<Run> {
    let (width, height) = (grey.width(), grey.height());
    let sums = Sums::new(grey);
    let mut runs: Vec<Run> = Vec::new();
    for y in 0..height {
        let first = runs.len();
        for x in 0..width {
            let (sum, n) = sums.around(x, y, 1, width, height);
            let (far, m) = sums.around(x, y, NEAR, width, height);
            let (here, mean) = (sum / n, far / m);
            if here + (mean / 9).max(7) >= mean {
                continue;
            }
            match runs.get_mut(first..).and_then(<[Run]>::last_mut) {
                Some(run) if x - run.to <= GAP => run.to = x + 1,
                _ => runs.push(Run {
                    y,
                    from: x,
                    to: x + 1,
                }),
            }
        }
    }
    runs
}

/// For each run the number of its component: runs of neighbouring rows that overlap.
pub(crate) fn components(runs: &[Run]) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..runs.len()).collect();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    // Runs of the row above that may still overlap.
    let mut above = 0;
    for i in 0..runs.len() {
        let run = runs[i];
        while above < i
            && (runs[above].y + 1 < run.y
                || runs[above].y + 1 == run.y && runs[above].to <= run.from)
        {
            above += 1;
        }
        let mut j = above;
        while j < i && runs[j].y + 1 == run.y && runs[j].from < run.to {
            let (a, b) = (root(&mut parent, i), root(&mut parent, j));
            parent[a.max(b)] = a.min(b);
            j += 1;
        }
    }
    (0..runs.len()).map(|i| root(&mut parent, i)).collect()
}
