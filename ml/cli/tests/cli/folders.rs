//! Folders of evidence, made for a test.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};
use tempfile::TempDir;
use ve_ml_cli::{evidence::Folder, models::Manifest};
use ve_ml_documents::{Documents, Reader};
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    models::{Detector, Embedder},
    Outcome, Pipeline,
};
use ve_ml_score::{assess, Assessment, Reason, Weights};

/// 26 November 2026.
pub const NOW: &str = "time_ms = 1795651200000\n";

/// The back of a licence, born 31 January 1990, issued 15 June 2023, valid to 31 December 2031.
pub const LICENCE: &[u8] = include_bytes!("../../../barcode/src/tests/pictures/licence.png");
/// A code that is no licence.
pub const NO_LICENCE: &[u8] = include_bytes!("../../../barcode/src/tests/pictures/digits.png");

pub fn models() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

struct Models {
    detector: Vec<u8>,
    embedder: Vec<u8>,
    reader: Vec<u8>,
    weights: Weights,
}

static MODELS: LazyLock<Models> = LazyLock::new(|| {
    let manifest = Manifest::read(&models()).expect("the manifest is committed");
    Models {
        detector: manifest.network("yunet").expect("pinned"),
        embedder: manifest.network("sface").expect("pinned"),
        reader: manifest.network("mrz").expect("pinned"),
        weights: manifest.weights().expect("pinned"),
    }
});

/// A folder with these files.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        fs::write(path, bytes).expect("it can be written");
    }
    folder
}

pub fn score(folder: &Path) -> (Outcome, Assessment) {
    let folder = Folder::read(folder).expect("a usable folder");
    let pipeline = Pipeline {
        detector: Detector::parse(&MODELS.detector).expect("valid"),
        embedder: Embedder::parse(&MODELS.embedder).expect("valid"),
        how: Execution::default(),
    };
    let reader = Reader::new(&MODELS.reader).expect("valid");
    let expected = folder.expected();
    let outcome = pipeline.run(
        &folder.evidence(),
        &expected,
        &mut Documents::new(&reader, pipeline.how, expected.now_ms),
    );
    let assessment = assess(&MODELS.weights, &outcome.features, folder.scopes());
    (outcome, assessment)
}

/// Whether the scorer named a reason.
pub fn caps(assessment: &Assessment, reason: Reason) -> bool {
    assessment.caps.iter().any(|cap| cap.reason == reason)
}

/// A PNG file of RGB pixels.
pub fn png(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("a valid header");
    let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb: Vec<u8> = rows.flat_map(|(x, y)| pixel(x, y)).collect();
    writer
        .write_image_data(&rgb)
        .expect("as many pixels as it says");
    writer.finish().expect("written to memory");
    file
}

/// Hills under a sky.
pub fn landscape() -> Vec<u8> {
    png(480, 320, |x, y| {
        let hill = 180 + (x * 7 % 61) / 4 + (x / 3) % 40;
        match (y < hill, (x + 2 * y) % 5) {
            (true, _) => [120 + (y / 4) as u8, 170, 230],
            (false, n) => [40 + 6 * n as u8, 110 + 5 * n as u8, 50],
        }
    })
}
