//! Tests of the envelope's public face.

mod interop;
mod recipients;
mod segments;
mod vectors;

use ve_envelope::*;

/// The 32-byte account that the tests seal for.
const CUSTOMER: [u8; 32] = [3; 32];

fn binding() -> Binding {
    Binding::payload([7; 32], &CUSTOMER)
}

fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}

/// Bytes without a pattern, the same on every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.push(state as u8);
    }
    bytes
}
