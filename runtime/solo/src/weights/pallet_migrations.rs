//! Weights of `pallet_migrations`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_migrations::weights::SubstrateWeight as WeightInfo;
