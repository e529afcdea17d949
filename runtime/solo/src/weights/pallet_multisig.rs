//! Weights of `pallet_multisig`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_multisig::weights::SubstrateWeight as WeightInfo;
