//! Where a zone may be: two or three long, straight, parallel rows of ink of the same length, one below the other.

use super::{
    ink::{components, runs, Run},
    Corner, Grey, Quad, UNIT,
};
use alloc::{vec, vec::Vec};

/// Longest side of the picture in which ink is searched. Small ones find large zones and forgive texture, large ones find
/// small zones.
const SIDES: [usize; 4] = [1000, 700, 500, 1400];
/// Candidates of each size of the picture.
const MOST: usize = 5;
/// Shortest row, in pixels.
const SHORTEST: i64 = 110;
/// A row is at least so many times longer than high.
const SLENDER: i64 = 11;
/// One in slopes.
const ONE: i64 = 1 << 16;
/// Steepest row: half a right angle is never reached, because rows would run into each other.
const STEEPEST: i64 = 2 * ONE / 5;

/// Rows that may be a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Number of rows: 2 or 3.
    pub lines: usize,
    /// From the top of the first row to the foot of the last one, in the picture that was searched.
    pub quad: Quad,
    /// Distance of the first row's middle line from the top, and of the last one's from the foot, in 1/1024 of the height.
    pub half: i64,
}

impl Block {
    /// Is another block the same, but for a tenth of its height?
    fn is_like(&self, other: &Self) -> bool {
        let (_, height) = self.quad.sides();
        let near =
            |(a, b): (&Corner, &Corner)| (a.x - b.x).abs().max((a.y - b.y).abs()) * 10 <= height;
        self.lines == other.lines && self.quad.0.iter().zip(&other.quad.0).all(near)
    }
}

/// Candidates in a picture, the likeliest of each scale first. Only rows that run from left to right, up to about 20
/// degrees off, are found: turn the picture for others.
pub fn locate(grey: &Grey) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let longest = grey.width().max(grey.height());
    let mut small_done = false;
    for side in SIDES {
        if side >= longest && core::mem::replace(&mut small_done, true) {
            continue;
        }
        let small = grey.shrunk(side);
        let rows = rows(&small);
        for block in pair(&rows).into_iter().take(MOST) {
            // To the original's pixels: the middle of a small pixel is the middle of those that it is the mean of.
            let scale = |v: i64, from: usize, to: usize| {
                ((2 * v + UNIT) * to as i64 / from as i64 - UNIT) / 2
            };
            let corner = |p: Corner| Corner {
                x: scale(p.x, small.width(), grey.width()),
                y: scale(p.y, small.height(), grey.height()),
            };
            let block = Block {
                quad: Quad(block.quad.0.map(corner)),
                ..block
            };
            if !blocks.iter().any(|other| block.is_like(other)) {
                blocks.push(block);
            }
        }
    }
    blocks
}

/// Sums over the pixels of a row of ink.
#[derive(Clone, Copy, Debug)]
struct Row {
    n: i64,
    x: i64,
    y: i64,
    xx: i64,
    xy: i64,
    yy: i64,
    left: i64,
    right: i64,
}

impl Row {
    const EMPTY: Self = Self {
        n: 0,
        x: 0,
        y: 0,
        xx: 0,
        xy: 0,
        yy: 0,
        left: i64::MAX,
        right: i64::MIN,
    };

    fn add(&mut self, run: &Run) {
        let (from, to, y) = (run.from as i64, run.to as i64, run.y as i64);
        let n = to - from;
        let squares = |k: i64| (k - 1) * k * (2 * k - 1) / 6;
        let x = (from + to - 1) * n / 2;
        self.n += n;
        self.x += x;
        self.y += y * n;
        self.xx += squares(to) - squares(from);
        self.xy += x * y;
        self.yy += y * y * n;
        self.left = self.left.min(from);
        self.right = self.right.max(to);
    }

    fn join(&self, other: &Self) -> Self {
        Self {
            n: self.n + other.n,
            x: self.x + other.x,
            y: self.y + other.y,
            xx: self.xx + other.xx,
            xy: self.xy + other.xy,
            yy: self.yy + other.yy,
            left: self.left.min(other.left),
            right: self.right.max(other.right),
        }
    }

