//! Edges between bars and spaces along a line, between the pixels.

use crate::{
    picture::{Point, View, BITS, ONE},
    symbols::ELEMENTS,
};

/// Samples are the sum of this many points across the line, a pixel apart: less noise, and rows are higher than that.
const ACROSS: usize = 3;
/// A sample counts as dark or bright when it is this far from the threshold; anything nearer keeps the colour of the
/// sample before it.
const CERTAIN: i32 = 6;
/// Samples of a line, at most.
const LONGEST: i64 = 1 << 14;

/// Where the brightness crosses its local mean.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// In 1/256 of a pixel from the line's begin.
    pub at: i32,
    /// From bright to dark.
    pub darkens: bool,
}

/// Edges along the line from one point to another, alternately to dark and to bright. `reach` is how far the local mean
/// looks to both sides, in pixels.
pub fn edges(view: &View, from: Point, to: Point, reach: i32) -> Vec<Edge> {
    let (dx, dy) = (i64::from(to.x - from.x), i64::from(to.y - from.y));
    let length = ((dx * dx + dy * dy) as u64).isqrt() as i64;
    // Two samples for each pixel.
    let steps = (length >> (BITS - 1)).clamp(1, LONGEST);
    let beside: [(i64, i64); ACROSS] = std::array::from_fn(|n| {
        let away = (n as i64 - ACROSS as i64 / 2) * i64::from(ONE);
        (-away * dy / length.max(1), away * dx / length.max(1))
    });
    let samples: Vec<i32> = (0..=steps)
        .map(|i| {
            let (x, y) = (dx * i / steps, dy * i / steps);
            let points = beside.iter().map(|(aside, below)| Point {
                x: from.x + (x + aside) as i32,
                y: from.y + (y + below) as i32,
            });
            points.map(|point| i32::from(view.at(point))).sum()
        })
        .collect();
    let reach = (2 * reach).max(1) as usize;
    let contrast = over_mean(&samples, reach);
    let mut found: Vec<Edge> = Vec::new();
    let mut dark = false;
    for i in 1..contrast.len() {
        let (darkens, brightens) = (contrast[i] < -CERTAIN, contrast[i] > CERTAIN);
        let changes = if dark { brightens } else { darkens };
        if !changes {
            continue;
        }
        dark = darkens;
        // The last step that crosses the threshold in this direction.
        let side = |v: i32| (v < 0) == darkens;
        let after = (1..=i)
            .rev()
            .find(|j| side(contrast[*j]) && !side(contrast[*j - 1]));
        let after = after.unwrap_or(i);
        let (a, b) = (i64::from(contrast[after - 1]), i64::from(contrast[after]));
        let part = if a == b { 0 } else { (length * a) / (a - b) };
        let at = (length * (after as i64 - 1) + part) / steps;
        found.push(Edge {
            at: at as i32,
            darkens,
        });
    }
    found
}

/// Each sample minus the mean of those around it.
fn over_mean(samples: &[i32], reach: usize) -> Vec<i32> {
    let mut sums = vec![0; samples.len() + 1];
    for (i, s) in samples.iter().enumerate() {
        sums[i + 1] = sums[i] + s;
    }
    samples
        .iter()
        .enumerate()
        .map(|(i, s)| {
            let (first, end) = (i.saturating_sub(reach), (i + reach + 1).min(samples.len()));
            s - (sums[end] - sums[first]) / (end - first) as i32
        })
        .collect()
}

/// Widths between `N + 1` edges, of which the first is number `from`.
pub fn widths<const N: usize>(edges: &[Edge], from: usize) -> Option<[i32; N]> {
    let window = edges.get(from..from + N + 1)?;
    Some(std::array::from_fn(|i| window[i + 1].at - window[i].at))
}

/// Whether the first eight widths have a pattern's distances between like edges, and its first bar's width.
pub fn matches(widths: &[i32], pattern: &[i32; ELEMENTS]) -> bool {
    let whole: i32 = widths.iter().take(ELEMENTS).sum();
    // In 1/17 of a module of the measured pattern.
    let near = |measured: i32, wanted: i32, tolerance: i32| {
        (17 * measured - wanted * whole).abs() * 4 <= tolerance * whole
    };
    let pairs =
        (0..ELEMENTS - 2).all(|i| near(widths[i] + widths[i + 1], pattern[i] + pattern[i + 1], 3));
    pairs && near(widths[0], pattern[0], 5)
}
