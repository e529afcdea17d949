//! The weights file is refused when anything about it is not as it must be.

use crate::shipped;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use ve_ml_score::{Malformed, Weights, LONGEST};

fn text() -> String {
    String::from_utf8(shipped()).unwrap()
}

fn refused(text: &str) -> Malformed {
    Weights::parse(text.as_bytes()).expect_err("it is malformed")
}

/// Number of the line with a weight.
fn line(name: &str) -> usize {
    let begin = format!("{name} ");
    1 + text().lines().position(|l| l.starts_with(&begin)).unwrap()
}

#[test]
fn weights_should_be_the_pinned_ones_when_read_from_the_repository() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/manifest.toml");
    let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
    let pinned = manifest["scorer"][0]["artefact"]["sha256"]
        .as_str()
        .unwrap();
    let found: String = Sha256::digest(shipped())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(found, pinned, "ml/models/manifest.toml pins score.weights");
    let weights = Weights::parse(&shipped()).unwrap();
    assert_eq!(
        (weights.mrz, weights.face_reject, weights.cap_unsigned),
        (24, 3630, 85)
    );
    assert_eq!(Weights::NAMES.len(), 38);
}

#[test]
fn weights_should_be_refused_when_their_form_is_another() {
    let text = text();
    assert_eq!(refused(""), Malformed::Header);
    assert_eq!(
        refused(&text.replacen("VESCORE 1\n", "VESCORE 2\n", 1)),
        Malformed::Header
    );
    assert_eq!(
        refused(&text.replacen("VESCORE 1\n", "VESCORE 10\n", 1)),
        Malformed::Header
    );
    assert_eq!(Weights::parse(&[0xff; 4]), Err(Malformed::NotText));
    let long = format!("{text}{}", "#".repeat(LONGEST - text.len()));
    assert!(Weights::parse(long.as_bytes()).is_ok());
    assert_eq!(refused(&format!("{long}#")), Malformed::NotText);
    for other in [
        "mrz  24",
        "mrz 024",
        "mrz +24",
        "mrz -0",
        "mrz 24 ",
        "mrz",
        "mrz ",
        "mrz 2.4",
        "mrz 100000",
        "zone 24",
        " mrz 24",
        "mrz 24\r",
    ] {
        assert_eq!(
            refused(&text.replacen("mrz 24", other, 1)),
            Malformed::Line(line("mrz")),
            "{other}"
        );
    }
    assert_eq!(
        refused(&text.replacen("mrz 24", "mrz 101", 1)),
        Malformed::Range(line("mrz"))
    );
    assert_eq!(
        refused(&text.replacen("mrz 24", "mrz -1", 1)),
        Malformed::Range(line("mrz"))
    );
    assert_eq!(
        refused(text.strip_suffix("cap_unsigned 85\n").unwrap()),
        Malformed::Missing("cap_unsigned")
    );
    let lines = text.lines().count();
    assert_eq!(
        refused(&format!("{text}more 1\n")),
        Malformed::Line(lines + 1)
    );
    assert!(Weights::parse(format!("{text}\n# an end\n").as_bytes()).is_ok());
    let most = text.replacen("capture_age 60", "capture_age 32767", 1);
    let most = Weights::parse(most.as_bytes()).map(|w| w.capture_age);
    assert_eq!(most, Ok(32767));
}

#[test]
fn weights_should_be_refused_when_they_contradict_each_other() {
    let text = text();
    for (from, to) in [
        ("confidence_low 700", "confidence_low 950"),
        ("face_reject 3630", "face_reject 4501"),
        ("face_accept 4500", "face_accept 6500"),
        ("face_least 20", "face_least 35"),
        ("barcode 20", "barcode 25"),
        ("cap_replayed 0", "cap_replayed 11"),
        ("cap_expired 10", "cap_expired 26"),
        ("cap_unsigned 85", "cap_unsigned 69"),
    ] {
        assert!(text.contains(from), "{from}");
        let other = text.replacen(from, to, 1);
        assert!(
            matches!(refused(&other), Malformed::Relation(_)),
            "{to}: {}",
            refused(&other)
        );
    }
    // What touches is allowed.
    for (from, to) in [
        ("face_reject 3630", "face_reject 4500"),
        ("face_least 20", "face_least 34"),
        ("barcode 20", "barcode 24"),
        ("cap_expired 10", "cap_expired 25"),
    ] {
        assert!(
            Weights::parse(text.replacen(from, to, 1).as_bytes()).is_ok(),
            "{to}"
        );
    }
}

#[test]
fn refusals_should_say_where_when_shown_to_people() {
    for (refusal, part) in [
        (Malformed::NotText, "32768"),
        (Malformed::Header, "VESCORE 1"),
        (Malformed::Line(7), "line 7"),
        (Malformed::Range(8), "line 8"),
        (Malformed::Missing("mrz"), "mrz"),
        (Malformed::Relation("a < b"), "a < b"),
    ] {
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

proptest! {
    #[test]
    fn weights_should_not_panic_when_bytes_are_noise_or_damaged(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let _ = Weights::parse(&noise);
        let mut bytes = shipped();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(weights) = Weights::parse(&bytes) {
            prop_assert!(weights.face_accept < weights.face_full);
        }
    }
}
