//! What the barcode of a North American driving licence or identity card says.
//!
//! ```text
//! @ LF RS CR "ANSI " issuer (6) version (2) jurisdiction's version (2, from version 2) entries (2)
//! for each entry: type (2) offset (4) length (4)
//! subfile: type, then elements: identifier (3), value, LF; CR ends the subfile
//! ```

use std::fmt;

/// Elements that every version of the standard demands and that identify a card or its holder: the names count once.
pub const FIELDS: usize = 10;
/// Elements of a subfile, at most.
const ELEMENTS: usize = 128;

/// Why bytes are not a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotALicence {
    /// They do not begin like one.
    Header,
    /// No entry of the header leads to a subfile of a driving licence or an identity card.
    Subfile,
}

impl fmt::Display for NotALicence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the barcode's content does not begin like a licence: photograph the licence's own code",
            Self::Subfile => "the barcode has no data of a driving licence or an identity card: photograph its back",
        })
    }
}

impl std::error::Error for NotALicence {}

/// What the card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A driving licence.
    Licence,
    /// An identity card.
    IdentityCard,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 1800 to 2199.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, as the month has it.
    pub day: u8,
}

impl Date {
    /// Eight digits, year first (Canada, and the standard of 2000) or month first (United States). A year begins with 18
    /// to 21 and a month does not, so there is no doubt which it is.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let number = |from: usize, to: usize| {
            text.get(from..to)?.iter().try_fold(0u16, |sum, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| sum * 10 + u16::from(digit - b'0'))
            })
        };
        if text.len() != 8 {
            return None;
        }
        let (year, month, day) = match number(0, 2)? {
            18..=21 => (number(0, 4)?, number(4, 6)?, number(6, 8)?),
            _ => (number(4, 8)?, number(0, 2)?, number(2, 4)?),
        };
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u16::from(leap),
            1..=12 => 31,
            _ => return None,
        };
        let possible = (1800..2200).contains(&year) && (1..=days).contains(&day);
        possible.then_some(Self {
            year,
            month: month as u8,
            day: day as u8,
        })
    }
}

/// One element of a subfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its identifier, such as `DAQ`.
    pub id: [u8; 3],
    /// Its value without blanks around it.
    pub value: &'a [u8],
}

/// The content of a licence's barcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence<'a> {
    /// Version of the standard, 1 to 99.
    pub version: u8,
    /// Who issued the card: the six digits of its issuer identification number.
    pub issuer: u32,
    /// Driving licence or identity card.
    pub kind: Kind,
    elements: Vec<Element<'a>>,
}

