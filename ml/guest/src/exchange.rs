//! How bytes go in and out of a module that is run by itself. A host that passes anything but what these functions gave it
//! breaks only its own sandbox.
#![allow(unsafe_code)]

use alloc::{boxed::Box, vec, vec::Vec};

/// Memory for the host to write `len` bytes to.
#[unsafe(no_mangle)]
extern "C" fn reserve(len: usize) -> *mut u8 {
    Box::leak(vec![0; len].into_boxed_slice()).as_mut_ptr()
}

/// What the host wrote.
///
/// # Safety
///
/// The host passes what `reserve` gave it, and never gives it back.
pub unsafe fn given(at: *const u8, len: usize) -> &'static [u8] {
    // SAFETY: as above.
    unsafe { core::slice::from_raw_parts(at, len) }
}

/// What the host is to read: the address (upper half) and the number of elements.
pub fn answer<T>(elements: Vec<T>) -> u64 {
    let elements = Box::leak(elements.into_boxed_slice());
    (elements.as_ptr() as u64) << 32 | elements.len() as u64
}
