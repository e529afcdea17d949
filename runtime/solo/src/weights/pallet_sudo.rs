//! Weights of `pallet_sudo`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_sudo::weights::SubstrateWeight as WeightInfo;
