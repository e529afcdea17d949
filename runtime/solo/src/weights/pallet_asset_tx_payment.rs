//! Weights of `pallet_asset_tx_payment`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_asset_tx_payment::weights::SubstrateWeight as WeightInfo;
