//! The shipped networks: one answer for every instruction set, every number of threads, and WebAssembly.

use crate::wasm::Guest;
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};
use ve_ml_engine::{sample::picture, Execution, Kernels, Net};

fn models() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

/// Lines of `known-answers.txt`: model, number of the picture, SHA-256 of the answer.
fn pinned() -> Vec<(String, u32, String)> {
    let text = fs::read_to_string(models().join("known-answers.txt"))
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

fn artefact(model: &str) -> Vec<u8> {
    fs::read(models().join(format!("{model}.veml"))).expect("the artefact is committed")
}

/// All outputs in a row, little-endian.
fn digest(activations: &[i16]) -> String {
    let bytes: Vec<u8> = activations.iter().flat_map(|a| a.to_le_bytes()).collect();
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[test]
fn networks_should_give_the_known_answers_when_run_natively() {
    let mut other = Vec::new();
    for (model, number, expected) in pinned() {
        let artefact = artefact(&model);
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        let pixels = picture(number, net.shape(0).unwrap());
        for kernels in Kernels::available() {
            for threads in [1, 2] {
                let answer = net
                    .run(&pixels, Execution { kernels, threads })
                    .unwrap()
                    .concat();
                if digest(&answer) != expected {
                    other.push(format!(
                        "{model} {number} {} {kernels:?} {threads}",
                        digest(&answer)
                    ));
                }
            }
        }
    }
    assert!(
        other.is_empty(),
        "other answers than the known ones:\n{}",
        other.join("\n")
    );
}

#[test]
fn networks_should_give_the_known_answers_when_run_as_webassembly() {
    let answers = pinned();
    let mut models: Vec<_> = answers.iter().map(|(model, ..)| model).collect();
    models.dedup();
    for model in models {
        let artefact = artefact(model);
        let shape = Net::parse(&artefact)
            .expect("a shipped artefact is valid")
            .shape(0)
            .unwrap();
        let mut guest = Guest::new();
        guest.load(&artefact);
        for (_, number, expected) in answers.iter().filter(|(m, ..)| m == model) {
            assert_eq!(
                digest(&guest.run(&picture(*number, shape))),
                *expected,
                "{model} {number}"
            );
        }
        // What the runtime's allocator allows, and what the referee may use in all.
        let (largest, memory) = (guest.largest_allocation(), guest.memory());
        println!(
            "{model}: largest allocation {largest} bytes, memory {memory} bytes, {:?} for each run",
            guest.time()
        );
        assert!(
            largest <= 32 << 20,
            "{model}: an allocation of {largest} bytes"
        );
        assert!(memory <= 48 << 20, "{model}: {memory} bytes of memory");
    }
}
