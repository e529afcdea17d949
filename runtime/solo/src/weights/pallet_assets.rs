//! Weights of `pallet_assets`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_assets::weights::SubstrateWeight as WeightInfo;
