//! Start and stop patterns: where a code begins and ends.

use crate::{
    edges::{edges, matches, widths},
    picture::{Point, View, ONE},
    symbols::{MODULES, START, STOP},
};

/// Rows of a picture that are searched, at most.
const ROWS: usize = 600;
/// Patterns in a row of a picture, at most; text has hardly any.
const IN_A_ROW: usize = 8;
/// Runs of patterns that are followed at the same time, and that are returned.
const RUNS: usize = 64;
const BEST: usize = 4;
/// Smallest width of a module, in 1/256 of a pixel.
const FINEST: i32 = ONE;

/// A line `x = at + slope * y` along one side of the code, and what was seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// First and last row where the pattern was seen, in 1/256 of a pixel.
    pub top: i32,
    /// See `top`.
    pub bottom: i32,
    /// Rows in which it was seen.
    pub seen: usize,
    /// Mean width of a module, in 1/256 of a pixel along the row.
    pub module: i32,
    /// Where the line crosses the row `middle`.
    at: i64,
    middle: i64,
    /// In 1/65536.
    slope: i64,
}

impl Side {
    /// The point of the side in a row.
    pub fn point(&self, y: i32) -> Point {
        let x = self.at + ((self.slope * (i64::from(y) - self.middle)) >> 16);
        Point {
            x: x.clamp(-(1 << 24), 1 << 24) as i32,
            y,
        }
    }

    /// Through the points where the pattern was seen, without those that are off by more than a module.
    fn through(run: &[Seen], outer: impl Fn(&Seen) -> i32, modules: i32) -> Option<Self> {
        let module = (run.iter().map(|s| i64::from(s.right - s.left)).sum::<i64>()
            / (run.len() as i64 * i64::from(modules))) as i32;
        let mut points: Vec<(i64, i64)> = run
            .iter()
            .map(|s| (i64::from(outer(s)), i64::from(s.y)))
            .collect();
        let mut line = Self {
            top: 0,
            bottom: 0,
            seen: 0,
            module,
            at: 0,
            middle: 0,
            slope: 0,
        };
        for _ in 0..2 {
            let n = points.len() as i64;
            let (first, last) = (points.first()?.1, points.last()?.1);
            let sum = |f: &dyn Fn(&(i64, i64)) -> i64| points.iter().map(f).sum::<i64>();
            (line.at, line.middle) = (sum(&|p| p.0) / n, sum(&|p| p.1) / n);
            let across = sum(&|p| (p.0 - line.at) * (p.1 - line.middle));
            let along = sum(&|p| (p.1 - line.middle) * (p.1 - line.middle));
            line.slope = if along == 0 {
                0
            } else {
                (i128::from(across) * 65_536 / i128::from(along)) as i64
            };
            (line.top, line.bottom, line.seen) = (first as i32, last as i32, points.len());
            points.retain(|(x, y)| {
                (i64::from(line.point(*y as i32).x) - x).abs() <= i64::from(module)
            });
        }
        Some(line)
    }
}

/// A pattern in a row of the picture.
#[derive(Clone, Copy)]
struct Seen {
    y: i32,
    left: i32,
    right: i32,
}

/// The best left and the best right sides of codes in a view.
pub fn sides(view: &View) -> (Vec<Side>, Vec<Side>) {
    let step = view.height().div_ceil(ROWS).max(1);
    let reach = (view.width() / 24).clamp(12, 400) as i32;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    for y in (0..view.height()).step_by(step) {
        let y = y as i32 * ONE;
        let end = (view.width() as i32 - 1) * ONE;
        let row = edges(view, Point { x: 0, y }, Point { x: end, y }, reach);
        let (before_starts, before_stops) = (starts.len(), stops.len());
        for (i, edge) in row.iter().enumerate().filter(|(_, e)| e.darkens) {
            let space_before = match i.checked_sub(1) {
                Some(before) => edge.at - row[before].at,
                None => i32::MAX,
            };
            let Some(w) = widths::<8>(&row, i) else { break };
            let whole: i32 = w.iter().sum();
            if whole < MODULES * FINEST {
                continue;
            }
            // Margins of the standard are two modules wide; most of one must be there.
            let margin = whole / MODULES;
            if starts.len() < before_starts + IN_A_ROW
                && space_before >= margin
                && matches(&w, &START)
            {
                starts.push(Seen {
                    y,
                    left: edge.at,
                    right: row[i + 8].at,
                });
            }
            let Some(w) = widths::<9>(&row, i) else {
                continue;
            };
            let space_after = row
                .get(i + 10)
                .map_or(i32::MAX, |next| next.at - row[i + 9].at);
            let first: [i32; 8] = std::array::from_fn(|i| STOP[i]);
            if stops.len() < before_stops + IN_A_ROW
                && space_after >= margin
                && w[8] <= 3 * margin
                && matches(&w, &first)
            {
                stops.push(Seen {
                    y,
                    left: edge.at,
                    right: row[i + 9].at,
                });
            }
        }
    }
    let left = best(runs(&starts, step as i32), |s| s.left, MODULES);
    let right = best(runs(&stops, step as i32), |s| s.right, MODULES + 1);
    (left, right)
}

/// Patterns that follow each other down the picture.
fn runs(seen: &[Seen], step: i32) -> Vec<Vec<Seen>> {
    let mut runs: Vec<Vec<Seen>> = Vec::new();
    for s in seen {
        let width = s.right - s.left;
        let continues = |run: &Vec<Seen>| {
            let last = run.last()?;
            let (dy, dx) = (s.y - last.y, (s.left - last.left).abs());
            let before = last.right - last.left;
            let alike = 4 * width > 3 * before && 3 * width < 4 * before;
            let near = dy > 0 && dy <= 2 * width + 4 * step * ONE && dx <= dy + dy / 4 + width / 17;
            (alike && near).then_some(dx)
        };
        let nearest = runs
            .iter()
            .enumerate()
            .filter_map(|(i, run)| continues(run).map(|dx| (dx, i)))
            .min();
        match nearest {
            Some((_, i)) => runs[i].push(*s),
            None if runs.len() < RUNS => runs.push(vec![*s]),
            // The shortest makes room, of equal ones the oldest.
            None => {
                let shortest = (0..runs.len()).min_by_key(|i| runs[*i].len());
                shortest.map(|i| runs.remove(i));
                runs.push(vec![*s]);
            }
        }
    }
    runs
}

/// The sides with most rows; of equal ones the upper, then the left.
fn best(runs: Vec<Vec<Seen>>, outer: impl Fn(&Seen) -> i32 + Copy, modules: i32) -> Vec<Side> {
    let mut sides: Vec<Side> = runs
        .iter()
        .filter(|run| run.len() >= 3)
        .filter_map(|run| Side::through(run, outer, modules))
        .filter(|side| side.seen >= 3)
        .collect();
    sides.sort_by_key(|s| (std::cmp::Reverse(s.seen), s.top, s.at));
    sides.truncate(BEST);
    sides
}
