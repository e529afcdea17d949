//! From lines across a code to its codewords.

use crate::{
    compaction,
    error::Error,
    locate::{sides, Side},
    picture::{Picture, View, ONE},
    reed_solomon,
    symbols::{Symbol, Symbols},
    trace::{trace, Trace},
    Reading,
};

/// Lines across a code, at most.
const LINES: i32 = 600;
/// Codewords of a code, at most.
const CODEWORDS: usize = 928;

/// Reads the PDF417 code of a picture, whichever of its sides is up. With several codes the first that can be read is taken,
/// in the order of the turns and of how much of their sides was seen.
///
/// [`Error::NotFound`] and [`Error::Unreadable`] differ: with the latter there is a code that a better picture may show.
pub fn read(picture: Picture) -> Result<Reading, Error> {
    let symbols = Symbols::new();
    let mut found = false;
    for turns in 0..4 {
        let view = View::new(picture, turns);
        let (lefts, rights) = sides(&view);
        for left in &lefts {
            for right in rights.iter().filter(|right| belong(left, right)) {
                found = true;
                if let Some(reading) = read_between(&view, &symbols, left, right) {
                    return reading;
                }
            }
        }
    }
    Err(if found {
        Error::Unreadable
    } else {
        Error::NotFound
    })
}

/// Whether two sides can be of one code: the right one is at least five symbol characters to the right, at about the
/// same height, and has modules of about the same width.
fn belong(left: &Side, right: &Side) -> bool {
    let middle = |s: &Side| s.point(s.top / 2 + s.bottom / 2);
    let (a, b) = (middle(left), middle(right));
    let distance = b.x - a.x;
    distance >= 69 * left.module.min(right.module)
        && (b.y - a.y).abs() <= distance
        && left.module <= 2 * right.module
        && right.module <= 2 * left.module
}

/// Nothing when the codewords are not those of a code; an error when they are, and their content is none.
fn read_between(
    view: &View,
    symbols: &Symbols,
    left: &Side,
    right: &Side,
) -> Option<Result<Reading, Error>> {
    // The patterns may be damaged at their ends, so the lines begin a little above and end a little below.
    let ends = |s: &Side| {
        let more = (s.bottom - s.top) / 16 + 2 * ONE;
        (s.top - more, s.bottom + more)
    };
    let ((left_top, left_bottom), (right_top, right_bottom)) = (ends(left), ends(right));
    let tallest = (left_bottom - left_top).max(right_bottom - right_top) / ONE;
    let lines = tallest.clamp(8, LINES);
    let between = |from: i32, to: i32, i: i32| {
        from + (i64::from(to - from) * i64::from(i) / i64::from(lines - 1)) as i32
    };
    let traces: Vec<Trace> = (0..lines)
        .map(|i| {
            let (a, b) = (
                between(left_top, left_bottom, i),
                between(right_top, right_bottom, i),
            );
            trace(view, symbols, (left, a), (right, b))
        })
        .collect();
    let shape = Shape::vote(&traces)?;
    let read = shape.codewords(&traces);
    let check = 2 << shape.level;
    let (codewords, correction) = reed_solomon::correct(&read, check)?;
    let len = usize::from(codewords[0]);
    if len + check != codewords.len() {
        return None;
    }
    let corner = |side: &Side, y: i32| view.in_picture(side.point(y));
    let content = compaction::bytes(&codewords[1..len]);
    Some(content.map(|content| Reading {
        content,
        rows: shape.rows,
        columns: shape.columns,
        errors: correction.errors,
        erasures: correction.erasures,
        correction: check,
        corners: [
            corner(left, left.top),
            corner(right, right.top),
            corner(right, right.bottom),
            corner(left, left.bottom),
        ],
    }))
}

/// What the row indicators say.
struct Shape {
    rows: usize,
    columns: usize,
    level: usize,
}

impl Shape {
    /// Most votes for each number; of equally many the smallest number.
    fn vote(traces: &[Trace]) -> Option<Self> {
        // Each indicator carries one of three numbers, by its cluster (ISO/IEC 15438).
        let mut votes = [[0u32; 30]; 3];
        for t in traces {
            if let Some(Some(s)) = t.from_left.first() {
                votes[usize::from(s.cluster)][usize::from(s.value % 30)] += 1;
            }
            if let Some(Some(s)) = t.from_right.first() {
                votes[usize::from((s.cluster + 2) % 3)][usize::from(s.value % 30)] += 1;
            }
        }
        let winner = |number: usize| {
            let most = *votes[number].iter().max()?;
            let first = votes[number].iter().position(|v| *v == most)?;
            (most > 0).then_some(first)
        };
        let (thirds, mixed, columns) = (winner(0)?, winner(1)?, winner(2)? + 1);
        let (rows, level) = (3 * thirds + mixed % 3 + 1, mixed / 3);
        let fits = (3..=90).contains(&rows)
            && rows * columns <= CODEWORDS
            && level <= 8
            && (2 << level) < rows * columns;
        fits.then_some(Self {
            rows,
            columns,
            level,
        })
    }

