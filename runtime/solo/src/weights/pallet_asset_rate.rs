//! Weights of `pallet_asset_rate`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_asset_rate::weights::SubstrateWeight as WeightInfo;
