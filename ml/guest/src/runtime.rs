//! What the node's executor calls: functions that take the address and length of their input and answer both of their
//! output, as a runtime's do.
#![allow(unsafe_code)]

use alloc::{boxed::Box, vec::Vec};
use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::unreachable,
    ptr::null_mut,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use ve_ml_engine::{Execution, Net};
use ve_ml_score::{assess, features::SLOTS, Features, Scopes, Weights};

#[link(wasm_import_module = "env")]
extern "C" {
    fn ext_allocator_malloc_version_1(size: usize) -> *mut u8;
    fn ext_allocator_free_version_1(block: *mut u8);
}

/// The node's allocator, and the size of the largest allocation so far.
struct Host(AtomicUsize);

#[global_allocator]
static HOST: Host = Host(AtomicUsize::new(0));

/// What the node's allocator aligns to.
const ALIGNMENT: usize = 8;

// SAFETY: the node hands out disjoint blocks, aligned to eight bytes, and traps when it has none.
unsafe impl GlobalAlloc for Host {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGNMENT {
            return null_mut();
        }
        self.0.fetch_max(layout.size(), Relaxed);
        // SAFETY: any size may be asked for.
        unsafe { ext_allocator_malloc_version_1(layout.size()) }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the block came from `alloc`, and this is the caller's last use of it.
        unsafe { ext_allocator_free_version_1(block) }
    }
}

/// Runs a network. Input: the artefact's length (four bytes, little-endian), the artefact, a picture. Output: bytes of the
/// largest allocation (four bytes), then the activations, all outputs in a row.
#[unsafe(no_mangle)]
extern "C" fn run(input: *const u8, len: usize) -> u64 {
    respond(input, len, activations)
}

/// Scores evidence. Input: the scorer's weights, 64 features, the bits of the web scopes; numbers of two bytes, little-endian.
/// Output: bytes of the largest allocation (four bytes), the score, the points of every line, and of every limit the code of
/// its reason and the most that it allows.
#[unsafe(no_mangle)]
extern "C" fn score(input: *const u8, len: usize) -> u64 {
    respond(input, len, assessment)
}

fn respond(input: *const u8, len: usize, answer: fn(&[u8]) -> Option<Vec<u8>>) -> u64 {
    // SAFETY: the executor passes what it allocated for this call.
    let input = unsafe { core::slice::from_raw_parts(input, len) };
    let Some(answer) = answer(input) else {
        unreachable()
    };
    let mut output = Vec::with_capacity(4 + answer.len());
    output.extend((HOST.0.load(Relaxed) as u32).to_le_bytes());
    output.extend(answer);
    let output = Box::leak(output.into_boxed_slice());
    (output.len() as u64) << 32 | output.as_ptr() as u64
}

fn activations(input: &[u8]) -> Option<Vec<u8>> {
    let (len, input) = input.split_first_chunk()?;
    let (artefact, pixels) = input.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let net = Net::parse(artefact).ok()?;
    let activations = net.run(pixels, Execution::default()).ok()?.concat();
    Some(activations.iter().flat_map(|a| a.to_le_bytes()).collect())
}

fn assessment(input: &[u8]) -> Option<Vec<u8>> {
    let (input, scopes) = input.split_last_chunk()?;
    let (weights, features) = input.split_last_chunk::<{ 2 * SLOTS }>()?;
    let mut values = [0; SLOTS];
    for (value, bytes) in values.iter_mut().zip(features.as_chunks().0) {
        *value = i16::from_le_bytes(*bytes);
    }
    let assessment = assess(
        &Weights::parse(weights).ok()?,
        &Features::from_values(values).ok()?,
        Scopes::from_bits(u16::from_le_bytes(*scopes))?,
    );
    let points = assessment.lines.iter().map(|line| line.points);
    let limits = assessment.caps.iter();
    let limits = limits.flat_map(|cap| [cap.reason.code(), cap.most]);
    let score = core::iter::once(assessment.score);
    Some(score.chain(points).chain(limits).collect())
}
