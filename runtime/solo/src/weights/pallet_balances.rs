//! Weights of `pallet_balances`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_balances::weights::SubstrateWeight as WeightInfo;