    fn length(&self) -> i64 {
        self.right - self.left
    }

    /// Mean height, in 1/16 of a pixel.
    fn thickness(&self) -> i64 {
        self.n * UNIT / self.length().max(1)
    }

    /// Variances times n^2: along, mixed, across.
    fn moments(&self) -> (i128, i128, i128) {
        let central = |ab: i64, a: i64, b: i64| {
            i128::from(ab) * i128::from(self.n) - i128::from(a) * i128::from(b)
        };
        (
            central(self.xx, self.x, self.x),
            central(self.xy, self.x, self.y),
            central(self.yy, self.y, self.y),
        )
    }

    /// Rise for each pixel to the right, in 1/65536; steep rows have the steepest.
    fn slope(&self) -> i64 {
        let (along, mixed, _) = self.moments();
        let slope = (mixed * i128::from(ONE)).checked_div(along).unwrap_or(0);
        slope.clamp(-i128::from(ONE), i128::from(ONE)) as i64
    }

    /// Height of the middle line at a column, in 1/16 of a pixel.
    fn middle(&self, x: i64) -> i64 {
        let n = self.n.max(1);
        self.y * UNIT / n + (x * UNIT - self.x * UNIT / n) * self.slope() / ONE
    }

    /// Is it as straight as a row of text? The variance across is that of a band, t^2/12, not much more.
    fn is_straight(&self) -> bool {
        let (along, mixed, across) = self.moments();
        if along <= 0 {
            return false;
        }
        let residual = across - mixed * mixed / along;
        let n = i128::from(self.n);
        let thickness = i128::from(self.thickness());
        // In 1/256 of a square pixel.
        residual * 256 / (n * n).max(1) <= thickness * thickness * 3 / 10 + 128
    }
}

/// Rows of ink that are as long, slender and straight as a line of a zone.
fn rows(grey: &Grey) -> Vec<Row> {
    let runs = runs(grey);
    let component = components(&runs);
    let mut sums = vec![Row::EMPTY; runs.len()];
    for (run, component) in runs.iter().zip(component) {
        sums[component].add(run);
    }
    let piece = |r: &Row| {
        let t = r.thickness();
        r.length() * UNIT >= 3 * t && t >= 2 * UNIT && r.is_straight()
    };
    let mut pieces: Vec<Row> = sums.into_iter().filter(|r| r.n > 0).filter(piece).collect();
    pieces.sort_by_key(|r| (r.left, r.y, r.n));
    join(&mut pieces);
    pieces.retain(|r| {
        r.length() >= SHORTEST
            && r.length() * UNIT >= SLENDER * r.thickness()
            && r.slope().abs() <= STEEPEST
            && r.is_straight()
    });
    pieces
}

/// Joins pieces that continue each other: a fold or a stamp cuts a line.
fn join(pieces: &mut Vec<Row>) {
    let mut i = 0;
    while i < pieces.len() {
        let a = pieces[i];
        let next = (i + 1..pieces.len()).find(|j| {
            let b = pieces[*j];
            let (ta, tb) = (a.thickness(), b.thickness());
            let gap = (b.left - a.right) * UNIT;
            let close = -ta.min(tb) <= gap && gap <= 5 * ta.min(tb);
            let level = |r: &Row, other: &Row, x: i64| {
                (r.middle(x) - other.y * UNIT / other.n.max(1)).abs()
            };
            let (longer, shorter) = if a.length() >= b.length() {
                (&a, &b)
            } else {
                (&b, &a)
            };
            let x = shorter.x / shorter.n.max(1);
            close
                && ta.max(tb) <= 2 * ta.min(tb)
                && longer.length() * UNIT >= 6 * longer.thickness()
                && level(longer, shorter, x) * 2 <= ta.min(tb)
        });
        match next {
            Some(j) => {
                let b = pieces.remove(j);
                pieces[i] = a.join(&b);
            }
            None => i += 1,
        }
    }
}