impl<'a> Licence<'a> {
    /// Reads the content of a barcode.
    ///
    /// Offsets in headers are often wrong on real cards. A subfile that is not where its entry says is looked for after
    /// the entries, where its type begins a line.
    pub fn parse(content: &'a [u8]) -> Result<Self, NotALicence> {
        let header = content
            .strip_prefix(b"@\n\x1e\r")
            .or_else(|| content.strip_prefix(b"@\n\x1c\r"))
            .ok_or(NotALicence::Header)?;
        let header = header
            .strip_prefix(b"ANSI ")
            .or_else(|| header.strip_prefix(b"AAMVA"))
            .ok_or(NotALicence::Header)?;
        let mut header = Digits(header);
        let issuer = header.next(6)?;
        let version = header.next(2)? as u8;
        if version == 0 {
            return Err(NotALicence::Header);
        }
        if version >= 2 {
            header.next(2)?;
        }
        let count = header.next(2)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (kind, rest) = header.0.split_at_checked(2).ok_or(NotALicence::Header)?;
            header.0 = rest;
            let (offset, length) = (header.next(4)? as usize, header.next(4)? as usize);
            entries.push((kind, offset, length));
        }
        let (type_of, kind, offset, length) = entries
            .iter()
            .find_map(|(name, offset, length)| match *name {
                b"DL" => Some((*name, Kind::Licence, *offset, *length)),
                b"ID" => Some((*name, Kind::IdentityCard, *offset, *length)),
                _ => None,
            })
            .ok_or(NotALicence::Subfile)?;
        let body = content
            .get(offset..)
            .filter(|at| at.starts_with(type_of) && length > type_of.len())
            .or_else(|| begin_of_line(header.0, type_of))
            .ok_or(NotALicence::Subfile)?;
        Ok(Self {
            version,
            issuer,
            kind,
            elements: elements(&body[type_of.len()..]),
        })
    }

    /// All elements in their order.
    pub fn elements(&self) -> &[Element<'a>] {
        &self.elements
    }

    /// Value of the first element with this identifier; nothing when it is empty or says that there is no value.
    pub fn get(&self, id: &[u8; 3]) -> Option<&'a [u8]> {
        let value = self.elements.iter().find(|e| e.id == *id)?.value;
        let unknown = [&b""[..], b"NONE", b"UNK", b"UNAVL", b"unavl"].contains(&value);
        (!unknown).then_some(value)
    }

    /// Number of the licence or card.
    pub fn number(&self) -> Option<&'a [u8]> {
        self.get(b"DAQ")
    }

    /// Family name.
    pub fn family_name(&self) -> Option<&'a [u8]> {
        // Before 2003 one element holds all names, the family's first.
        self.get(b"DCS")
            .or_else(|| self.get(b"DAB"))
            .or_else(|| self.full_name(0))
    }

    /// First given name, with the following ones where the version writes them together.
    pub fn given_names(&self) -> Option<&'a [u8]> {
        self.get(b"DAC")
            .or_else(|| self.get(b"DCT"))
            .or_else(|| self.full_name(1))
    }

    fn full_name(&self, part: usize) -> Option<&'a [u8]> {
        let names = self.get(b"DAA")?;
        let name = names.split(|b| *b == b',').nth(part)?.trim_ascii();
        (!name.is_empty()).then_some(name)
    }

    /// Date of birth.
    pub fn birth(&self) -> Option<Date> {
        self.get(b"DBB").and_then(Date::parse)
    }

    /// Last day of validity.
    pub fn expiry(&self) -> Option<Date> {
        self.get(b"DBA").and_then(Date::parse)
    }

    /// Day of issue.
    pub fn issued(&self) -> Option<Date> {
        self.get(b"DBD").and_then(Date::parse)
    }

    /// How many of the [`FIELDS`] are there and well formed: names, number, birth, expiry, issue, sex, street, city, state,
    /// postal code.
    pub fn well_formed(&self) -> usize {
        let sex = self
            .get(b"DBC")
            .is_some_and(|s| matches!(s, b"1" | b"2" | b"9" | b"M" | b"F" | b"X"));
        let number = self.number().is_some_and(|n| n.len() <= 25);
        let state = self
            .get(b"DAJ")
            .is_some_and(|s| s.len() == 2 && s.iter().all(u8::is_ascii_uppercase));
        [
            self.family_name().is_some() && self.given_names().is_some(),
            number,
            self.birth().is_some(),
            self.expiry().is_some(),
            self.issued().is_some(),
            sex,
            self.get(b"DAG").is_some(),
            self.get(b"DAI").is_some(),
            state,
            self.get(b"DAK").is_some(),
        ]
        .iter()
        .filter(|there| **there)
        .count()
    }
}

/// What is left of the header.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn next(&mut self, n: usize) -> Result<u32, NotALicence> {
        let (digits, rest) = self.0.split_at_checked(n).ok_or(NotALicence::Header)?;
        self.0 = rest;
        digits.iter().try_fold(0, |sum, digit| {
            let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'));
            digit.map(|d| sum * 10 + d).ok_or(NotALicence::Header)
        })
    }
}

/// What follows the first place where a line begins with these bytes.
fn begin_of_line<'a>(body: &'a [u8], bytes: &[u8]) -> Option<&'a [u8]> {
    (0..body.len())
        .filter(|i| *i == 0 || matches!(body[i - 1], b'\n' | b'\r' | 0x1e))
        .map(|i| &body[i..])
        .find(|at| at.starts_with(bytes))
}

