//! Tests over the real escrow.
