//! What attestors on the web proved about an account.

use core::fmt;

/// One proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Scope {
    /// An address of electronic mail that is not of a throw-away provider answered.
    Email = 1,
    /// A telephone number that is not an internet one answered.
    Phone = 2,
    /// An account at a sign-on provider, under the document's name.
    SignOn = 4,
    /// Control of an internet domain.
    Domain = 8,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::SignOn, Self::Domain];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "web-email",
            Self::Phone => "web-phone",
            Self::SignOn => "web-sign-on",
            Self::Domain => "web-domain",
        }
    }
}

/// The proofs of an account that hold at the time of scoring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// Takes bits; refuses those that are no scope.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        match bits {
            0..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// These and one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope as u16)
    }

    /// Whether a proof is among them.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope as u16 != 0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
