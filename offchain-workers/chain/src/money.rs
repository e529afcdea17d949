//! Amounts as people write them.
