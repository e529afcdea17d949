//! Weights of `pallet_proxy`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_proxy::weights::SubstrateWeight as WeightInfo;
