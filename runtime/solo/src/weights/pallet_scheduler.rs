//! Weights of `pallet_scheduler`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_scheduler::weights::SubstrateWeight as WeightInfo;
