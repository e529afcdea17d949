//! Known answers: one for every instruction set, every number of threads and WebAssembly.
//!
//! Every answer is printed as `answer EXECUTOR WHAT OF DIGEST`; `scripts/ml-bench.sh` makes its table of these lines.

use crate::{
    decode::{JPEGS, PNGS},
    fixture, models, pipeline,
    scene::{Scene, SEVERITIES},
};
use std::fs;
use ve_ml_engine::{Execution, Kernels};
use ve_ml_pipeline::{
    sample,
    stages::{Digest, Stage},
    Picture, Pipeline,
};

/// Something that runs the stages: the functions of [`sample`].
pub trait Machine {
    fn decoded(&mut self, file: &[u8]) -> Option<Digest>;
    fn outlined(&mut self, picture: &Picture) -> Option<Digest>;
    fn analysed(&mut self, document: &[u8], selfie: &[u8]) -> [Digest; Stage::ALL.len()];
}

impl Machine for Pipeline<'_> {
    fn decoded(&mut self, file: &[u8]) -> Option<Digest> {
        sample::decoded(file)
    }

    fn outlined(&mut self, picture: &Picture) -> Option<Digest> {
        sample::outlined(picture)
    }

    fn analysed(&mut self, document: &[u8], selfie: &[u8]) -> [Digest; Stage::ALL.len()] {
        sample::analysed(self, document, selfie)
    }
}

/// Every decoder path, a document of each severity, and every stage of an analysis.
fn answers(machine: &mut impl Machine) -> Vec<String> {
    let line = |what: &str, of: &str, digest: Digest| {
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        format!("{what} {of} {hex}")
    };
    let mut lines = Vec::new();
    for name in JPEGS.into_iter().chain(PNGS) {
        let digest = machine.decoded(&fixture(name)).expect("a valid picture");
        lines.push(line("decode", name, digest));
    }
    for severity in &SEVERITIES {
        let picture = Scene::new(severity, 2).picture;
        let digest = machine.outlined(&picture).expect("a document");
        lines.push(line("outline", severity.name, digest));
    }
    let digests = machine.analysed(&fixture("face.png"), &fixture("turned.png"));
    for (stage, digest) in Stage::ALL.iter().zip(digests) {
        lines.push(line("stage", &format!("{stage:?}"), digest));
    }
    lines
}

/// Prints a machine's answers, and holds them to the pinned ones.
pub fn check(executor: &str, machine: &mut impl Machine) {
    let pinned = fs::read_to_string(models().join("pipeline-answers.txt")).unwrap_or_default();
    let pinned = pinned.lines().filter(|line| !line.starts_with('#'));
    let pinned: Vec<&str> = pinned.collect();
    let found = answers(machine);
    for line in &found {
        println!("answer {executor} {line}");
    }
    assert_eq!(found, pinned, "{executor}");
}

#[test]
fn pipeline_should_give_the_known_answers_when_run_in_any_way() {
    for kernels in Kernels::available() {
        for threads in [1, 2] {
            let executor = format!("{},{threads}", kernels.name());
            check(&executor, &mut pipeline(Execution { kernels, threads }));
        }
    }
}
