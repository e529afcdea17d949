//! Envelopes against the cipher alone.

use crate::report::{median, Row};
use aes_gcm::{
    aead::{Aead, KeyInit},
    Aes256Gcm, Nonce,
};
use anyhow::{anyhow, ensure, Result};
use std::time::Instant;
use ve_envelope::{seal, Binding, SecretKey};

const ROUNDS: usize = 3;

/// Sealing `mib` MiB to one recipient against one AES-256-GCM message of the same length, in memory, by turns.
pub fn rows(mib: usize) -> Result<Vec<Row>> {
    // Not all zeros: nothing here compresses, but pages that were never written are no memory.
    let text: Vec<u8> = (0..mib << 20).map(|i| (i % 251) as u8).collect();
    let recipient = SecretKey::generate()?.public();
    let binding = Binding::payload([7; 32], &[1; 32]);
    let cipher = Aes256Gcm::new_from_slice(&[3; 32]).map_err(|e| anyhow!("{e}"))?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let from = Instant::now();
        let (_, body) = seal(&text, &[recipient], &binding)?;
        ours.push(mib as f64 / from.elapsed().as_secs_f64());
        ensure!(body.len() > text.len(), "the envelope is too short");
        drop(body);
        let from = Instant::now();
        let sealed = cipher
            .encrypt(Nonce::from_slice(&[0; 12]), &text[..])
            .map_err(|e| anyhow!("{e}"))?;
        plain.push(mib as f64 / from.elapsed().as_secs_f64());
        ensure!(
            sealed.len() == text.len() + 16,
            "the cipher's output is too short"
        );
    }
    let (ours, plain) = (median(&ours), median(&plain));
    let row = Row::ratio(
        "sealing throughput ÷ AES-256-GCM alone",
        ours / plain,
        (ours, "MiB/s"),
        (plain, "MiB/s"),
    );
    Ok(vec![row.note(
        "an envelope also hashes its ciphertext (Blake2b-256); median of 3, in memory, one thread",
    )])
}
