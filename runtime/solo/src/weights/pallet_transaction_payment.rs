//! Weights of `pallet_transaction_payment`: upstream's reference values over our database's prices, until generated ones replace this file.

pub use pallet_transaction_payment::weights::SubstrateWeight as WeightInfo;
