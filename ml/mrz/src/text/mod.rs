//! The text of a machine-readable zone: ICAO Doc 9303, without floating point, allocation of more than its lines, or
//! panics on any bytes.

mod check;
mod date;
mod document;
mod format;
mod lines;
mod name;
mod reason;
mod repair;
mod states;
mod symbol;

pub use check::{check_digit, Check, Checks};
pub use date::{birth, expiry, Date, PartialDate};
pub use document::{Document, Sex};
pub use format::{Format, Kind, Layout, CODE, ISSUER};
pub use lines::{Lines, NotAZone};
pub use name::Name;
pub use reason::Reason;
pub use repair::{repair, repair_guesses, Guess, Outcome, MAX_CHANGES, MAX_OPEN};
pub use states::is_state;
pub use symbol::{Symbol, SYMBOLS};
