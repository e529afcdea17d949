//! Tests of the pipeline as its users see it.

mod answers;
#[path = "../../../guest/tests/guest/build.rs"]
mod build;
mod capture;
mod challenge;
mod decode;
mod evidence;
mod faces;
#[path = "../../../guest/tests/guest/host.rs"]
mod host;
mod large;
mod outline;
mod scene;
mod webassembly;
mod whole;

use std::{env, fs, path::PathBuf, sync::LazyLock};
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    models::{Detector, Embedder},
    Picture, Pipeline,
};

fn models() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

/// The bytes of a file of `fixtures`.
fn fixture(name: &str) -> Vec<u8> {
    file(&format!("fixtures/{name}"))
}

/// The bytes of a file, named from this crate's folder.
fn file(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn picture(name: &str) -> Picture {
    ve_ml_pipeline::decode(&fixture(name)).expect("a fixture is a valid picture")
}

/// Random cases of a test: a few by default, more for a long run with `VE_FUZZ` times as many.
fn cases(few: u32) -> u32 {
    let times: u32 =
        env::var("VE_FUZZ").map_or(1, |times| times.parse().expect("VE_FUZZ is a number"));
    few * times
}

static DETECTOR: LazyLock<Vec<u8>> = LazyLock::new(|| artefact("yunet"));
static EMBEDDER: LazyLock<Vec<u8>> = LazyLock::new(|| artefact("sface"));
static READER: LazyLock<Vec<u8>> = LazyLock::new(|| artefact("mrz"));

fn artefact(model: &str) -> Vec<u8> {
    fs::read(models().join(format!("{model}.veml"))).expect("the artefact is committed")
}

fn pipeline(how: Execution) -> Pipeline<'static> {
    Pipeline {
        detector: Detector::parse(&DETECTOR).expect("the committed network is valid"),
        embedder: Embedder::parse(&EMBEDDER).expect("the committed network is valid"),
        how,
    }
}
