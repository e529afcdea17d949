//! Known answers: one for every instruction set, every number of threads and WebAssembly.
//!
//! Every answer is printed as `answer EXECUTOR WHAT OF DIGEST`; `scripts/ml-bench.sh` makes its table of these lines.

use crate::{
    decode::{JPEGS, PNGS},
    file, fixture, models, pipeline,
    scene::{Scene, SEVERITIES},
    READER,
};
use std::fs;
use ve_ml_documents::{sample as documents, Reader};
use ve_ml_engine::{Execution, Kernels};
use ve_ml_pipeline::{
    sample,
    stages::{Digest, Stage},
    Outcome, Picture, Pipeline, Slot,
};

/// Documents with a zone of each size, and the pictures of their fronts and backs. There is nothing to read on `face.png`.
/// TD1 is seen aslant, with letters where digits belong; TD2 lies on its side, and one symbol is repaired by the check
/// digits; its barcode is aslant and damaged. TD3 is as a camera sees it, with somebody else's barcode.
const DOCUMENTS: [(&str, [&str; 2]); 3] = [
    (
        "TD1",
        ["fixtures/face.png", "../documents/pictures/td1.png"],
    ),
    (
        "TD2",
        [
            "../documents/pictures/td2.png",
            "../documents/pictures/damaged.png",
        ],
    ),
    (
        "TD3",
        [
            "../mrz/tests/mrz/medium.png",
            "../barcode/src/tests/pictures/licence.png",
        ],
    ),
];

/// Something that runs the stages: the functions of [`sample`] and [`documents`].
pub trait Machine {
    fn decoded(&mut self, file: &[u8]) -> Option<Digest>;
    fn outlined(&mut self, picture: &Picture) -> Option<Digest>;
    fn analysed(&mut self, document: &[u8], selfie: &[u8]) -> [Digest; Stage::ALL.len()];
    fn documented(&mut self, front: &[u8], back: &[u8]) -> [Digest; Stage::ALL.len()];
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

    fn documented(&mut self, front: &[u8], back: &[u8]) -> [Digest; Stage::ALL.len()] {
        read(self, front, back).digests
    }
}

fn read(pipeline: &Pipeline, front: &[u8], back: &[u8]) -> Outcome {
    let reader = Reader::new(&READER).expect("the committed network is valid");
    documents::documented(pipeline, &reader, front, back)
}

/// Every decoder path, an outline of each severity, every stage of an analysis, and of documents that are read.
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
    let mut stages = |what, digests: [Digest; Stage::ALL.len()]| {
        for (stage, digest) in Stage::ALL.iter().zip(digests) {
            lines.push(line(what, &format!("{stage:?}"), digest));
        }
    };
    stages(
        "stage",
        machine.analysed(&fixture("face.png"), &fixture("turned.png")),
    );
    for (format, sides) in DOCUMENTS {
        let [front, back] = sides.map(file);
        stages(format, machine.documented(&front, &back));
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

#[test]
fn documents_should_be_read_and_compared_when_their_answers_are_known() {
    let slots = [
        Slot::MrzFormat,
        Slot::MrzPresent,
        Slot::MrzValid,
        Slot::MrzRepaired,
        Slot::BarcodeFound,
        Slot::BarcodeCorrected,
        Slot::BarcodeLicence,
        Slot::CrossName,
        Slot::CrossNumber,
    ];
    let found = DOCUMENTS.map(|(_, sides)| {
        let [front, back] = sides.map(file);
        let outcome = read(&pipeline(Execution::default()), &front, &back);
        slots.map(|slot| outcome.features.get(slot))
    });
    assert_eq!(
        found,
        [
            [1, 23, 23, 0, 0, 0, 0, -1, -1],
            [2, 23, 23, 1, 2, 78, 1, 1, 1],
            [3, 31, 31, 0, 2, 0, 1, 0, 0],
        ]
    );
}
