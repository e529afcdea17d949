//! Weights of `pallet_whitelist`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_whitelist::weights::SubstrateWeight as WeightInfo;
