use super::Symbol;
use alloc::{string::String, vec::Vec};

/// A name as a zone spells it: words of A-Z, separated by single spaces (part 3, section 4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// Primary identifier: usually the surname.
    pub primary: String,
    /// Secondary identifier: usually the given names. Empty when there is none.
    pub secondary: String,
    /// The field is full, so that the name may have been cut.
    pub cut: bool,
}

impl Name {
    /// Reads the name field: two fillers end the primary identifier.
    pub fn read(field: &[Symbol]) -> Self {
        let filler = |s: &Symbol| *s == Symbol::FILLER;
        let double = |pair: &[Symbol]| pair.iter().all(filler);
        let (primary, secondary) = match field.windows(2).position(double) {
            Some(at) => field.split_at(at),
            None => (field, Default::default()),
        };
        Self {
            primary: words(primary),
            secondary: words(secondary),
            cut: field.last().is_some_and(|s| !filler(s)),
        }
    }
}

fn words(symbols: &[Symbol]) -> String {
    let words = symbols.split(|s| *s == Symbol::FILLER);
    let words = words.filter(|w| !w.is_empty());
    let words: Vec<String> = words
        .map(|w| w.iter().map(|s| char::from(s.ascii())).collect())
        .collect();
    words.join(" ")
}
