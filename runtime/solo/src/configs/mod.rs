//! How each pallet is configured, in files by concern. Wiring one of our own pallets in: its line in `lib.rs`, its
//! `impl Config` in `virtengine.rs`, its API in `apis.rs`, its benchmark in `benchmarks.rs`, its genesis in `genesis_config_presets.rs`.

pub mod base;
pub mod consensus;
pub mod governance;
pub mod money;
pub mod tools;
pub mod virtengine;

pub use tools::ProxyType;