/// All pairs and triples of rows that may be the lines of one zone, the longest first, triples before pairs.
fn pair(rows: &[Row]) -> Vec<Block> {
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by_key(|r| (r.y / r.n.max(1), r.x, r.n));
    let mut found: Vec<(bool, i64, i64, Block)> = Vec::new();
    for (i, a) in order.iter().enumerate() {
        for (j, b) in order.iter().enumerate().skip(i + 1) {
            let Some(first) = distance(a, b) else {
                continue;
            };
            let key = a.length().max(b.length());
            if let Some(block) = block(a, b, 2) {
                found.push((true, -key, -b.y / b.n.max(1), block));
            }
            for c in order.iter().skip(j + 1) {
                let Some(second) = distance(b, c) else {
                    continue;
                };
                if 10 * (first - second).abs() > 3 * first.max(second) || !same_ends(a, c) {
                    continue;
                }
                if let Some(block) = block(a, c, 3) {
                    found.push((false, -key, -c.y / c.n.max(1), block));
                }
            }
        }
    }
    found.sort_by_key(|(pair, length, low, block)| (*pair, *length, *low, block.half));
    // As many pairs as triples among the first.
    let (triples, pairs): (Vec<_>, Vec<_>) = found.into_iter().partition(|f| !f.0);
    let triples = triples.into_iter().take(MOST / 2);
    let all = triples.chain(pairs.into_iter().take(MOST));
    all.map(|(.., block)| block).collect()
}

/// Distance from a row down to the next, in 1/16 of a pixel, if they can be neighbours in a zone.
fn distance(a: &Row, b: &Row) -> Option<i64> {
    let length = a.length().max(b.length());
    let parallel = (a.slope() - b.slope()).abs() <= ONE / 18;
    let (left, right) = (a.left.max(b.left), a.right.min(b.right));
    let at = (left + right) / 2;
    let distance = b.middle(at) - a.middle(at);
    // 6.35 mm between lines of 112, 91 or 76 mm; cards print them further apart.
    let near = (length * UNIT * 35..=length * UNIT * 150).contains(&(distance * 1000));
    let (ta, tb) = (a.thickness(), b.thickness());
    let thick = 5 * ta.min(tb) >= 2 * ta.max(tb) && distance * 10 >= 11 * ta.max(tb);
    (parallel && near && thick && same_ends(a, b)).then_some(distance)
}

/// Do two rows begin and end together, each seen along its normal?
fn same_ends(a: &Row, b: &Row) -> bool {
    let length = a.length().max(b.length());
    let at = (a.left + a.right) / 2;
    let shift = -(b.middle(at) - a.middle(at)) * a.slope() / ONE / UNIT;
    let apart = |x: i64, y: i64| (x + shift - y).abs() * 8 <= length;
    apart(a.left, b.left) && apart(a.right, b.right)
}

/// The quadrilateral around the rows from `a` to `b`.
fn block(a: &Row, b: &Row, lines: usize) -> Option<Block> {
    let at = (a.left + a.right) / 2;
    let down = b.middle(at) - a.middle(at);
    let thickness = (a.thickness() + b.thickness()) / 2;
    // A step down the page moves to the left where rows fall.
    let shift = |r: &Row, down: i64| -down * r.slope() / ONE;
    // Both rows have as many symbols: the wider ends are theirs unless something clings to one of them.
    let left = (a.left * UNIT).min(b.left * UNIT - shift(a, down));
    let right = (a.right * UNIT).max(b.right * UNIT - shift(a, down));
    let corner = |r: &Row, x: i64, up: i64| Corner {
        x: x + shift(r, up),
        y: r.middle(x.div_euclid(UNIT)) + up,
    };
    let half = thickness / 2;
    let quad = Quad([
        corner(a, left, -half),
        corner(a, right, -half),
        corner(b, right + shift(a, down), half),
        corner(b, left + shift(a, down), half),
    ]);
    let height = down + 2 * half;
    (height > 0).then(|| Block {
        lines,
        quad,
        half: half * 1024 / height,
    })
}
