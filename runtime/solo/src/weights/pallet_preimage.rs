//! Weights of `pallet_preimage`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_preimage::weights::SubstrateWeight as WeightInfo;