fn elements(subfile: &[u8]) -> Vec<Element<'_>> {
    let end = subfile
        .iter()
        .position(|b| *b == b'\r')
        .unwrap_or(subfile.len());
    subfile[..end]
        .split(|b| *b == b'\n')
        .filter_map(|line| line.split_first_chunk::<3>())
        .filter(|(id, _)| {
            id.iter()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
        .map(|(id, value)| Element {
            id: *id,
            value: value.trim_ascii(),
        })
        .take(ELEMENTS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn content(version: &str, entry: &str, body: &str) -> String {
        format!("@\n\x1e\rANSI 636026{version}{entry}{body}")
    }

    const BODY: &str = "DLDAQD12345678\nDCSSAMPLE\nDDEN\nDACJANE\nDADMARIE\nDCAD\nDBB01311990\nDBA12312031\nDBD06152023\n\
        DBC2\nDAG123 MAIN ST\nDAIPHOENIX\nDAJAZ\nDAK850010000  \nDCGUSA\n\r";

    #[test]
    fn licence_should_be_read_when_it_follows_the_standard() {
        let text = content("100001", "DL00310180", BODY);
        let licence = Licence::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (licence.version, licence.issuer, licence.kind),
            (10, 636_026, Kind::Licence)
        );
        assert_eq!(licence.number(), Some(&b"D12345678"[..]));
        assert_eq!(licence.family_name(), Some(&b"SAMPLE"[..]));
        assert_eq!(licence.given_names(), Some(&b"JANE"[..]));
        assert_eq!(
            licence.birth(),
            Some(Date {
                year: 1990,
                month: 1,
                day: 31
            })
        );
        assert_eq!(
            licence.expiry(),
            Some(Date {
                year: 2031,
                month: 12,
                day: 31
            })
        );
        assert_eq!(licence.get(b"DAK"), Some(&b"850010000"[..]));
        assert_eq!(licence.well_formed(), FIELDS);
        assert_eq!(licence.elements().len(), 15);
    }

    #[test]
    fn licence_should_be_read_when_its_header_counts_wrongly() {
        for entry in ["DL00000000", "DL99990010", "DL00330200"] {
            let text = content("080001", entry, BODY);
            assert_eq!(
                Licence::parse(text.as_bytes()).unwrap().well_formed(),
                FIELDS,
                "{entry}"
            );
        }
    }

    #[test]
    fn licence_should_be_read_when_it_is_of_the_first_version() {
        let body = "IDDAADOE,JOHN,Q\nDAQX1\nDBB19500229\nDBA20300101\nDBC1\r";
        let text = format!("@\n\x1c\rAAMVA6360010101ID00290060{body}");
        let licence = Licence::parse(text.as_bytes()).unwrap();
        assert_eq!((licence.version, licence.kind), (1, Kind::IdentityCard));
        assert_eq!(licence.family_name(), Some(&b"DOE"[..]));
        assert_eq!(licence.given_names(), Some(&b"JOHN"[..]));
        assert_eq!(licence.birth(), None, "1950 had no 29 February");
        assert_eq!(
            licence.expiry(),
            Some(Date {
                year: 2030,
                month: 1,
                day: 1
            })
        );
        assert_eq!(licence.well_formed(), 4, "names, number, expiry, sex");
    }

    #[test]
    fn bytes_should_be_refused_when_they_are_not_a_licence() {
        assert_eq!(Licence::parse(b""), Err(NotALicence::Header));
        assert_eq!(Licence::parse(b"M1DESMARAIS/LUC"), Err(NotALicence::Header));
        let vehicle = content("080001", "VH00310010", "VHVADX\r");
        assert_eq!(
            Licence::parse(vehicle.as_bytes()),
            Err(NotALicence::Subfile)
        );
        let cut = content("080002", "DL00410010", "");
        assert_eq!(Licence::parse(cut.as_bytes()), Err(NotALicence::Header));
        let empty = content("080001", "DL00310010", "");
        assert_eq!(Licence::parse(empty.as_bytes()), Err(NotALicence::Subfile));
    }

    proptest! {
        #[test]
        fn licence_should_not_panic_when_bytes_are_noise_or_damaged(
            noise in proptest::collection::vec(any::<u8>(), 0..300),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            len in any::<prop::sample::Index>(),
        ) {
            let check = |bytes: &[u8]| {
                if let Ok(licence) = Licence::parse(bytes) {
                    assert!(licence.well_formed() <= FIELDS);
                }
            };
            check(&noise);
            let mut bytes = content("100001", "DL00310180", BODY).into_bytes();
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(len.index(bytes.len() + 1));
            check(&bytes);
        }
    }
}
