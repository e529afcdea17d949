//! Exit codes and what is printed.

use crate::folders::{folder, landscape, models, LICENCE, NOW};
use std::{fs, process::Command};

struct Ran {
    code: Option<i32>,
    out: String,
    error: String,
}

fn run(arguments: &[&str]) -> Ran {
    let models = models();
    let output = Command::new(env!("CARGO_BIN_EXE_ve-score"))
        .args(["--models", models.to_str().expect("text")])
        .args(arguments)
        .output()
        .expect("it can be started");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("text"),
        error: String::from_utf8(output.stderr).expect("text"),
    }
}

#[test]
fn program_should_explain_the_score_when_a_folder_is_given() {
    let files = [
        ("request.toml", NOW.as_bytes()),
        ("document.png", &landscape()),
        ("back.png", LICENCE),
    ];
    let folder = folder(&files);
    let (path, pictures) = (folder.path().to_str().unwrap(), folder.path().join("seen"));
    let ran = run(&["score", path, "--pictures", pictures.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.error);
    for part in ["BarcodeLicence", "DocumentExpired", "barcode ", "score "] {
        let there = ran.out.contains(part);
        assert_eq!(there, part != "DocumentExpired", "{part}: {}", ran.out);
    }
    assert!(
        ran.out.contains("add a picture of your face"),
        "{}",
        ran.out
    );
    for name in [
        "back-barcode.png",
        "document-faces.png",
        "document-outline.png",
    ] {
        let picture = fs::read(pictures.join(name)).expect("it was written");
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        assert!(ran.error.contains(name), "{}", ran.error);
    }

    let ran = run(&["score", path, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(json["features"]["BarcodeFields"], 10);
    assert_eq!(json["band"], "weak");
    assert_eq!(json["digests"].as_object().unwrap().len(), 11);
    let points: u64 = json["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["points"].as_u64().unwrap())
        .sum();
    assert!(json["score"].as_u64().unwrap() <= points);
    // The same evidence gives the same words.
    assert_eq!(
        run(&["score", path, "--json", "--threads", "2"]).out,
        ran.out
    );
}

#[test]
fn program_should_find_its_known_answers_when_they_are_checked() {
    let ran = run(&["check"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.error);
    assert!(
        ran.out.contains("sface") && ran.out.contains("score"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("another"), "{}", ran.out);
    let ran = run(&["manifest", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.error);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let production = |name: &str| {
        let entries = json.as_array().unwrap().iter();
        entries
            .clone()
            .find(|e| e["name"] == name)
            .map(|e| e["production"].as_bool().unwrap())
    };
    assert_eq!(
        (
            production("yunet"),
            production("sface"),
            production("score")
        ),
        (Some(true), Some(false), Some(true))
    );
    assert!(run(&["manifest"]).out.contains("blocked"));
}

#[test]
fn program_should_say_what_is_wrong_when_it_cannot_work() {
    let ran = run(&[]);
    assert_eq!(ran.code, Some(2));
    let ran = run(&["score", "/there/is/no/such/folder"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.error.contains("request.toml"), "{}", ran.error);
    for (request, part) in [
        ("time = 5\n", "time_ms"),
        ("time_ms = 5\nweb = [\"fax\"]\n", "web-email"),
        ("time_ms = 5\nuser = \"abc\"\n", "sr25519:"),
        ("time_ms = 5\nsalt = \"12\"\n", "64 hexadecimal digits"),
    ] {
        let folder = folder(&[("request.toml", request.as_bytes())]);
        let ran = run(&["score", folder.path().to_str().unwrap()]);
        assert_eq!(ran.code, Some(3), "{request}");
        assert!(ran.error.contains(part), "{request}: {}", ran.error);
    }
    let twice = folder(&[
        ("request.toml", NOW.as_bytes()),
        ("back.png", LICENCE),
        ("back.jpg", LICENCE),
    ]);
    let ran = run(&["score", twice.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.error.contains("keep one"), "{}", ran.error);
}

#[test]
fn program_should_refuse_models_when_their_bytes_are_others() {
    let changed = tempfile::tempdir().unwrap();
    for file in [
        "manifest.toml",
        "yunet.veml",
        "sface.veml",
        "mrz.veml",
        "score.weights",
    ] {
        fs::copy(models().join(file), changed.path().join(file)).unwrap();
    }
    let weights = changed.path().join("score.weights");
    let text = fs::read_to_string(&weights)
        .unwrap()
        .replacen("mrz 24", "mrz 25", 1);
    fs::write(&weights, text).unwrap();
    let folder = folder(&[("request.toml", NOW.as_bytes())]);
    let run = |models: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_ve-score"));
        program
            .args(["score", folder.path().to_str().unwrap(), "--models", models])
            .output()
            .unwrap()
    };
    let output = run(changed.path().to_str().unwrap());
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("pinned is"));
    let output = run("/there/are/no/models");
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--models"));
}
