//! Known answers: one for every instruction set and every number of threads.

use crate::{
    decode::{JPEGS, PNGS},
    evidence::expected,
    fixture, models, picture, pipeline,
    scene::{Scene, SEVERITIES},
};
use std::fs;
use ve_ml_engine::{Execution, Kernels};
use ve_ml_pipeline::{
    outline::{Outline, Printed},
    stages::{blake2_256, Stage},
    Evidence,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Every decoder path, then every stage of an analysis.
fn answers(how: Execution) -> Vec<String> {
    let decoded = JPEGS.into_iter().chain(PNGS).map(|name| {
        let picture = picture(name);
        format!("decode {name} {}", hex(&blake2_256(picture.rgb())))
    });
    let (face, turned) = (fixture("face.png"), fixture("turned.png"));
    let evidence = Evidence {
        document: Some(&face),
        selfie: Some(&turned),
        frames: vec![&turned],
        ..Evidence::default()
    };
    let outcome = pipeline(how).run(&evidence, &expected(7), &mut ());
    let digests = Stage::ALL.iter().zip(&outcome.digests);
    let stages = digests.map(|(stage, digest)| format!("stage {stage:?} {}", hex(digest)));
    decoded.chain(outlines()).chain(stages).collect()
}

/// For each severity the corners of a document and the document laid flat.
fn outlines() -> impl Iterator<Item = String> {
    SEVERITIES.iter().map(|severity| {
        let picture = Scene::new(severity, 2).picture;
        let outline = Outline::find(&picture, &Printed::default()).expect("a document");
        let corners = outline.corners.iter().flat_map(|p| [p.x, p.y]);
        let mut bytes: Vec<u8> = corners.flat_map(i64::to_le_bytes).collect();
        let flat = outline.rectified(&picture, 256).expect("a document");
        bytes.extend_from_slice(flat.rgb());
        format!("outline {} {}", severity.name, hex(&blake2_256(&bytes)))
    })
}

#[test]
fn pipeline_should_give_the_known_answers_when_run_in_any_way() {
    let pinned = fs::read_to_string(models().join("pipeline-answers.txt")).unwrap_or_default();
    let pinned: Vec<&str> = pinned
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    for kernels in Kernels::available() {
        for threads in [1, 2] {
            let found = answers(Execution { kernels, threads });
            assert_eq!(
                found,
                pinned,
                "{kernels:?}, {threads} threads, found:\n{}",
                found.join("\n")
            );
        }
    }
}
