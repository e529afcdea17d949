//! Weights of `pallet_escrow`: the pallet's own estimates, until generated ones replace this file.

/// Weights of the pallet.
pub type WeightInfo<T> = <T as super::Estimates>::Own;
