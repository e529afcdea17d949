//! The inference engine as a WebAssembly module: plain kernels, no SIMD. Three forms of it:
//!
//! * by itself, with an allocator that works like the node's, for any WebAssembly engine;
//! * with the feature `runtime`, with the scorer, the node's allocator and entry points like a runtime's, for the node's
//!   executor;
//! * with the feature `pipeline`, with every stage from a picture's bytes on, for any WebAssembly engine. The only one that
//!   needs the standard library, as decoding PNG does, and so the target `wasm32-unknown-unknown`.
//!
//! On other targets this crate is empty.
#![cfg(target_family = "wasm")]
#![cfg_attr(not(feature = "pipeline"), no_std)]

extern crate alloc;

#[cfg(not(any(feature = "pipeline", feature = "runtime")))]
mod allocator;
#[cfg(not(feature = "runtime"))]
mod exchange;
#[cfg(not(any(feature = "pipeline", feature = "runtime")))]
mod module;
#[cfg(feature = "pipeline")]
mod pipeline;
#[cfg(feature = "runtime")]
mod runtime;

#[cfg(not(feature = "pipeline"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
