use core::fmt;

/// Something about a zone that a person should know: what it is, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The check digit of the document number is broken.
    NumberCheck,
    /// The check digit of the date of birth is broken.
    BirthCheck,
    /// The check digit of the date of expiry is broken.
    ExpiryCheck,
    /// The check digit of the optional data is broken.
    OptionalCheck,
    /// The composite check digit is broken.
    CompositeCheck,
    /// The date of birth is no day.
    BirthDate,
    /// The date of expiry is no day.
    ExpiryDate,
    /// The document has expired.
    Expired,
    /// The document expires before its holder was born.
    ExpiryBeforeBirth,
    /// No state or organisation has this code as issuer.
    Issuer,
    /// No state has this code as nationality.
    Nationality,
    /// The document's code does not belong to its format.
    Code,
    /// The sex is none of F, M, X and unspecified.
    Sex,
    /// There is no name.
    Name,
}

impl Reason {
    /// A number that stays the same, for reports and features.
    pub fn code(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NumberCheck => "the check digit of the document number is wrong: photograph the lower lines again, sharp and without glare",
            Self::BirthCheck => "the check digit of the date of birth is wrong: photograph the lower lines again, sharp and without glare",
            Self::ExpiryCheck => "the check digit of the date of expiry is wrong: photograph the lower lines again, sharp and without glare",
            Self::OptionalCheck => "the check digit of the personal number is wrong: photograph the lower lines again, sharp and without glare",
            Self::CompositeCheck => "the check digit over all fields is wrong: photograph the lower lines again, sharp and without glare",
            Self::BirthDate => "the date of birth is not a day of the calendar",
            Self::ExpiryDate => "the date of expiry is not a day of the calendar",
            Self::Expired => "the document has expired: use a valid one",
            Self::ExpiryBeforeBirth => "the document expires before its holder was born",
            Self::Issuer => "no issuing state has this code",
            Self::Nationality => "no nationality has this code",
            Self::Code => "the document's code does not belong to a document of this size",
            Self::Sex => "the sex is none of F, M, X and unspecified",
            Self::Name => "the zone names nobody",
        })
    }
}
