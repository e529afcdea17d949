//! Symbol characters along a line across the code, from its left side and from its right side.

use crate::{
    edges::{edges, matches, widths, Edge},
    locate::Side,
    picture::{Point, View, ONE},
    symbols::{Symbol, Symbols, MODULES, START, STOP},
};

/// More symbol characters than a row can have: 30 columns and two indicators.
pub const LONGEST: usize = 32;

/// What a line across the code shows; `None` is a symbol character that cannot be recognised.
pub struct Trace {
    /// From the left: the left indicator, then the columns.
    pub from_left: Vec<Option<Symbol>>,
    /// From the right: the right indicator, then the columns backwards.
    pub from_right: Vec<Option<Symbol>>,
}

/// Walks from one point of the left side to one of the right side.
pub fn trace(view: &View, symbols: &Symbols, left: (&Side, i32), right: (&Side, i32)) -> Trace {
    let (a, b) = (left.0.point(left.1), right.0.point(right.1));
    let (dx, dy) = (i64::from(b.x - a.x), i64::from(b.y - a.y));
    let length = ((dx * dx + dy * dy) as u64).isqrt().max(1) as i64;
    // Widths along a row of the picture, and along this line, differ when the line is not level.
    let along = |width: i32| (i64::from(width) * length / dx.abs().max(1)).clamp(1, 1 << 24) as i32;
    let modules = |side: &Side| along(side.module);
    // Half a symbol character before and after, so that the margin is seen.
    let beyond = i64::from((modules(left.0) + modules(right.0)) / 2 * MODULES / 2);
    let out = |p: Point, sign: i64| Point {
        x: p.x + (sign * dx * beyond / length) as i32,
        y: p.y + (sign * dy * beyond / length) as i32,
    };
    let reach = (modules(left.0) * 13 / ONE).max(4);
    let line = edges(view, out(a, -1), out(b, 1), reach);
    let (begin, end) = (beyond as i32, (beyond + length) as i32);

    let start = nearest(&line, begin, modules(left.0) * MODULES, |i| {
        let w = widths::<8>(&line, i)?;
        matches(&w, &START).then(|| (line[i].at, line[i + 8].at))
    });
    let (first, width) = match start {
        Some((outer, inner)) => (inner, inner - outer),
        None => (begin + MODULES * modules(left.0), MODULES * modules(left.0)),
    };
    let from_left = walk(&line, symbols, first, width, end);

    let stop = nearest(&line, end, modules(right.0) * MODULES, |i| {
        let i = i.checked_sub(9)?;
        let w = widths::<9>(&line, i)?;
        let head: [i32; 8] = std::array::from_fn(|i| STOP[i]);
        (line[i].darkens && matches(&w, &head)).then(|| (line[i + 9].at, line[i].at))
    });
    let (first, width) = match stop {
        Some((outer, inner)) => (inner, (outer - inner) * MODULES / (MODULES + 1)),
        None => (
            end - (MODULES + 1) * modules(right.0),
            MODULES * modules(right.0),
        ),
    };
    let from_right = walk(&line, symbols, first, -width, begin);
    Trace {
        from_left,
        from_right,
    }
}

/// The pattern whose outer edge is nearest to where it should be; `find` says what begins at an edge.
fn nearest(
    line: &[Edge],
    wanted: i32,
    within: i32,
    find: impl Fn(usize) -> Option<(i32, i32)>,
) -> Option<(i32, i32)> {
    (0..line.len())
        .filter(|i| (line[*i].at - wanted).abs() <= within)
        .filter_map(find)
        .min_by_key(|(outer, inner)| ((outer - wanted).abs(), *inner))
}

/// Recognises one symbol character after the other. `width` is that of the one before, negative to the left. A boundary
/// is the edge to dark that is nearest to where the widths so far expect it.
fn walk(
    line: &[Edge],
    symbols: &Symbols,
    first: i32,
    mut width: i32,
    end: i32,
) -> Vec<Option<Symbol>> {
    let darkens: Vec<usize> = (0..line.len()).filter(|i| line[*i].darkens).collect();
    let boundary = |wanted: i32, tolerance: i32| {
        darkens
            .iter()
            .copied()
            .min_by_key(|i| (line[*i].at - wanted).abs())
            .filter(|i| (line[*i].at - wanted).abs() <= tolerance)
    };
    let mut found = Vec::new();
    let mut at = first;
    let mut edge = boundary(at, width.abs() / MODULES);
    while found.len() < LONGEST && (end - at).signum() == width.signum() {
        let wanted = at + width;
        let next = boundary(wanted, width.abs() * 5 / (4 * MODULES));
        let symbol = edge.zip(next).and_then(|(a, b)| {
            let from = a.min(b);
            (a.abs_diff(b) == 8).then(|| widths::<8>(line, from))?
        });
        let symbol = symbol.and_then(|w| symbols.recognise(&w));
        let reached = next.map_or(wanted, |i| line[i].at);
        if symbol.is_some() {
            width = reached - at;
        }
        found.push(symbol);
        (at, edge) = (reached, next);
    }
    found
}
