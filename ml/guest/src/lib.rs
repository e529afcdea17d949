//! The inference engine as a WebAssembly module: plain kernels, no SIMD. Two forms of it, the second with the scorer:
//!
//! * by itself, with an allocator that works like the node's, for any WebAssembly engine;
//! * with the feature `runtime`, with the node's allocator and entry points like a runtime's, for the node's executor.
//!
//! On other targets this crate is empty.
#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(all(target_family = "wasm", not(feature = "runtime")))]
mod allocator;
#[cfg(all(target_family = "wasm", not(feature = "runtime")))]
mod module;
#[cfg(all(target_family = "wasm", feature = "runtime"))]
mod runtime;

#[cfg(target_family = "wasm")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
