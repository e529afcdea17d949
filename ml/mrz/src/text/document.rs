use super::{
    birth,
    check::{long_number, Check, Checks},
    expiry,
    format::{CODE, ISSUER},
    is_state, Date, Format, Lines, Name, PartialDate, Reason, Symbol,
};
use alloc::{string::String, vec::Vec};

/// What a zone says about a document and its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Format.
    pub format: Format,
    /// Code of the document, such as `P`.
    pub code: String,
    /// Code of the issuing state or organisation.
    pub issuer: String,
    /// Document number, without fillers at its end.
    pub number: String,
    /// Code of the nationality.
    pub nationality: String,
    /// Date of birth; nothing if it is no day.
    pub birth: Option<PartialDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Date of expiry; nothing if it is no day.
    pub expiry: Option<Date>,
    /// Optional data, without fillers at their end, a space between the two places.
    pub optional: String,
    /// Name.
    pub name: Name,
    /// The check digits.
    pub checks: Checks,
    /// What is wrong, in the order of [`Reason`]; empty if nothing is.
    pub reasons: Vec<Reason>,
}

/// The sex field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// `F`.
    Female,
    /// `M`.
    Male,
    /// `X` or a filler.
    Unspecified,
}

impl Document {
    /// Reads a zone; `today` decides centuries and whether the document has expired.
    pub fn read(lines: &Lines, today: Date) -> Self {
        let (format, layout) = (lines.format(), lines.format().layout());
        let text = |r: &core::ops::Range<usize>| trimmed(lines.field(r.clone()));
        let long = long_number(format, lines.symbols()).map(|(rest, _)| rest);
        let mut number = text(&layout.number);
        let mut optional: Vec<String> = layout.optional.iter().map(text).collect();
        if let Some(rest) = long {
            number.push_str(&trimmed(rest));
            // The rest of the number, its check digit and the filler after them.
            let from = layout.optional[0].start + rest.len() + 2;
            optional[0] = text(&(from.min(layout.optional[0].end)..layout.optional[0].end));
        }
        optional.retain(|o| !o.is_empty());
        let sex = match lines.symbols().get(layout.sex).map(|s| s.ascii()) {
            Some(b'F') => Some(Sex::Female),
            Some(b'M') => Some(Sex::Male),
            Some(b'X' | b'<') => Some(Sex::Unspecified),
            _ => None,
        };
        let mut document = Self {
            format,
            code: text(&CODE),
            issuer: text(&ISSUER),
            number,
            nationality: text(&layout.nationality),
            birth: birth(lines.field(layout.birth.clone()), today),
            sex,
            expiry: expiry(lines.field(layout.expiry.clone()), today),
            optional: optional.join(" "),
            name: Name::read(lines.field(layout.name.clone())),
            checks: Checks::of(lines),
            reasons: Vec::new(),
        };
        document.reasons = document.judge(lines, today);
        document
    }

    fn judge(&self, lines: &Lines, today: Date) -> Vec<Reason> {
        let broken = |check: Check| check == Check::Broken;
        let known = |r: core::ops::Range<usize>| is_state(lines.field(r));
        let before_birth = self
            .birth
            .zip(self.expiry)
            .is_some_and(|(birth, expiry)| expiry < birth.earliest());
        let code = match (self.format, lines.symbols().first().map(|s| s.ascii())) {
            (Format::Td1 | Format::Td2, Some(first)) => matches!(first, b'A' | b'C' | b'I' | b'P'),
            (Format::Td3, Some(first)) => first == b'P',
            // A visa is one because of its code.
            _ => true,
        };
        let all = [
            (broken(self.checks.number), Reason::NumberCheck),
            (broken(self.checks.birth), Reason::BirthCheck),
            (broken(self.checks.expiry), Reason::ExpiryCheck),
            (broken(self.checks.optional), Reason::OptionalCheck),
            (broken(self.checks.composite), Reason::CompositeCheck),
            (self.birth.is_none(), Reason::BirthDate),
            (self.expiry.is_none(), Reason::ExpiryDate),
            (self.expiry.is_some_and(|e| e < today), Reason::Expired),
            (before_birth, Reason::ExpiryBeforeBirth),
            (!known(ISSUER), Reason::Issuer),
            (
                !known(lines.format().layout().nationality.clone()),
                Reason::Nationality,
            ),
            (!code, Reason::Code),
            (self.sex.is_none(), Reason::Sex),
            (self.name.primary.is_empty(), Reason::Name),
        ];
        all.into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, r)| r)
            .collect()
    }
}

/// The symbols as text, without the fillers at the end.
fn trimmed(symbols: &[Symbol]) -> String {
    let end = symbols.iter().rposition(|s| *s != Symbol::FILLER);
    let symbols = symbols.get(..end.map_or(0, |e| e + 1)).unwrap_or_default();
    symbols.iter().map(|s| char::from(s.ascii())).collect()
}
