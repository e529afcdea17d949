//! The 37 symbols of a machine-readable zone (ICAO Doc 9303, part 3, section 4.3).

/// A symbol: `0-9` are 0 to 9, `A-Z` are 10 to 35, the filler `<` is 36. Also the class that the network answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol(u8);

/// How many symbols there are.
pub const SYMBOLS: usize = 37;

impl Symbol {
    /// `<`.
    pub const FILLER: Self = Self(36);

    /// The symbol of a class of the network.
    pub fn from_class(class: usize) -> Option<Self> {
        (class < SYMBOLS).then_some(Self(class as u8))
    }

    /// The symbol that is printed as an ASCII character.
    pub fn from_ascii(byte: u8) -> Option<Self> {
        match byte {
            b'0'..=b'9' => Some(Self(byte - b'0')),
            b'A'..=b'Z' => Some(Self(byte - b'A' + 10)),
            b'<' => Some(Self::FILLER),
            _ => None,
        }
    }

    /// Its ASCII character.
    pub fn ascii(self) -> u8 {
        match self.0 {
            0..=9 => b'0' + self.0,
            10..=35 => b'A' + self.0 - 10,
            _ => b'<',
        }
    }

    /// Number of its class, 0 to 36.
    pub fn class(self) -> usize {
        usize::from(self.0)
    }

    /// Its value in a check digit (part 3, section 4.9): the filler counts 0.
    pub fn value(self) -> u32 {
        if self == Self::FILLER {
            0
        } else {
            u32::from(self.0)
        }
    }

    /// The digit that it is.
    pub fn digit(self) -> Option<u8> {
        (self.0 < 10).then_some(self.0)
    }

    /// Is it a letter?
    pub fn is_letter(self) -> bool {
        (10..36).contains(&self.0)
    }

    /// The symbols that readers take for this one, and this one for them. Symmetric; in the order of likelihood.
    pub fn confusable(self) -> &'static [u8] {
        match self.ascii() {
            b'0' => b"ODQ",
            b'1' => b"IL",
            b'2' => b"Z",
            b'4' => b"A",
            b'5' => b"S",
            b'6' => b"G",
            b'7' => b"T",
            b'8' => b"B",
            b'A' => b"4",
            b'B' => b"8",
            b'C' => b"G",
            b'D' => b"0O",
            b'G' => b"6C",
            b'I' => b"1",
            b'K' => b"<",
            b'L' => b"1",
            b'M' => b"N",
            b'N' => b"M",
            b'O' => b"0DQ",
            b'Q' => b"O0",
            b'S' => b"5",
            b'T' => b"7",
            b'U' => b"V",
            b'V' => b"UY",
            b'Y' => b"V",
            b'Z' => b"2",
            b'<' => b"K",
            _ => b"",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_should_come_back_when_printed() {
        for class in 0..SYMBOLS {
            let symbol = Symbol::from_class(class).unwrap();
            assert_eq!(Symbol::from_ascii(symbol.ascii()), Some(symbol));
            assert_eq!(symbol.class(), class);
            for other in symbol.confusable() {
                let other = Symbol::from_ascii(*other).expect("a symbol");
                assert!(
                    other.confusable().contains(&symbol.ascii()),
                    "{symbol:?} {other:?}"
                );
            }
        }
        assert_eq!(Symbol::from_class(SYMBOLS), None);
        assert_eq!(
            (0..=u8::MAX).filter_map(Symbol::from_ascii).count(),
            SYMBOLS
        );
    }
}