    /// The codewords in their order; `None` where no value has more votes than every other.
    fn codewords(&self, traces: &[Trace]) -> Vec<Option<u16>> {
        let first = |t: &Trace, left: bool| {
            let all = if left { &t.from_left } else { &t.from_right };
            all.first().copied().flatten()
        };
        let left = self.heights(traces.iter().map(|t| first(t, true)));
        let right = self.heights(traces.iter().map(|t| first(t, false)));
        let (left, right) = match (left, right) {
            (Some(left), Some(right)) => (left, right),
            (Some(one), None) | (None, Some(one)) => (one.clone(), one),
            (None, None) => return vec![None; self.rows * self.columns],
        };
        let mut votes: Vec<Vec<(u16, u32)>> = vec![Vec::new(); self.rows * self.columns];
        for (i, t) in traces.iter().enumerate() {
            for column in 0..self.columns {
                let place = column as i32 + 1;
                let height = left[i] + (right[i] - left[i]) * place / (self.columns as i32 + 1);
                let a = t.from_left.get(column + 1).copied().flatten();
                let b = t.from_right.get(self.columns - column).copied().flatten();
                let twice = a == b;
                for symbol in [a, b.filter(|_| !twice)].into_iter().flatten() {
                    let Some(row) = self.row(symbol, height) else {
                        continue;
                    };
                    let cell = &mut votes[row * self.columns + column];
                    match cell.iter_mut().find(|(value, _)| *value == symbol.value) {
                        Some((_, count)) => *count += 1,
                        None => cell.push((symbol.value, 1)),
                    }
                }
            }
        }
        votes
            .iter()
            .map(|cell| {
                let most = cell.iter().map(|(_, count)| *count).max()?;
                let mut winners = cell.iter().filter(|(_, count)| *count == most);
                let (value, _) = winners.next()?;
                winners.next().is_none().then_some(*value)
            })
            .collect()
    }

    /// The row that a symbol character belongs to when it was seen at a height in 1/256 of a row: the nearest whose
    /// number has the right remainder.
    fn row(&self, symbol: Symbol, height: i32) -> Option<usize> {
        let cluster = i32::from(symbol.cluster);
        let middle = height - 128;
        let below = (middle.div_euclid(256) - cluster).div_euclid(3) * 3 + cluster;
        let row = [below, below + 3]
            .into_iter()
            .min_by_key(|row| (row * 256 - middle).abs())?;
        ((row * 256 - middle).abs() <= 320 && (0..self.rows as i32).contains(&row))
            .then_some(row as usize)
    }

    /// For each line its height on one side in 1/256 of a row, from the indicators that never go back up.
    fn heights(&self, indicators: impl Iterator<Item = Option<Symbol>>) -> Option<Vec<i32>> {
        let indicators: Vec<_> = indicators.collect();
        let seen: Vec<(usize, i32)> = indicators
            .iter()
            .enumerate()
            .filter_map(|(line, s)| {
                let s = (*s)?;
                let row = usize::from(s.value / 30) * 3 + usize::from(s.cluster);
                (row < self.rows).then_some((line, row as i32 * 256 + 128))
            })
            .collect();
        let kept = longest_ascent(&seen);
        let (first, last) = (*kept.first()?, *kept.last()?);
        let lines = indicators.len();
        // Height gained for each line, for the lines before the first and after the last.
        let gain = (last.1 - first.1) / (last.0 - first.0).max(1) as i32;
        let mut heights = Vec::with_capacity(lines);
        let mut next = 0;
        for line in 0..lines {
            while next < kept.len() && kept[next].0 < line {
                next += 1;
            }
            let height = match (
                next.checked_sub(1).and_then(|i| kept.get(i)),
                kept.get(next),
            ) {
                (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (line - a.0) as i32 / (b.0 - a.0) as i32,
                (None, Some(b)) => b.1 - gain * (b.0 - line) as i32,
                (Some(a), None) => a.1 + gain * (line - a.0) as i32,
                (None, None) => return None,
            };
            heights.push(height);
        }
        Some(heights)
    }
}

/// The longest part of a sequence whose heights never fall; of equally long ones that with the earliest end.
fn longest_ascent(seen: &[(usize, i32)]) -> Vec<(usize, i32)> {
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(seen.len());
    for (i, (_, height)) in seen.iter().enumerate() {
        let before = (0..i)
            .filter(|j| seen[*j].1 <= *height)
            .max_by_key(|j| (best[*j].0, std::cmp::Reverse(*j)));
        best.push((before.map_or(1, |j| best[j].0 + 1), before));
    }
    let end = (0..seen.len()).max_by_key(|i| (best[*i].0, std::cmp::Reverse(*i)));
    let mut chain: Vec<_> = std::iter::successors(end, |i| best[*i].1)
        .map(|i| seen[i])
        .collect();
    chain.reverse();
    chain
}
