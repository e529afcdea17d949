//! What the host calls. A host that passes anything but what these functions gave it breaks only its own sandbox.
#![allow(unsafe_code)]

use crate::allocator::ALLOCATOR;
use core::arch::wasm32::unreachable;
use ve_ml_engine::{Execution, Net};

extern crate alloc;
use alloc::{boxed::Box, vec};

/// Memory for the host to write `len` bytes to.
#[unsafe(no_mangle)]
extern "C" fn reserve(len: usize) -> *mut u8 {
    Box::leak(vec![0; len].into_boxed_slice()).as_mut_ptr()
}

/// Proves the artefact at an address; traps when it is refused.
#[unsafe(no_mangle)]
extern "C" fn load(artefact: *const u8, len: usize) -> *const Net<'static> {
    // SAFETY: the host passes what `reserve` gave it, and never gives it back.
    let artefact = unsafe { core::slice::from_raw_parts(artefact, len) };
    match Net::parse(artefact) {
        Ok(net) => Box::leak(Box::new(net)),
        Err(_) => unreachable(),
    }
}

/// Runs a network; the answer is the address (upper half) and the number of the activations, all outputs in a row.
#[unsafe(no_mangle)]
extern "C" fn run(net: *const Net<'static>, pixels: *const u8, len: usize) -> u64 {
    // SAFETY: the host passes what `load` and `reserve` gave it.
    let (net, pixels) = unsafe { (&*net, core::slice::from_raw_parts(pixels, len)) };
    match net.run(pixels, Execution::default()) {
        Ok(outputs) => {
            let all = Box::leak(outputs.concat().into_boxed_slice());
            (all.as_ptr() as u64) << 32 | all.len() as u64
        }
        Err(_) => unreachable(),
    }
}

/// Bytes of the largest single allocation so far.
#[unsafe(no_mangle)]
extern "C" fn largest_allocation() -> usize {
    ALLOCATOR.largest()
}
