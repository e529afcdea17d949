//! OCR-B as masks of coverage, from outlines, in integers.

use anyhow::{ensure, Context, Result};
use ve_ml_mrz::{
    image::Grey,
    text::{Symbol, SYMBOLS},
};

/// The outlines; the file says where they come from.
const OUTLINES: &str = include_str!("../../data/ocr-b.txt");
/// Font units from one symbol to the next.
const ADVANCE: i64 = 723;
/// Lowest and highest font unit that a mask shows.
const LOW: i64 = -60;
const HIGH: i64 = 830;
/// Samples of a pixel, each way.
const FINE: i64 = 6;
/// Straight pieces of a curve.
const PIECES: i64 = 8;

type Edge = [(i64, i64); 2];

/// Masks of all symbols: 255 is ink.
pub struct Glyphs {
    /// Pixels from one symbol to the next: the width of a mask.
    pub pitch: usize,
    masks: Vec<Grey>,
}

impl Glyphs {
    /// Draws all symbols at a pitch; strokes are made wider by `weight` sixths of a pixel on every side (or narrower).
    pub fn new(pitch: usize, weight: i64) -> Result<Self> {
        let outlines = outlines()?;
        let masks = outlines
            .iter()
            .map(|edges| mask(edges, pitch as i64, weight));
        Ok(Self {
            pitch,
            masks: masks
                .collect::<Option<_>>()
                .context("a pitch of 1 to 100 pixels")?,
        })
    }

    /// The mask of a symbol.
    pub fn mask(&self, symbol: Symbol) -> &Grey {
        &self.masks[symbol.class()]
    }

    /// Rows of a mask above the top of a capital letter, and above its foot.
    pub fn capital(&self) -> [i64; 2] {
        [HIGH - 701, HIGH].map(|down| (down * self.pitch as i64 + ADVANCE / 2) / ADVANCE)
    }
}

fn outlines() -> Result<Vec<Vec<Edge>>> {
    let mut glyphs: Vec<Vec<Edge>> = Vec::new();
    let (mut start, mut at) = ((0, 0), (0, 0));
    for line in OUTLINES.lines().filter(|l| !l.starts_with('#')) {
        let (what, rest) = line.split_once(' ').context("a row of an outline")?;
        // A new contour or symbol closes the one before.
        if let (Some(edges), "G" | "M") = (glyphs.last_mut(), what) {
            edges.push([at, start]);
            at = start;
        }
        if what == "G" {
            glyphs.push(Vec::new());
            (start, at) = ((0, 0), (0, 0));
            continue;
        }
        let numbers = rest
            .split(' ')
            .map(str::parse)
            .collect::<Result<Vec<i64>, _>>()?;
        let points: Vec<(i64, i64)> = numbers.chunks_exact(2).map(|p| (p[0], p[1])).collect();
        let edges = glyphs.last_mut().context("an outline without a symbol")?;
        match (what, &points[..]) {
            ("M", [to]) => (start, at) = (*to, *to),
            ("L", [to]) => {
                edges.push([at, *to]);
                at = *to;
            }
            ("C", [b, c, d]) => {
                let from = at;
                for t in 1..=PIECES {
                    let s = PIECES - t;
                    let bezier = |f: fn(&(i64, i64)) -> i64| {
                        let sum = s * s * s * f(&from)
                            + 3 * s * s * t * f(b)
                            + 3 * s * t * t * f(c)
                            + t * t * t * f(d);
                        sum / (PIECES * PIECES * PIECES)
                    };
                    let to = (bezier(|p| p.0), bezier(|p| p.1));
                    edges.push([at, to]);
                    at = to;
                }
            }
            _ => anyhow::bail!("not a row of an outline: {line}"),
        }
    }
    if let Some(edges) = glyphs.last_mut() {
        edges.push([at, start]);
    }
    ensure!(glyphs.len() == SYMBOLS, "{} symbols", glyphs.len());
    Ok(glyphs)
}

/// Samples inside the outline (non-zero winding), widened, then averaged to pixels.
fn mask(edges: &[Edge], pitch: i64, weight: i64) -> Option<Grey> {
    let (wide, high) = (pitch * FINE, pitch * (HIGH - LOW) / ADVANCE * FINE);
    let mut fine = vec![false; (wide * high) as usize];
    for y in 0..high {
        // In half samples, so that sample centres fall between font units as rarely as possible.
        let row = HIGH * 2 * wide - (2 * y + 1) * ADVANCE;
        let mut crossings: Vec<(i64, i64)> = Vec::new();
        for [(x0, y0), (x1, y1)] in edges {
            let (above, below) = (y0 * 2 * wide, y1 * 2 * wide);
            if (above <= row) != (below <= row) {
                let x = x0 * 2 * wide + (x1 - x0) * 2 * wide * (row - above) / (below - above);
                crossings.push((x, if above < below { 1 } else { -1 }));
            }
        }
        crossings.sort_unstable();
        let (mut winding, mut next) = (0, 0);
        for x in 0..wide {
            let at = (2 * x + 1) * ADVANCE;
            while next < crossings.len() && crossings[next].0 <= at {
                winding += crossings[next].1;
                next += 1;
            }
            fine[(y * wide + x) as usize] = winding != 0;
        }
    }
    for _ in 0..weight.abs() {
        let old = fine.clone();
        for (i, sample) in fine.iter_mut().enumerate() {
            let (x, y) = (i as i64 % wide, i as i64 / wide);
            let near = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)].map(|(dx, dy)| {
                let (x, y) = ((x + dx).clamp(0, wide - 1), (y + dy).clamp(0, high - 1));
                old[(y * wide + x) as usize]
            });
            *sample = if weight > 0 {
                near.contains(&true)
            } else {
                !near.contains(&false)
            };
        }
    }
    let (w, h) = (pitch as usize, (high / FINE) as usize);
    let pixels = (0..w * h).map(|i| {
        let (left, top) = ((i % w) as i64 * FINE, (i / w) as i64 * FINE);
        let inside = (0..FINE * FINE)
            .filter(|s| fine[((top + s / FINE) * wide + left + s % FINE) as usize])
            .count() as i64;
        (inside * 255 / (FINE * FINE)) as u8
    });
    Grey::new(w, h, pixels.collect())
}
