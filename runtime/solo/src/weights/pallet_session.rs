//! Weights of `pallet_session`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_session::weights::SubstrateWeight as WeightInfo;
