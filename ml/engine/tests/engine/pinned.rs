//! The shipped networks and their known answers. The tests of `ml/guest` use this file, too.

use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

/// Lines of `known-answers.txt`: model, number of the picture, SHA-256 of the answer.
pub fn pinned() -> Vec<(String, u32, String)> {
    let text = fs::read_to_string(folder().join("known-answers.txt"))
        .expect("the known answers are committed");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [model, number, digest] = words[..] else {
                panic!("not a known answer: {line}")
            };
            (
                model.to_string(),
                number.parse().expect("a number"),
                digest.to_string(),
            )
        })
        .collect()
}

pub fn artefact(model: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{model}.veml"))).expect("the artefact is committed")
}

/// All outputs in a row, little-endian.
pub fn digest(activations: &[i16]) -> String {
    let bytes: Vec<u8> = activations.iter().flat_map(|a| a.to_le_bytes()).collect();
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}
