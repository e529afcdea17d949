//! Outlines of real documents, from a folder that `VE_DOCUMENTS` names, and what looking for them costs.

use crate::folders::{folder, score, NOW};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};
use ve_ml_pipeline::{
    decode,
    outline::{Outline, Printed},
    Slot,
};

#[test]
fn outlines_should_be_found_when_real_documents_are_at_hand() {
    let Some(documents) = std::env::var_os("VE_DOCUMENTS").map(PathBuf::from) else {
        println!("not run: VE_DOCUMENTS names no folder of documents");
        return;
    };
    let is_picture = |f: &Path| f.extension().is_some_and(|e| e == "jpg" || e == "png");
    let entries = fs::read_dir(&documents)
        .unwrap_or_else(|e| panic!("VE_DOCUMENTS: {}: {e}", documents.display()));
    let mut files: Vec<_> = entries.map(|e| e.expect("readable").path()).collect();
    files.retain(|file| is_picture(file));
    files.sort();
    let mut found = 0;
    for file in &files {
        let bytes = fs::read(file).expect("readable");
        let evidence = [
            ("request.toml", NOW.as_bytes()),
            ("document.jpg", bytes.as_slice()),
        ];
        let (outcome, _) = score(folder(&evidence).path());
        let [is_found, width] =
            [Slot::DocumentFound, Slot::DocumentWidth].map(|slot| outcome.features.get(slot));
        found += usize::from(is_found == 1);
        let start = Instant::now();
        let picture = decode(&bytes).expect("a picture");
        let decoded = start.elapsed();
        Outline::find(&picture, &Printed::default());
        println!(
            "{:?}: {} x {} pixels, found {is_found}, upper edge {width}; decoding {decoded:.1?}, outline {:.1?}",
            file.file_name().unwrap_or_default(),
            picture.width(),
            picture.height(),
            start.elapsed() - decoded,
        );
    }
    println!("{found} outlines in {} pictures", files.len());
    assert!(4 * found >= 3 * files.len());
}
