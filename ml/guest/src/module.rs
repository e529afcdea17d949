//! One network, for any WebAssembly engine.
#![allow(unsafe_code)]

use crate::{
    allocator::ALLOCATOR,
    exchange::{answer, given},
};
use alloc::boxed::Box;
use core::arch::wasm32::unreachable;
use ve_ml_engine::{Execution, Net};

/// Proves the artefact at an address; traps when it is refused.
#[unsafe(no_mangle)]
extern "C" fn load(artefact: *const u8, len: usize) -> *const Net<'static> {
    // SAFETY: the host passes what `reserve` gave it.
    match Net::parse(unsafe { given(artefact, len) }) {
        Ok(net) => Box::leak(Box::new(net)),
        Err(_) => unreachable(),
    }
}

/// Runs a network; answers the activations, all outputs in a row.
#[unsafe(no_mangle)]
extern "C" fn run(net: *const Net<'static>, pixels: *const u8, len: usize) -> u64 {
    // SAFETY: the host passes what `load` and `reserve` gave it.
    let (net, pixels) = unsafe { (&*net, given(pixels, len)) };
    match net.run(pixels, Execution::default()) {
        Ok(outputs) => answer(outputs.concat()),
        Err(_) => unreachable(),
    }
}

/// Bytes of the largest single allocation so far.
#[unsafe(no_mangle)]
extern "C" fn largest_allocation() -> usize {
    ALLOCATOR.largest()
}
