//! Tests over the real escrow, balances and assets pallets.

mod deadlines;
mod disputes;
mod invoices;
mod life;
mod plans;
mod random;
mod reports;
