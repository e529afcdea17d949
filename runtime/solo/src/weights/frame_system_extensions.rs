//! Weights of the transaction extensions of `frame_system`: upstream's reference values over our database's prices, until
//! generated ones replace this file.

pub use frame_system::SubstrateExtensionsWeight as WeightInfo;
