//! Integer-only inference of convolutional networks: one bit pattern on every machine.
//!
//! Floating-point sums depend on their order, and the order depends on the instruction set, the cache sizes and the
//! library version; two honest verifiers therefore disagree in the last bits of an embedding. Integer sums do not
//! depend on their order. This crate has no floating point at all: activations are `i16`, weights `i8`, accumulators
//! `i32`, and a layer ends in a fixed-point multiplication ([`requant`]). It runs natively in a verifier, with SIMD and
//! threads, and the plain path of the same crate runs as WebAssembly inside the chain's runtime, as the referee.
//!
//! * [`Graph`] is what an artefact file says, [`Graph::encode`] and [`Graph::decode`] are the file format.
//! * [`Net`] is a graph that has been proved: every shape fits, no accumulator can overflow on any input, no buffer is
//!   larger than the runtime's allocator allows, no run is endless. Only a proved graph can be run.
//! * [`Kernels`] names the instruction set to run with. All of them give the same bits.
//!
//! The crate trusts nothing that it reads: a malformed artefact is refused with an [`Error`], never with a panic.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod conv;
mod cosine;
mod error;
mod format;
mod graph;
mod kernels;
mod net;
mod ops;
mod plain;
mod prove;
pub mod requant;
pub mod sample;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod simd;
mod spread;

pub use cosine::cosine_ppm;
pub use error::Error;
pub use graph::{Add, Conv, Graph, Input, Op, Pool, Table, Upsample, Weights};
pub use kernels::Kernels;
pub use net::{Execution, Net, Shape};
