//! Power-of-two sizes, freed blocks are used again, nothing above 32 MiB: the rules of the allocator that the node gives
//! a runtime, so that memory figures measured here mean something there.
#![allow(unsafe_code)]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size},
    cell::UnsafeCell,
    ptr::null_mut,
};

const PAGE: usize = 64 * 1024;
const SMALLEST: usize = 16;
const LARGEST: usize = 32 << 20;

struct State {
    /// End of what has been handed out.
    end: usize,
    /// For each power of two the first freed block; a freed block holds the address of the next.
    free: [usize; 32],
    largest: usize,
}

pub struct Allocator(UnsafeCell<State>);

// SAFETY: a module of this target has one thread.
unsafe impl Sync for Allocator {}

#[global_allocator]
pub static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(State {
    end: 0,
    free: [0; 32],
    largest: 0,
}));

impl Allocator {
    /// Bytes of the largest allocation so far.
    pub fn largest(&self) -> usize {
        // SAFETY: one thread, and no reference to the state outlives a function of this file.
        unsafe { (*self.0.get()).largest }
    }
}

fn size_of(layout: Layout) -> usize {
    layout
        .size()
        .max(layout.align())
        .max(SMALLEST)
        .next_power_of_two()
}

// SAFETY: blocks are disjoint (taken once from the end of the memory, or from the list of freed blocks of the same
// size) and aligned to their size up to a page, which covers every alignment that is asked for.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference to the state outlives this function.
        let state = unsafe { &mut *self.0.get() };
        let size = size_of(layout);
        if layout.size() > LARGEST {
            return null_mut();
        }
        state.largest = state.largest.max(layout.size());
        let class = size.trailing_zeros() as usize;
        if state.free[class] != 0 {
            let block = state.free[class] as *mut usize;
            // SAFETY: `dealloc` wrote the address of the next freed block there.
            state.free[class] = unsafe { block.read() };
            return block.cast();
        }
        if state.end == 0 {
            state.end = memory_size(0) * PAGE;
        }
        let start = state.end.next_multiple_of(size.min(PAGE));
        let missing = (start + size).saturating_sub(memory_size(0) * PAGE);
        if memory_grow(0, missing.div_ceil(PAGE)) == usize::MAX {
            return null_mut();
        }
        state.end = start + size;
        start as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: one thread, and no reference to the state outlives this function.
        let state = unsafe { &mut *self.0.get() };
        let class = size_of(layout).trailing_zeros() as usize;
        // SAFETY: the block is the caller's last use of it, and at least as large as an address.
        unsafe { block.cast::<usize>().write(state.free[class]) };
        state.free[class] = block as usize;
    }
}
