//! Portraits of oneself and of somebody else: real faces, only from a folder that `VE_FACES` names (a sub-folder for each
//! person). They are personal data: nothing about them is printed but how many pairs were compared and their cosines'
//! ends.

use crate::folders::{caps, folder, score, NOW};
use std::{fs, path::PathBuf};
use ve_ml_score::{Reason, Slot};

fn sorted(folder: &PathBuf) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|e| panic!("VE_FACES: {}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|e| e.expect("readable").path()).collect();
    paths.sort();
    paths
}

#[test]
fn portrait_of_somebody_else_should_be_refused_when_real_faces_are_at_hand() {
    let Some(faces) = std::env::var_os("VE_FACES").map(PathBuf::from) else {
        println!("not run: VE_FACES names no folder of faces");
        return;
    };
    let people: Vec<Vec<PathBuf>> = sorted(&faces)
        .iter()
        .filter(|p| p.is_dir())
        .map(sorted)
        .collect();
    assert!(
        people.len() >= 2,
        "VE_FACES needs a sub-folder for each of at least two people"
    );
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for (i, person) in people.iter().enumerate() {
        for (j, other) in people.iter().enumerate() {
            let pair = if i == j {
                person.first().zip(person.get(1))
            } else {
                person.first().zip(other.first())
            };
            let Some((document, selfie)) = pair else {
                continue;
            };
            let read = |file: &PathBuf| fs::read(file).expect("readable");
            let files = [
                ("request.toml", NOW.as_bytes().to_vec()),
                ("document.jpg", read(document)),
                ("selfie.jpg", read(selfie)),
            ];
            let files: Vec<_> = files
                .iter()
                .map(|(name, bytes)| (*name, bytes.as_slice()))
                .collect();
            let (outcome, assessment) = score(folder(&files).path());
            if outcome.features.get(Slot::FaceCompared) == 0 {
                continue;
            }
            let cosine = outcome.features.get(Slot::FaceCosine);
            if i == j {
                assert!(
                    !caps(&assessment, Reason::FacesDiffer),
                    "one person is taken for two: {cosine}"
                );
                own.push(cosine);
            } else {
                assert!(
                    caps(&assessment, Reason::FacesDiffer),
                    "two people are taken for one: {cosine}"
                );
                assert!(assessment.score <= 10);
                others.push(cosine);
            }
        }
    }
    println!(
        "{} pairs of one person, cosines from {:?}; {} of two, up to {:?}",
        own.len(),
        own.iter().min(),
        others.len(),
        others.iter().max()
    );
    assert!(
        !own.is_empty() && !others.is_empty(),
        "no faces were found in VE_FACES"
    );
}
