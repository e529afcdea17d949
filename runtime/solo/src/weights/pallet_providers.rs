//! Weights of `pallet_providers`: the pallet's own estimates, until generated ones replace this file.

/// Weights of the pallet.
pub type WeightInfo<T> = <T as super::Estimates>::Own;
