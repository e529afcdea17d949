//! Tests over the real balances and assets pallets.

mod movements;
mod random;
mod recipients;
