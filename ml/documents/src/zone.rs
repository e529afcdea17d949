//! The machine-readable zone of a document.

use crate::{calendar::Day, dates::Dates};
use ve_ml_barcode::Licence;
use ve_ml_engine::Execution;
use ve_ml_mrz::{
    image::Grey,
    text::{Check, Date, Document, Format, Outcome},
    Reader, Reading, NAT,
};
use ve_ml_pipeline::{
    features::check, stages::Stage, Findings, Picture, Point, Reason, Slot, UNIT,
};

/// Mean lead of the best answer over the second from which a reading with a wrong check digit is a document's fault; below,
/// the picture's.
const LEGIBLE: i32 = 5 * NAT;
/// Mean lead that counts as full confidence; less is a part of it.
const FULL: i64 = 8 * NAT as i64;
/// Values of [`Slot::DocumentKind`].
const PASSPORT: i16 = 1;
const IDENTITY_CARD: i16 = 2;
const VISA: i16 = 3;

/// A zone that could be read.
pub struct Zone {
    document: Document,
    corners: [Point; 4],
}

/// Where a zone stands in the picture that was read, corners as one reads; nothing when it cannot be read.
pub fn corners(reading: &Reading, picture: &Picture) -> Option<[Point; 4]> {
    if !reading.outcome.is_valid() && reading.lead < LEGIBLE {
        return None;
    }
    // The corners are in the picture as it is, or after one quarter turn, even when it must be turned by two more.
    let size = (picture.height(), picture.width());
    let back = 4 - reading.turns % 2;
    let finer = UNIT / ve_ml_mrz::image::UNIT;
    Some(reading.quad.0.map(|p| {
        let place = Point {
            x: p.x * finer,
            y: p.y * finer,
        };
        place.turned(size, back)
    }))
}

impl Zone {
    /// Finds and reads the zone of a picture and sets its slots.
    pub fn read(
        reader: &Reader,
        picture: &Picture,
        how: Execution,
        today: Day,
        findings: &mut Findings,
    ) -> Option<Self> {
        let reading = Grey::new(picture.width(), picture.height(), picture.luma())
            .and_then(|grey| reader.read(&grey, how));
        let Some(reading) = reading else {
            findings.stages.add_numbers(Stage::Mrz, [0]);
            return None;
        };
        let lines = reading.outcome.lines();
        let text: Vec<u8> = lines.symbols().iter().map(|s| s.ascii()).collect();
        findings
            .stages
            .add_numbers(Stage::Mrz, [1, reading.lead.into(), reading.turns.into()]);
        findings.stages.add(Stage::Mrz, &text);
        let Some(corners) = corners(&reading, picture) else {
            findings.reasons.push(Reason::MrzUnreadable);
            return None;
        };
        let document = Document::read(lines, today.into());
        let checks = [
            (document.checks.number, check::NUMBER),
            (document.checks.birth, check::BIRTH),
            (document.checks.expiry, check::EXPIRY),
            (document.checks.optional, check::OPTIONAL),
            (document.checks.composite, check::COMPOSITE),
        ];
        let bits = |holds: fn(Check) -> bool| {
            checks
                .iter()
                .filter(|(c, _)| holds(*c))
                .map(|(_, bit)| bit)
                .sum::<i16>()
        };
        let (present, valid) = (bits(|c| c != Check::Absent), bits(|c| c == Check::Valid));
        let format = match document.format {
            Format::Td1 => 1,
            Format::Td2 => 2,
            Format::Td3 => 3,
            Format::MrvA => 4,
            Format::MrvB => 5,
        };
        let repaired = match reading.outcome {
            Outcome::Valid(_, n) | Outcome::Repaired(_, n) => n as i64,
            Outcome::Ambiguous(_) | Outcome::Broken(_) => 0,
        };
        let features = &mut findings.features;
        features.set(Slot::MrzFormat, format);
        features.set(Slot::MrzPresent, present);
        features.set(Slot::MrzValid, valid);
        features.set(Slot::MrzRepaired, repaired);
        features.set(
            Slot::MrzConfidenceMean,
            i64::from(reading.lead) * 1000 / FULL,
        );
        if present & !valid != 0 {
            findings.reasons.push(Reason::MrzCheckDigitWrong);
        }
        Some(Self { document, corners })
    }

    /// Where it stands in the picture: corners as one reads.
    pub fn corners(&self) -> [Point; 4] {
        self.corners
    }

    /// Value of [`Slot::DocumentKind`].
    pub fn kind(&self) -> i16 {
        match self.document.format {
            Format::Td3 => PASSPORT,
            Format::Td1 | Format::Td2 => IDENTITY_CARD,
            Format::MrvA | Format::MrvB => VISA,
        }
    }

    /// Its dates.
    pub fn dates(&self) -> Dates {
        let birth = self
            .document
            .birth
            .map(|b| Day::new(b.year, b.month.unwrap_or(12), b.day.unwrap_or(28)));
        Dates {
            birth,
            issued: None,
            expiry: self.document.expiry.map(Day::from),
            impossible: birth.is_none() || self.document.expiry.is_none(),
        }
    }

    /// Compares with what the barcode says. Names are compared letter by letter, without anything else; a zone cuts long
    /// ones, and its given names may be more than the barcode's first.
    pub fn compare(&self, licence: &Licence, findings: &mut Findings) {
        let letters = |text: &[u8]| {
            text.iter()
                .filter(|b| b.is_ascii_alphanumeric())
                .map(u8::to_ascii_uppercase)
                .collect::<Vec<u8>>()
        };
        let either = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
        let names = licence
            .family_name()
            .zip(licence.given_names())
            .map(|(family, given)| {
                let [primary, secondary] =
                    [&self.document.name.primary, &self.document.name.secondary]
                        .map(|n| letters(n.as_bytes()));
                let (family, given) = (letters(family), letters(given));
                let same_family =
                    primary == family || self.document.name.cut && either(&primary, &family);
                same_family && either(&secondary, &given)
            });
        let number = licence
            .number()
            .map(|number| letters(number) == letters(self.document.number.as_bytes()));
        let birth = self.document.birth.zip(licence.birth()).map(|(a, b)| {
            a.year == b.year
                && a.month.is_none_or(|m| m == b.month)
                && a.day.is_none_or(|d| d == b.day)
        });
        let expiry = self
            .document
            .expiry
            .zip(licence.expiry())
            .map(|(a, b)| (a.year, a.month, a.day) == (b.year, b.month, b.day));
        for (slot, same, reason) in [
            (Slot::CrossName, names, Reason::NamesDiffer),
            (Slot::CrossBirth, birth, Reason::BirthDiffers),
            (Slot::CrossNumber, number, Reason::NumberDiffers),
            (Slot::CrossExpiry, expiry, Reason::ExpiryDiffers),
        ] {
            if let Some(same) = same {
                findings.features.set(slot, same);
                if !same {
                    findings.reasons.push(reason);
                }
            }
        }
    }
}

impl From<Day> for Date {
    fn from(day: Day) -> Self {
        let (year, month, day) = day.parts();
        Self { year, month, day }
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self::new(date.year, date.month, date.day)
    }
}
