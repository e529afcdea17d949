//! Repair of misread symbols by the check digits.
//!
//! A repair changes as few symbols as possible, at most [`MAX_CHANGES`], to other readings of the same print, until every
//! check digit is valid. Two repairs that are equally small and about equally likely are no repair: a guess must not
//! become a document number. Fields without check digits (names, states, sex) are only brought to what may stand there.

use super::{check::Checks, Format, Kind, Lines, Symbol};
use alloc::{vec, vec::Vec};

/// Most symbols that a repair changes, beyond those that cannot stand where they were read.
pub const MAX_CHANGES: usize = 2;
/// Most other readings that are tried: the likeliest ones. Bounds the search to some 2,000 trials.
pub const MAX_OPEN: usize = 64;

/// What one place was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The likeliest symbol.
    pub symbol: Symbol,
    /// Others that it may be: symbol, and how much less likely it is (more is less likely), the likeliest first.
    pub others: Vec<(Symbol, u16)>,
}

/// What repair arrived at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every check digit was valid; only symbols that could not stand in their place were changed, so many of them.
    Valid(Lines, usize),
    /// Every check digit is valid after so many changes, the least possible.
    Repaired(Lines, usize),
    /// There are different repairs, and nothing to choose between them.
    Ambiguous(Lines),
    /// There is no small repair.
    Broken(Lines),
}

impl Outcome {
    /// The lines: repaired if they could be, else as they were read.
    pub fn lines(&self) -> &Lines {
        match self {
            Self::Valid(lines, _) | Self::Repaired(lines, _) => lines,
            Self::Ambiguous(lines) | Self::Broken(lines) => lines,
        }
    }

    /// Is every check digit valid?
    pub fn is_valid(&self) -> bool {
        matches!(self, Self::Valid(..) | Self::Repaired(..))
    }
}

/// Repairs lines of which nothing is known but the text: other readings are [`Symbol::confusable`].
pub fn repair(lines: &Lines) -> Outcome {
    let guesses: Vec<Guess> = lines
        .symbols()
        .iter()
        .map(|symbol| Guess {
            symbol: *symbol,
            others: symbol
                .confusable()
                .iter()
                .filter_map(|o| Symbol::from_ascii(*o))
                .map(|o| (o, 1))
                .collect(),
        })
        .collect();
    // As many guesses as symbols: there are lines.
    repair_guesses(lines.format(), &guesses).unwrap_or_else(|| Outcome::Broken(lines.clone()))
}

/// Repairs what a reader guessed, place by place; nothing unless there are as many guesses as the format has places.
pub fn repair_guesses(format: Format, guesses: &[Guess]) -> Option<Outcome> {
    let layout = format.layout();
    if guesses.len() != layout.places() {
        return None;
    }
    let mut symbols = Vec::with_capacity(guesses.len());
    let mut forced = 0;
    for (place, guess) in guesses.iter().enumerate() {
        let symbol = fitting(guess, layout.kind(place));
        forced += usize::from(symbol != guess.symbol);
        symbols.push(symbol);
    }
    let lines = |symbols: &[Symbol]| Lines::new(format, symbols.to_vec());
    if Checks::of_symbols(format, &symbols).all_valid() {
        return Some(Outcome::Valid(lines(&symbols)?, forced));
    }
    let open = open(format, guesses, &symbols);
    let mut search = Search {
        format,
        symbols: symbols.clone(),
        found: Vec::new(),
    };
    for changes in 1..=MAX_CHANGES {
        search.try_all(&open, changes, 0, &mut vec![]);
        search.found.sort();
        match &search.found[..] {
            [] => continue,
            // Twice as unlikely is far enough to choose; equal is not.
            [(cost, _), (second, _), ..] if *second < cost.saturating_mul(2).max(cost + 1) => {
                return Some(Outcome::Ambiguous(lines(&symbols)?));
            }
            [(_, repaired), ..] => {
                return Some(Outcome::Repaired(lines(repaired)?, changes + forced))
            }
        }
    }
    Some(Outcome::Broken(lines(&symbols)?))
}

/// The likeliest symbol that may stand in a place; the likeliest at all if there is none.
fn fitting(guess: &Guess, kind: Kind) -> Symbol {
    let others = guess.others.iter().map(|(symbol, _)| *symbol);
    let mut all = core::iter::once(guess.symbol).chain(others);
    all.find(|s| kind.allows(*s)).unwrap_or(guess.symbol)
}

/// Another reading of a place that a check digit covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    cost: u16,
    place: usize,
    symbol: Symbol,
}

/// The likeliest other readings, those of equal likelihood in the order of their places.
fn open(format: Format, guesses: &[Guess], symbols: &[Symbol]) -> Vec<Open> {
    let layout = format.layout();
    let mut open = Vec::new();
    for (place, (guess, symbol)) in guesses.iter().zip(symbols).enumerate() {
        if !is_checked(format, place) {
            continue;
        }
        let others = guess.others.iter();
        let fit = others.filter(|(s, _)| s != symbol && layout.kind(place).allows(*s));
        open.extend(fit.map(|(s, cost)| Open {
            cost: *cost,
            place,
            symbol: *s,
        }));
    }
    open.sort_by_key(|o| (o.place, o.symbol, o.cost));
    open.dedup_by_key(|o| (o.place, o.symbol));
    open.sort();
    open.truncate(MAX_OPEN);
    open
}

/// Is the place covered by a check digit, or one? Optional data with a check digit lie under the composite one too.
fn is_checked(format: Format, place: usize) -> bool {
    let layout = format.layout();
    let with_digit = |r: &core::ops::Range<usize>| (r.start..=r.end).contains(&place);
    let composite = layout.composite.as_ref();
    with_digit(&layout.number)
        || with_digit(&layout.birth)
        || with_digit(&layout.expiry)
        || composite
            .is_some_and(|(ranges, at)| place == *at || ranges.iter().any(|r| r.contains(&place)))
}

struct Search {
    format: Format,
    symbols: Vec<Symbol>,
    /// Cost and symbols of every repair.
    found: Vec<(u32, Vec<Symbol>)>,
}

impl Search {
    /// Tries all sets of `more` further changes, from the reading `from` on.
    fn try_all(&mut self, open: &[Open], more: usize, cost: u32, changed: &mut Vec<usize>) {
        for (i, change) in open.iter().enumerate() {
            let Some(slot) = self.symbols.get_mut(change.place) else {
                continue;
            };
            if changed.contains(&change.place) {
                continue;
            }
            let before = core::mem::replace(slot, change.symbol);
            let cost = cost.saturating_add(u32::from(change.cost));
            if more > 1 {
                changed.push(change.place);
                self.try_all(
                    open.get(i + 1..).unwrap_or_default(),
                    more - 1,
                    cost,
                    changed,
                );
                changed.pop();
            } else if Checks::of_symbols(self.format, &self.symbols).all_valid() {
                self.found.push((cost, self.symbols.clone()));
            }
            if let Some(slot) = self.symbols.get_mut(change.place) {
                *slot = before;
            }
        }
    }
}
