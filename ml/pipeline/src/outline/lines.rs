//! Straight lines along edges.

use super::edges::{Edges, Gradient};

/// Steps of a slope of one, and the steepest slope. Lines between slopes of 1 and 5/4 are found in both directions, so that
/// opposite sides of a document that is turned by half a right angle are never in two.
const STEPS: i64 = 128;
const STEEPEST: i64 = STEPS * 5 / 4;
/// How far the slope of a line may be from what one edge says.
const SPREAD: i64 = 20;
/// Most lines in one direction.
const MOST: usize = 40;
/// Most places that are looked at for them.
const TRIED: usize = 4 * MOST;
/// Lines that are nowhere farther apart are one, in pixels, when they are looked for; afterwards one pixel.
const APART: i64 = 3;
/// How far from a line its edges are, in pixels.
const NEAR: i64 = 2;
/// Bits after the point of a slope, and of a place in half pixels.
const SLOPE: u32 = 16;
pub(super) const PLACE: u32 = 8;

/// A line through a picture: with `s` along and `t` across, both in half pixels from the picture's middle,
/// `t = slope * s + offset`. Lying lines have `s` to the right, standing ones down.
pub(super) struct Line {
    /// In 1/65536.
    slope: i64,
    /// In 1/256 half pixels.
    offset: i64,
    /// For every `n` how many of the first `n` pixels along the line have an edge.
    edges: Option<Vec<u16>>,
}

/// Edges as somebody sees them who looks along lying lines, or, the picture mirrored at its diagonal, along standing ones.
pub(super) struct View<'a> {
    edges: &'a Edges,
    standing: bool,
}

impl View<'_> {
    pub fn new(edges: &Edges, standing: bool) -> View<'_> {
        View { edges, standing }
    }

    fn size(&self) -> (i64, i64) {
        let (width, height) = (self.edges.width as i64, self.edges.height as i64);
        if self.standing {
            (height, width)
        } else {
            (width, height)
        }
    }

    fn gradient(&self, s: i64, t: i64) -> Gradient {
        if self.standing {
            mirrored(self.edges.gradient(t, s))
        } else {
            self.edges.gradient(s, t)
        }
    }

    fn edge(&self, s: i64, t: i64) -> Option<Gradient> {
        if self.standing {
            self.edges.edge(t, s).map(mirrored)
        } else {
            self.edges.edge(s, t)
        }
    }

    /// The lines with most edges, and the picture's two borders at the end.
    ///
    /// Every edge votes for the lines through it whose slope is near its own: a Hough transform of slope and offset. Edges
    /// from dark to bright and from bright to dark vote apart.
    pub fn lines(&self) -> Vec<Line> {
        let (long, high) = self.size();
        // Offsets are of the picture's middle column, whole pixels.
        let reach = high / 2 + long / 2 * STEEPEST / STEPS + 2;
        let (slopes, offsets) = ((2 * STEEPEST + 1) as usize, (2 * reach + 1) as usize);
        let mut votes = vec![0u16; 2 * slopes * offsets];
        for (s, t) in (0..high).flat_map(|t| (0..long).map(move |s| (s, t))) {
            let Some(slope) = self.edge(s, t).and_then(slope) else {
                continue;
            };
            let (s, t) = (2 * s + 1 - long, 2 * t + 1 - high);
            for step in (slope.1 - SPREAD).max(-STEEPEST)..=(slope.1 + SPREAD).min(STEEPEST) {
                let offset = (t * STEPS - step * s).div_euclid(2 * STEPS) + reach;
                let row = usize::from(slope.0) * slopes + (step + STEEPEST) as usize;
                votes[row * offsets + offset as usize] += 1;
            }
        }
        let least = (long.min(high) / 6).max(8) as u32;
        let mut peaks: Vec<(u32, usize)> = Vec::new();
        for (row, votes) in votes.chunks_exact(offsets).enumerate() {
            for (offset, near) in votes.windows(2).enumerate() {
                let sum = u32::from(near[0]) + u32::from(near[1]);
                if sum >= least {
                    peaks.push((sum, row * offsets + offset));
                }
            }
        }
        peaks.sort_unstable_by_key(|(sum, place)| (u32::MAX - sum, *place));
        let (mut tried, mut found) = (Vec::new(), Vec::new());
        let mut lines = Vec::new();
        let apart = |a: (i64, i64), b: (i64, i64), most: i64| {
            (a.0 - b.0).abs().max((a.1 - b.1).abs()) > most
        };
        for (_, place) in peaks {
            if lines.len() == MOST || tried.len() == TRIED {
                break;
            }
            let (row, offset) = (place / offsets, (place % offsets) as i64);
            let slope = (row % slopes) as i64 - STEEPEST;
            let offset = offset + 1 - reach;
            let line = Line {
                slope: slope << SLOPE >> STEPS.ilog2(),
                offset: offset << (PLACE + 1),
                edges: None,
            };
            let ends = self.ends(&line);
            if !tried
                .iter()
                .all(|other| apart(ends, *other, APART << (PLACE + 1)))
            {
                continue;
            }
            tried.push(ends);
            let rising = row >= slopes;
            let fitted = self
                .fitted(&line, rising, NEAR + 1)
                .and_then(|line| self.fitted(&line, rising, NEAR));
            let Some(line) = fitted else {
                continue;
            };
            let ends = self.ends(&line);
            if found
                .iter()
                .all(|other| apart(ends, *other, 1 << (PLACE + 1)))
            {
                found.push(ends);
                lines.push(self.counted(line, rising));
            }
        }
        let border = |side: i64| Line {
            slope: 0,
            offset: (side * high) << PLACE,
            edges: None,
        };
        lines.extend([border(-1), border(1)]);
        lines
    }

    /// Places across at both ends of a line.
    fn ends(&self, line: &Line) -> (i64, i64) {
        let (long, _) = self.size();
        (line.at(-long << PLACE), line.at(long << PLACE))
    }

    /// The edge nearest to a line at `s`, of its direction and within some pixels; with its place across in 1/16 half
    /// pixels.
    fn nearest(&self, line: &Line, rising: bool, s: i64, near: i64) -> Option<i64> {
        let (long, high) = self.size();
        let t = line.at((2 * s + 1 - long) << PLACE);
        // From half pixels around the middle to pixels from the border, rounded.
        let middle = (t + ((high - 1) << PLACE) + (1 << PLACE)) >> (PLACE + 1);
        for away in 0..=near {
            for t in [middle - away, middle + away] {
                let Some((up, steps)) = self.edge(s, t).and_then(slope) else {
                    continue;
                };
                let off = (steps << SLOPE >> STEPS.ilog2()) - line.slope;
                if up == rising && off.abs() <= (2 * SPREAD) << SLOPE >> STEPS.ilog2() {
                    return Some(16 * (2 * t + 1 - high) + self.crest(s, t));
                }
            }
        }
        None
    }

    /// How far across an edge's crest is from its pixel, in 1/16 half pixels: the vertex of the parabola through three
    /// gradients.
    fn crest(&self, s: i64, t: i64) -> i64 {
        let length = |t| i64::from(self.gradient(s, t).squared().isqrt());
        let (before, here, after) = (length(t - 1), length(t), length(t + 1));
        let bend = 2 * here - before - after;
        if bend <= 0 {
            return 0;
        }
        (16 * (after - before) / bend).clamp(-16, 16)
    }

    /// The line with the least squared distance from the edges near one.
    fn fitted(&self, line: &Line, rising: bool, near: i64) -> Option<Line> {
        let (long, _) = self.size();
        let (mut n, mut s1, mut t1, mut ss, mut st) = (0, 0, 0, 0, 0);
        for s in 0..long {
            if let Some(t) = self.nearest(line, rising, s, near) {
                let s = 2 * s + 1 - long;
                (n, s1, t1) = (n + 1, s1 + s, t1 + t);
                (ss, st) = (ss + s * s, st + s * t);
            }
        }
        // Sides below 512 pixels: n and s < 2^9, t < 2^13, so sums < 2^31, and no product below reaches 2^53.
        let spread = n * ss - s1 * s1;
        if spread <= 0 {
            return None;
        }
        let slope = ((n * st - s1 * t1) << (SLOPE - 4)) / spread;
        let offset = ((t1 << (PLACE - 4)) - ((slope * s1) >> (SLOPE - PLACE))) / n;
        Some(Line {
            slope,
            offset,
            edges: None,
        })
    }

    fn counted(&self, line: Line, rising: bool) -> Line {
        let (long, _) = self.size();
        let mut count = 0;
        let mut edges = vec![0];
        for s in 0..long {
            count += u16::from(self.nearest(&line, rising, s, NEAR).is_some());
            edges.push(count);
        }
        Line {
            edges: Some(edges),
            ..line
        }
    }
}

