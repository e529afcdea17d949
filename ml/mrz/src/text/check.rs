//! Check digits (ICAO Doc 9303, part 3, section 4.9): weights 7, 3, 1 repeating, modulo 10.

use super::{Format, Lines, Symbol};

/// The check digit of a sequence.
pub fn check_digit(symbols: impl IntoIterator<Item = Symbol>) -> u8 {
    let weighted = symbols.into_iter().zip([7, 3, 1].into_iter().cycle());
    // Fewer than 100 symbols of at most 35: no overflow in a zone; longer input is reduced as it grows.
    let sum = weighted.fold(0, |sum: u32, (s, weight)| (sum + s.value() * weight) % 10);
    sum as u8
}

/// What a check digit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It belongs to what it covers.
    Valid,
    /// It does not.
    Broken,
    /// The format has none there.
    Absent,
}

impl Check {
    fn of(valid: bool) -> Self {
        if valid {
            Self::Valid
        } else {
            Self::Broken
        }
    }
}

/// All check digits of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// Of the document number.
    pub number: Check,
    /// Of the date of birth.
    pub birth: Check,
    /// Of the date of expiry.
    pub expiry: Check,
    /// Of the optional data (passports only).
    pub optional: Check,
    /// Of all of these together (not on visas).
    pub composite: Check,
}

impl Checks {
    /// Verifies all check digits of a zone.
    pub fn of(lines: &Lines) -> Self {
        Self::of_symbols(lines.format(), lines.symbols())
    }

    /// The same for symbols that are as many as the format has; others are broken.
    pub(crate) fn of_symbols(format: Format, symbols: &[Symbol]) -> Self {
        let layout = format.layout();
        let field = |r: core::ops::Range<usize>| symbols.get(r).unwrap_or_default();
        let at = |place: usize| symbols.get(place).copied();
        let digit_of = |r: &core::ops::Range<usize>| {
            let digit = at(r.end).and_then(Symbol::digit);
            Check::of(digit == Some(check_digit(field(r.clone()).iter().copied())))
        };
        let number = if long_number(format, symbols).is_some() {
            let (number, digit) = long_number(format, symbols).unwrap_or_default();
            let all = field(layout.number.clone()).iter().chain(number);
            Check::of(digit == Some(check_digit(all.copied())))
        } else {
            digit_of(&layout.number)
        };
        let optional = if !layout.optional_check {
            Check::Absent
        } else if at(layout.optional[0].end) == Some(Symbol::FILLER) {
            // Part 4, section 4.2.2: the digit may be a filler when there is no optional data.
            let empty = |s: &Symbol| *s == Symbol::FILLER;
            Check::of(field(layout.optional[0].clone()).iter().all(empty))
        } else {
            digit_of(&layout.optional[0])
        };
        let composite = layout.composite.as_ref().map(|(ranges, place)| {
            let covered = ranges.iter().flat_map(|r| field(r.clone())).copied();
            Check::of(at(*place).and_then(Symbol::digit) == Some(check_digit(covered)))
        });
        Self {
            number,
            birth: digit_of(&layout.birth),
            expiry: digit_of(&layout.expiry),
            optional,
            composite: composite.unwrap_or(Check::Absent),
        }
    }

    /// Is none of them broken?
    pub fn all_valid(&self) -> bool {
        self.each().iter().all(|c| *c != Check::Broken)
    }

    /// How many are valid.
    pub fn valid(&self) -> usize {
        self.each().iter().filter(|c| **c == Check::Valid).count()
    }

    fn each(&self) -> [Check; 5] {
        let Self {
            number,
            birth,
            expiry,
            optional,
            composite,
        } = *self;
        [number, birth, expiry, optional, composite]
    }
}

/// The rest of a document number that is longer than its field, and its check digit: on TD1 and TD2 a filler in the place of the
/// check digit says that the number goes on in the optional data, up to a filler, its check digit last (part 5,
/// note j; part 6, note j).
pub(crate) fn long_number(format: Format, symbols: &[Symbol]) -> Option<(&[Symbol], Option<u8>)> {
    let layout = format.layout();
    let long = matches!(format, Format::Td1 | Format::Td2)
        && symbols.get(layout.number.end) == Some(&Symbol::FILLER);
    if !long {
        return None;
    }
    let rest = symbols.get(layout.optional[0].clone()).unwrap_or_default();
    let end = rest.iter().position(|s| *s == Symbol::FILLER);
    let (last, more) = rest.get(..end.unwrap_or(rest.len()))?.split_last()?;
    Some((more, last.digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(text: &str) -> u8 {
        check_digit(text.bytes().filter_map(Symbol::from_ascii))
    }

    #[test]
    fn check_digit_should_be_the_standards_when_the_examples_are_its_own() {
        // Doc 9303, part 3, appendix A to section 4.
        assert_eq!(digit("520727"), 3);
        assert_eq!(digit("AB2134<<<"), 5);
        assert_eq!(digit("HA672242<658022549601086<<<<<<<<<<<<<<0"), 8);
        assert_eq!(
            digit("D231458907<<<<<<<<<<<<<<<34071279507122<<<<<<<<<<<"),
            2
        );
        assert_eq!(digit("HA672242<658022549601086<<<<<<<"), 8);
    }
}
