//! Detection, alignment, embedding: on drawn faces, and on a folder of real ones when there is one.

use crate::{models, picture, pipeline};
use std::{
    env, fs,
    path::{Path, PathBuf},
};
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    align::Aligned,
    decode,
    detect::{detect, Faces, CERTAIN, GRIDS, ONE},
    models::{Detector, Embedder, Embedding},
    quality::{Quality, DOCUMENT_SIDE},
    Picture, UNIT,
};

fn find(picture: &Picture) -> Faces {
    let how = Execution::default();
    detect(&pipeline(how).detector, picture, how)
}

#[test]
fn grids_should_have_the_scales_of_the_manifest_when_the_network_is_read() {
    let manifest = fs::read_to_string(models().join("manifest.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let models = manifest["model"].as_array().unwrap().iter();
    let bits = |name: &str| {
        let mut outputs = models
            .clone()
            .flat_map(|m| m["outputs"].as_array().unwrap());
        let output = outputs.find(|o| o["name"].as_str() == Some(name));
        output.unwrap_or_else(|| panic!("no output {name}"))["fraction_bits"]
            .as_integer()
            .unwrap()
    };
    for (side, frame, points) in GRIDS {
        assert_eq!(bits(&format!("bbox_{side}")), i64::from(frame));
        assert_eq!(bits(&format!("kps_{side}")), i64::from(points));
        for part in ["cls", "obj"] {
            assert_eq!(1 << bits(&format!("{part}_{side}")), ONE);
        }
    }
}

#[test]
fn network_should_be_refused_when_it_is_another_one() {
    let file = |model: &str| fs::read(models().join(format!("{model}.veml"))).unwrap();
    let (yunet, sface) = (file("yunet"), file("sface"));
    assert!(Detector::parse(&sface).is_err());
    assert!(Embedder::parse(&yunet).is_err());
    assert!(Embedder::parse(&sface[..sface.len() - 1]).is_err());
}

#[test]
fn face_should_be_found_where_it_was_drawn_when_the_picture_is_upright() {
    let Faces { turns, faces } = find(&picture("face.png"));
    assert_eq!((turns, faces.len()), (0, 1));
    let face = &faces[0];
    assert!(face.confidence >= CERTAIN);
    // Where `fixtures/generate.py` draws eyes, tip of the nose and corners of the mouth, halved.
    let drawn = [(91, 147), (149, 147), (120, 186), (95, 213), (145, 213)];
    for (found, (x, y)) in face.landmarks.iter().zip(drawn) {
        let (dx, dy) = (found.x - x * UNIT, found.y - y * UNIT);
        assert!(
            dx.abs() < 10 * UNIT && dy.abs() < 10 * UNIT,
            "{found:?} {x} {y}"
        );
    }
    assert!(face.yaw().abs() < 60, "{}", face.yaw());
}

#[test]
fn face_should_be_found_in_the_same_place_when_the_picture_is_turned() {
    let upright = picture("face.png");
    let reference = find(&upright).faces[0];
    for quarters in 1..4 {
        let turned = upright.turned(quarters);
        let Faces { turns, faces } = find(&turned);
        assert_eq!(turns, 4 - quarters, "{quarters}");
        // The network saw the same pixels; only the way back is another.
        let (aligned, expected) = (
            Aligned::of(&turned, &faces[0].landmarks).unwrap(),
            Aligned::of(&upright, &reference.landmarks).unwrap(),
        );
        let differences = aligned.rgb().iter().zip(expected.rgb());
        assert!(
            differences.clone().all(|(a, b)| a.abs_diff(*b) <= 1),
            "{quarters}"
        );
    }
}

#[test]
fn nothing_should_be_found_when_there_is_no_face() {
    let noise = (0..200 * 150 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
    for rgb in [
        vec![0; 200 * 150 * 3],
        vec![255; 200 * 150 * 3],
        noise.collect(),
    ] {
        assert_eq!(find(&Picture::new(200, 150, rgb)).faces, []);
    }
}

fn embed(picture: &Picture) -> Option<Embedding> {
    let how = Execution::default();
    let face = find(picture).faces.into_iter().next()?;
    let aligned = Aligned::of(picture, &face.landmarks)?;
    Some(pipeline(how).embedder.embed(&aligned, how))
}

fn real_cosine(a: &Embedding, b: &Embedding) -> f64 {
    let dot = |a: &Embedding, b: &Embedding| -> f64 {
        let products = a.values().iter().zip(b.values());
        products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn cosine_should_be_the_real_one_within_its_error_when_faces_are_compared() {
    let (a, b) = (
        embed(&picture("face.png")).unwrap(),
        embed(&picture("turned.png")).unwrap(),
    );
    assert_eq!(a.cosine(&a), 10_000);
    assert_eq!(a.cosine(&b), b.cosine(&a));
    let real = 10_000.0 * real_cosine(&a, &b);
    assert!(
        (a.cosine(&b) as f64 - real).abs() < 1.02,
        "{} {real}",
        a.cosine(&b)
    );
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

fn open(file: &Path) -> Picture {
    decode(&fs::read(file).unwrap()).unwrap_or_else(|r| panic!("{}: {r:?}", file.display()))
}

/// Set `VE_FACES` to a folder with a sub-folder of pictures for each person to measure the distributions.
#[test]
fn faces_of_a_person_should_be_closer_than_those_of_two_when_a_folder_is_given() {
    let Some(folder) = env::var_os("VE_FACES").map(PathBuf::from) else {
        println!("VE_FACES names no folder of faces: nothing is measured");
        return;
    };
    let (mut faces, mut missed) = (Vec::new(), 0);
    for (person, folder) in entries(&folder).iter().filter(|p| p.is_dir()).enumerate() {
        for file in entries(folder) {
            match embed(&open(&file)) {
                Some(embedding) => faces.push((person, embedding)),
                None => missed += 1,
            }
        }
    }
    let (mut genuine, mut impostor, mut error) = (Vec::new(), Vec::new(), 0f64);
    for (i, (person, a)) in faces.iter().enumerate() {
        for (other, b) in &faces[i + 1..] {
            let cosine = a.cosine(b);
            error = error.max((cosine as f64 - 10_000.0 * real_cosine(a, b)).abs());
            if person == other {
                &mut genuine
            } else {
                &mut impostor
            }
            .push(cosine);
        }
    }
    genuine.sort();
    impostor.sort();
    let at = |sorted: &[i64], percent: usize| sorted[(sorted.len() - 1) * percent / 100];
    println!("{} faces, {missed} not found; integer and real cosine differ by {error:.2} / 10,000 at most", faces.len());
    for (name, sorted) in [("genuine", &genuine), ("impostor", &impostor)] {
        let quantiles = [0, 1, 5, 50, 95, 99, 100].map(|p| at(sorted, p));
        println!(
            "{name:9} {:5} pairs; smallest, 1, 5, 50, 95, 99 %, largest: {quantiles:?}",
            sorted.len()
        );
    }
    assert!(missed * 20 <= faces.len(), "{missed} faces were not found");
    assert!(at(&genuine, 5) > at(&impostor, 95));
    assert!(error < 1.02);
}

/// Set `VE_DOCUMENTS` to a folder of pictures of documents to see what is measured of each.
#[test]
fn documents_should_show_portraits_when_a_folder_is_given() {
    let Some(folder) = env::var_os("VE_DOCUMENTS").map(PathBuf::from) else {
        println!("VE_DOCUMENTS names no folder of documents: nothing is measured");
        return;
    };
    let is_picture = |f: &PathBuf| f.extension().is_some_and(|e| e == "jpg" || e == "png");
    let files: Vec<_> = entries(&folder).into_iter().filter(is_picture).collect();
    let mut portraits = 0;
    println!("file, size, turns, faces, pixels between the eyes; sharpness, brightness, contrast, black, white");
    for file in &files {
        let picture = open(file);
        let Faces { turns, faces } = find(&picture);
        let quality = Quality::of(&picture.shrunk(DOCUMENT_SIDE)).values();
        let (name, size) = (
            file.file_name().unwrap(),
            (picture.width(), picture.height()),
        );
        let eyes = faces.first().map(|face| face.eyes());
        println!(
            "{name:?} {size:?} {turns} {} {eyes:?} {quality:?}",
            faces.len()
        );
        portraits += usize::from(!faces.is_empty());
    }
    println!("{portraits} portraits in {} documents", files.len());
    assert!(portraits * 2 > files.len());
}
