//! The weights file: text that people can review, of which exactly one form is accepted.
//!
//! ```text
//! VESCORE 1
//! # a comment
//! name value
//! ```
//!
//! Every weight has one line, in the order of [`Weights::NAMES`]. Comments and empty lines may stand between them and say
//! where a number comes from; the file is pinned by its hash like any artefact.

use core::fmt;

/// Bytes of a file, at most.
pub const LONGEST: usize = 32 * 1024;
const HEADER: &str = "VESCORE 1";

/// Why a weights file was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is longer than [`LONGEST`] or not UTF-8 text.
    NotText,
    /// It does not begin with the line `VESCORE 1`.
    Header,
    /// This line is not the weight that is due here, as `name value` with one blank and no leading zeros.
    Line(usize),
    /// The weight in this line is outside its range.
    Range(usize),
    /// The file ends before this weight.
    Missing(&'static str),
    /// This relation between weights does not hold.
    Relation(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => write!(f, "the weights are not a text of at most {LONGEST} bytes"),
            Self::Header => write!(f, "the weights do not begin with the line {HEADER}"),
            Self::Line(n) => write!(
                f,
                "line {n} of the weights is not the weight that is due there"
            ),
            Self::Range(n) => write!(f, "the weight in line {n} is outside its range"),
            Self::Missing(name) => write!(f, "the weights end before {name}"),
            Self::Relation(what) => write!(f, "the weights contradict each other: {what}"),
        }
    }
}

impl core::error::Error for Malformed {}

macro_rules! weights {
    ($($name:ident, $least:literal..=$most:literal, $meaning:literal;)*) => {
        /// What evidence is worth, and what a score cannot exceed when something is wrong.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Weights {
            $(#[doc = $meaning] pub $name: i32,)*
        }

        impl Weights {
            /// Names in the order of the file.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            fn read(mut line: impl FnMut(&'static str, core::ops::RangeInclusive<i32>) -> Result<i32, Malformed>) -> Result<Self, Malformed> {
                Ok(Self { $($name: line(stringify!($name), $least..=$most)?,)* })
            }
        }
    };
}

weights! {
    mrz, 0..=100, "Points for a machine-readable zone whose check digits are all right.";
    mrz_unrepaired, 0..=100, "Points when hardly any of its characters had to be repaired.";
    mrz_confidence, 0..=100, "Points for the confidence in its characters.";
    barcode, 0..=100, "Points for a licence in a barcode, where there is no machine-readable zone.";
    dates, 0..=100, "Points for dates that can be.";
    cross_check, 0..=100, "Points for each of four facts that agree in two places.";
    document_found, 0..=100, "Points for a document whose outline is in the picture.";
    document_sharp, 0..=100, "Points for a sharp picture of it.";
    face_least, 0..=100, "Points for a face that just matches the portrait.";
    face_most, 0..=100, "Points for a face that matches it fully.";
    selfie_clear, 0..=100, "Points for a selfie with a clear face.";
    challenge, 0..=100, "Points for the head-turn challenge.";
    capture_client, 0..=100, "Points for the capture program's signature.";
    capture_user, 0..=100, "Points for the account's signature.";
    capture_salt, 0..=100, "Points for pictures captured for this request.";
    capture_challenge, 0..=100, "Points for pictures that answer this challenge.";
    web_email, 0..=100, "Points for an address of electronic mail.";
    web_phone, 0..=100, "Points for a telephone number.";
    web_sign_on, 0..=100, "Points for an account at a sign-on provider under the same name.";
    web_domain, 0..=100, "Points for control of an internet domain.";
    repaired_few, 0..=90, "Repaired characters that count as hardly any.";
    confidence_low, 0..=1000, "Mean confidence in a character, in thousandths, at which points begin.";
    confidence_high, 0..=1000, "Mean confidence at which all points are given.";
    sharp, 0..=32767, "Sharpness of a document's picture that counts as sharp.";
    clear, 0..=1000, "Confidence in a face that counts as clear, in thousandths.";
    face_reject, -10000..=10000, "Cosine below which two faces are of different people, in ten-thousandths.";
    face_accept, -10000..=10000, "Cosine from which they match.";
    face_full, -10000..=10000, "Cosine from which they match fully.";
    capture_age, 0..=32767, "Minutes after which a capture is too old.";
    least_age, 0..=150, "Age from which a holder may use the service.";
    cap_replayed, 0..=100, "Most for pictures that were uploaded before.";
    cap_contradiction, 0..=100, "Most when something was found that no genuine evidence shows.";
    cap_expired, 0..=100, "Most for an expired document.";
    cap_unread, 0..=100, "Most when no data of a document could be read.";
    cap_faceless, 0..=100, "Most when no face could be compared with the document's.";
    cap_uncertain, 0..=100, "Most when the faces neither match nor differ, or the capture is too old.";
    cap_still, 0..=100, "Most without the head-turn challenge.";
    cap_unsigned, 0..=100, "Most without a signed capture.";
}

impl Weights {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > LONGEST {
            return Err(Malformed::NotText);
        }
        let text = core::str::from_utf8(bytes).map_err(|_| Malformed::NotText)?;
        let text = text.strip_prefix(HEADER).and_then(|t| t.strip_prefix('\n'));
        let text = text.ok_or(Malformed::Header)?;
        let mut lines = text
            .split('\n')
            .zip(2..)
            .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        let weights = Self::read(|name, range| {
            let (line, number) = lines.next().ok_or(Malformed::Missing(name))?;
            let value = line.strip_prefix(name).and_then(|l| l.strip_prefix(' '));
            let value = value.and_then(canonical).ok_or(Malformed::Line(number))?;
            range
                .contains(&value)
                .then_some(value)
                .ok_or(Malformed::Range(number))
        })?;
        match lines.next() {
            Some((_, number)) => Err(Malformed::Line(number)),
            None => weights.related(),
        }
    }

    /// The relations on which the scorer's promises rest.
    fn related(self) -> Result<Self, Malformed> {
        let caps = [
            self.cap_replayed,
            self.cap_contradiction,
            self.cap_unread,
            self.cap_faceless,
            self.cap_uncertain,
            self.cap_still,
            self.cap_unsigned,
        ];
        let relations = [
            (
                self.confidence_low < self.confidence_high,
                "confidence_low < confidence_high",
            ),
            (
                self.face_reject <= self.face_accept,
                "face_reject <= face_accept",
            ),
            (self.face_accept < self.face_full, "face_accept < face_full"),
            (self.face_least <= self.face_most, "face_least <= face_most"),
            (
                self.barcode <= self.mrz,
                "barcode <= mrz: reading a second source must not lower a score",
            ),
            (
                caps.is_sorted(),
                "the caps from replayed to unsigned rise: the worse the finding, the lower the cap",
            ),
            (
                self.cap_expired <= self.cap_faceless,
                "cap_expired <= cap_faceless",
            ),
        ];
        match relations.into_iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(Malformed::Relation(what)),
            None => Ok(self),
        }
    }
}

/// A decimal number in its only form: no plus sign, no leading zeros, no minus zero.
fn canonical(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let leading = digits.starts_with('0') && text != "0";
    (whole && !leading).then(|| text.parse().ok())?
}
