//! Synthetic documents are the same everywhere, and the reader reads them.

use sha2::{Digest, Sha256};
use std::{fs, path::Path};
use ve_ml_mrz::Reader;
use ve_ml_training::mrz::{
    measure::{measure, passport, FIRST},
    scene::Fonts,
};

/// Pictures of a severity that the default run reads; the model card has figures of more.
const FEW: u64 = 6;

fn data(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("data")
            .join(name),
    )
    .expect("a committed file")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn severities_should_be_the_frozen_ones_when_measured_on() {
    assert_eq!(
        sha256(&data("mrz-severities.toml")),
        "2e2e8ceff7aa5a8a3a9baf2632a997797a50f450a8a270996fc8763013c483a0"
    );
}

#[test]
fn pictures_should_be_the_same_ones_when_made_again() {
    let fonts = Fonts::new().unwrap();
    let mut made = String::new();
    for severity in ["clean", "hard"] {
        let (lines, scene) = passport(severity, FIRST, 0, &fonts).unwrap();
        let picture = scene.picture;
        made += &format!(
            "{severity} {}x{} {}\n{lines}",
            picture.width(),
            picture.height(),
            sha256(picture.pixels())
        );
    }
    assert_eq!(made, String::from_utf8(data("mrz-pictures.txt")).unwrap());
}

#[test]
fn passports_should_be_read_exactly_when_they_are_clean() {
    let artefact =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/mrz.veml")).unwrap();
    let reader = Reader::new(&artefact).unwrap();
    let fonts = Fonts::new().unwrap();
    let m = measure(&reader, "clean", FIRST, FEW, &fonts, |_, _, _| {}).unwrap();
    assert_eq!((m.exact, m.wrong, m.missed), (FEW as usize, 0, 0), "{m:?}");
}
