//! The symbol characters of PDF417 and how a measured one is recognised.

mod table;

use table::PATTERNS;

/// Modules of a symbol character.
pub const MODULES: i32 = 17;
/// Bars and spaces of a symbol character.
pub const ELEMENTS: usize = 8;
/// Widths of the start pattern, a bar first.
pub const START: [i32; ELEMENTS] = [8, 1, 1, 1, 1, 1, 1, 3];
/// Widths of the stop pattern, a bar first; it has one module and one bar more than a symbol character.
pub const STOP: [i32; ELEMENTS + 1] = [7, 1, 1, 3, 1, 1, 1, 2, 1];

/// A symbol character: which of three alphabets it belongs to (the row's number modulo 3), and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// 0, 1 or 2; the standard's clusters 0, 3 and 6.
    pub cluster: u8,
    /// 0 to 928.
    pub value: u16,
}

/// All symbol characters by their distances between like edges.
///
/// Ink that spreads makes bars wider and spaces narrower, but the distance from one bar's left edge to the next bar's
/// left edge stays, and so does that between right edges. Six such distances tell the cluster and the value (the reference decode algorithm
/// of ISO/IEC 15438).
pub struct Symbols(Vec<(u32, Symbol)>);

impl Symbols {
    /// Sorts the table.
    pub fn new() -> Self {
        let mut known: Vec<_> = (0..3)
            .flat_map(|cluster| (0..929).map(move |value| Symbol { cluster, value }))
            .map(|symbol| (key(distances(&widths(symbol))), symbol))
            .collect();
        known.sort_unstable_by_key(|(key, _)| *key);
        Self(known)
    }

    /// The symbol character with these element widths, in any unit.
    pub fn recognise(&self, widths: &[i32; ELEMENTS]) -> Option<Symbol> {
        let whole: i32 = widths.iter().sum();
        if whole < MODULES {
            return None;
        }
        let rounded = distances(widths).map(|d| (2 * MODULES * d + whole) / (2 * whole));
        let at = self
            .0
            .binary_search_by_key(&key(rounded), |(key, _)| *key)
            .ok()?;
        self.0.get(at).map(|(_, symbol)| *symbol)
    }
}

/// Distances between like edges, six of them.
pub fn distances(widths: &[i32; ELEMENTS]) -> [i32; 6] {
    let [a, b, c, d, e, f, g, _] = *widths;
    [a + b, b + c, c + d, d + e, e + f, f + g]
}

fn key(distances: [i32; 6]) -> u32 {
    distances
        .iter()
        .fold(0, |key, d| key << 5 | (*d as u32 & 31))
}

/// Element widths of a symbol character in modules.
pub fn widths(symbol: Symbol) -> [i32; ELEMENTS] {
    let bits =
        1 << 16 | u32::from(PATTERNS[usize::from(symbol.cluster)][usize::from(symbol.value)]);
    let mut widths = [0; ELEMENTS];
    let mut element = 0;
    for module in (0..MODULES).rev() {
        // Even elements are bars.
        if (bits >> module & 1 == 1) != (element % 2 == 0) {
            element += 1;
        }
        widths[element] += 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_should_obey_the_standard_when_every_entry_is_measured() {
        for cluster in 0..3 {
            for value in 0..929 {
                let w = widths(Symbol { cluster, value });
                assert_eq!(w.iter().sum::<i32>(), MODULES, "{cluster} {value}");
                assert!(w.iter().all(|w| (1..=6).contains(w)), "{cluster} {value}");
                let number = (w[0] - w[2] + w[4] - w[6]).rem_euclid(9);
                assert_eq!(number, 3 * i32::from(cluster), "{cluster} {value}");
            }
        }
    }

    #[test]
    fn symbols_should_be_recognised_when_ink_spreads_or_the_unit_changes() {
        let symbols = Symbols::new();
        for cluster in 0..3 {
            for value in 0..929 {
                let symbol = Symbol { cluster, value };
                for spread in [0, 90, -90] {
                    let mut w = widths(symbol).map(|w| 256 * w);
                    for (i, w) in w.iter_mut().enumerate() {
                        *w += if i % 2 == 0 { spread } else { -spread };
                    }
                    assert_eq!(symbols.recognise(&w), Some(symbol), "{spread}");
                }
            }
        }
    }

    #[test]
    fn start_and_stop_should_not_be_symbols_when_looked_up() {
        let symbols = Symbols::new();
        let stop: [i32; ELEMENTS] = std::array::from_fn(|i| STOP[i]);
        assert_eq!(symbols.recognise(&START), None);
        assert_eq!(symbols.recognise(&stop), None);
        assert_eq!(symbols.recognise(&[0; ELEMENTS]), None);
    }
}
