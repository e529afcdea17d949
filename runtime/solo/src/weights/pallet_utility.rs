//! Weights of `pallet_utility`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_utility::weights::SubstrateWeight as WeightInfo;
