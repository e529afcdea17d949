//! Where what stands: the layouts of ICAO Doc 9303, parts 4 (TD3), 5 (TD1), 6 (TD2) and 7 (visas).

use super::Symbol;
use core::ops::Range;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Cards: 3 lines of 30.
    Td1,
    /// Larger cards: 2 lines of 36.
    Td2,
    /// Passports: 2 lines of 44.
    Td3,
    /// Visas of passport size: 2 lines of 44.
    MrvA,
    /// Smaller visas: 2 lines of 36.
    MrvB,
}

/// What may stand in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A letter or a filler.
    Letter,
    /// A digit or a filler.
    Digit,
    /// `F`, `M`, `X` or a filler.
    Sex,
    /// Anything.
    Any,
}

impl Kind {
    /// May the symbol stand there?
    pub fn allows(self, symbol: Symbol) -> bool {
        match self {
            Self::Any => true,
            Self::Letter => symbol.is_letter() || symbol == Symbol::FILLER,
            Self::Digit => symbol.digit().is_some() || symbol == Symbol::FILLER,
            Self::Sex => matches!(symbol.ascii(), b'F' | b'M' | b'X' | b'<'),
        }
    }
}

/// Places of the fields; places count from the first symbol of the first line through all lines.
#[derive(Debug)]
pub struct Layout {
    /// Lines.
    pub lines: usize,
    /// Symbols of a line.
    pub columns: usize,
    /// Document number; its check digit follows it.
    pub number: Range<usize>,
    /// Date of birth; its check digit follows it.
    pub birth: Range<usize>,
    /// Date of expiry; its check digit follows it.
    pub expiry: Range<usize>,
    /// Sex.
    pub sex: usize,
    /// Nationality.
    pub nationality: Range<usize>,
    /// Name.
    pub name: Range<usize>,
    /// Optional data, in one or two places (the second may be empty).
    pub optional: [Range<usize>; 2],
    /// The optional data has a check digit, which follows it.
    pub optional_check: bool,
    /// What the composite check digit covers, and its place.
    pub composite: Option<(&'static [Range<usize>], usize)>,
}

/// Code of the document: its first two symbols, in every format.
pub const CODE: Range<usize> = 0..2;
/// Issuing state: the three after them.
pub const ISSUER: Range<usize> = 2..5;

static TD1: Layout = Layout {
    lines: 3,
    columns: 30,
    number: 5..14,
    birth: 30..36,
    expiry: 38..44,
    sex: 37,
    nationality: 45..48,
    name: 60..90,
    optional: [15..30, 48..59],
    optional_check: false,
    composite: Some((&[5..30, 30..37, 38..45, 48..59], 59)),
};
static TD2: Layout = Layout {
    lines: 2,
    columns: 36,
    number: 36..45,
    birth: 49..55,
    expiry: 57..63,
    sex: 56,
    nationality: 46..49,
    name: 5..36,
    optional: [64..71, 0..0],
    optional_check: false,
    composite: Some((&[36..46, 49..56, 57..71], 71)),
};
static TD3: Layout = Layout {
    lines: 2,
    columns: 44,
    number: 44..53,
    birth: 57..63,
    expiry: 65..71,
    sex: 64,
    nationality: 54..57,
    name: 5..44,
    optional: [72..86, 0..0],
    optional_check: true,
    composite: Some((&[44..54, 57..64, 65..87], 87)),
};
static MRV_A: Layout = Layout {
    lines: 2,
    columns: 44,
    number: 44..53,
    birth: 57..63,
    expiry: 65..71,
    sex: 64,
    nationality: 54..57,
    name: 5..44,
    optional: [72..88, 0..0],
    optional_check: false,
    composite: None,
};
static MRV_B: Layout = Layout {
    lines: 2,
    columns: 36,
    number: 36..45,
    birth: 49..55,
    expiry: 57..63,
    sex: 56,
    nationality: 46..49,
    name: 5..36,
    optional: [64..72, 0..0],
    optional_check: false,
    composite: None,
};

impl Format {
    /// The layout.
    pub fn layout(self) -> &'static Layout {
        match self {
            Self::Td1 => &TD1,
            Self::Td2 => &TD2,
            Self::Td3 => &TD3,
            Self::MrvA => &MRV_A,
            Self::MrvB => &MRV_B,
        }
    }

    /// The format of so many lines of so many symbols, of which the first is `first`: visas begin with `V`.
    pub fn of(lines: usize, columns: usize, first: Symbol) -> Option<Self> {
        let visa = first.ascii() == b'V';
        match (lines, columns) {
            (3, 30) => Some(Self::Td1),
            (2, 36) if visa => Some(Self::MrvB),
            (2, 36) => Some(Self::Td2),
            (2, 44) if visa => Some(Self::MrvA),
            (2, 44) => Some(Self::Td3),
            _ => None,
        }
    }
}

impl Layout {
    /// Symbols of all lines.
    pub fn places(&self) -> usize {
        self.lines * self.columns
    }

    /// What may stand in a place.
    pub fn kind(&self, place: usize) -> Kind {
        let date = |r: &Range<usize>| (r.start..=r.end).contains(&place);
        let composite = self.composite.as_ref().is_some_and(|(_, at)| *at == place);
        let optional_check = self.optional_check && place == self.optional[0].end;
        let letters = [&self.nationality, &self.name, &ISSUER];
        if place == self.sex {
            Kind::Sex
        } else if composite
            || optional_check
            || place == self.number.end
            || date(&self.birth)
            || date(&self.expiry)
        {
            Kind::Digit
        } else if CODE.contains(&place) || letters.iter().any(|r| r.contains(&place)) {
            Kind::Letter
        } else {
            Kind::Any
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_should_place_every_field_inside_when_they_are_laid_out() {
        for format in [
            Format::Td1,
            Format::Td2,
            Format::Td3,
            Format::MrvA,
            Format::MrvB,
        ] {
            let l = format.layout();
            let fields = [&l.number, &l.birth, &l.expiry, &l.nationality, &l.name];
            let fields = fields
                .into_iter()
                .chain(&l.optional)
                .chain([&CODE, &ISSUER]);
            let mut covered = vec![0; l.places()];
            for field in fields {
                field.clone().for_each(|place| covered[place] += 1);
            }
            for check in [l.number.end, l.birth.end, l.expiry.end, l.sex] {
                covered[check] += 1;
            }
            if l.optional_check {
                covered[l.optional[0].end] += 1;
            }
            if let Some((ranges, at)) = &l.composite {
                covered[*at] += 1;
                assert!(ranges.iter().all(|r| r.end <= l.places()));
            }
            assert!(covered.iter().all(|n| *n == 1), "{format:?}: {covered:?}");
        }
    }
}
