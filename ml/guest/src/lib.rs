//! The inference engine as a WebAssembly module, for tests that run it as the chain's runtime would: plain kernels, no
//! SIMD, and an allocator that works like the node's. Elsewhere this crate is empty.
#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
mod allocator;
#[cfg(target_family = "wasm")]
mod module;
