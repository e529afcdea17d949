//! The chain's own token in round numbers.

use crate::Balance;

/// One VE. The token has 12 decimals.
pub const UNITS: Balance = 1_000_000_000_000;
/// A thousandth of a VE.
pub const MILLIS: Balance = UNITS / 1_000;
/// A millionth of a VE.
pub const MICROS: Balance = MILLIS / 1_000;
/// Least balance that keeps an account alive.
pub const EXISTENTIAL_DEPOSIT: Balance = MILLIS;

/// Deposit for `items` storage items that hold `bytes` bytes together: 20 mVE an item and 100 µVE a byte, so that
/// filling a gigabyte of state locks about 100,000 VE.
pub const fn deposit(items: u32, bytes: u32) -> Balance {
    items as Balance * 20 * MILLIS + bytes as Balance * 100 * MICROS
}
