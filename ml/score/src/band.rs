use core::fmt;

/// What a score means, for people and for policies that need a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// 0 to 10: nothing usable was given, or something contradicts it.
    Unproven,
    /// 11 to 40: data of a document, but no person who certainly belongs to it.
    Weak,
    /// 41 to 70: a document and its holder's face, as pictures that may be of any time.
    Basic,
    /// 71 to 85: the holder was alive before the camera.
    Verified,
    /// 86 to 100: and the pictures come signed from the capture program, for this request.
    Strong,
}

impl Band {
    /// All bands, the lowest first.
    pub const ALL: [Self; 5] = [
        Self::Unproven,
        Self::Weak,
        Self::Basic,
        Self::Verified,
        Self::Strong,
    ];

    /// The band of a score.
    pub const fn of(score: u8) -> Self {
        match score {
            0..=10 => Self::Unproven,
            11..=40 => Self::Weak,
            41..=70 => Self::Basic,
            71..=85 => Self::Verified,
            _ => Self::Strong,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Weak => "weak",
            Self::Basic => "basic",
            Self::Verified => "verified",
            Self::Strong => "strong",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