fn mirrored(gradient: Gradient) -> Gradient {
    Gradient {
        x: gradient.y,
        y: gradient.x,
    }
}

/// Whether an edge of a lying line brightens downwards, and its slope in steps; none when it is too steep.
fn slope(gradient: Gradient) -> Option<(bool, i64)> {
    let (x, y) = (i64::from(gradient.x), i64::from(gradient.y));
    if x.abs() * STEPS > y.abs() * (STEEPEST + SPREAD) {
        return None;
    }
    Some((y > 0, -x * STEPS / y))
}

impl Line {
    /// Place across at a place along, both in 1/256 half pixels.
    fn at(&self, s: i64) -> i64 {
        ((self.slope * s) >> SLOPE) + self.offset
    }

    /// Where a lying and a standing line meet, in 1/256 half pixels from the middle of the picture.
    pub fn meets(&self, standing: &Self) -> Option<(i64, i64)> {
        // y = a x + b and x = c y + d: y (1 - a c) = a d + b.
        let one = 1i64 << (2 * SLOPE);
        let below = one - self.slope * standing.slope;
        if below < one / 2 {
            return None;
        }
        let y = ((self.slope * standing.offset) >> SLOPE) + self.offset;
        let y = (y << SLOPE) / (below >> SLOPE);
        Some((standing.at(y), y))
    }

    /// Whether it is the picture's border.
    pub fn is_border(&self) -> bool {
        self.edges.is_none()
    }

    /// How many pixels between two places along, in 1/256 half pixels, have an edge, and how many there are. Nothing for a
    /// border.
    pub fn edges(&self, from: i64, to: i64) -> Option<(i64, i64)> {
        let edges = self.edges.as_ref()?;
        let long = edges.len() as i64 - 1;
        let pixel = |s: i64| ((s + (long << PLACE)) >> (PLACE + 1)).clamp(0, long) as usize;
        let (from, to) = (pixel(from.min(to)), pixel(from.max(to)));
        let count = i64::from(edges[to]) - i64::from(edges[from]);
        Some((count, (to - from) as i64))
    }
}
