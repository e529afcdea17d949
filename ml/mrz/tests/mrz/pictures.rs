//! What holds for any picture, and the readings of pictures that are known.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf};
use ve_ml_engine::{Execution, Kernels};
use ve_ml_mrz::{
    image::{locate, Corner, Grey, Quad, Strip, CELL},
    Reader, Reading, NAT,
};

fn models() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"))
}

fn artefact() -> Vec<u8> {
    fs::read(models().join("mrz.veml")).expect("the artefact is committed")
}

/// A synthetic passport, made by `ve-ml-training mrz pictures`.
fn picture(name: &str) -> Grey {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/mrz/{name}.png"));
    let file = std::io::BufReader::new(fs::File::open(file).expect("the picture is committed"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a PNG");
    assert_eq!(info.color_type, png::ColorType::Grayscale);
    Grey::new(info.width as usize, info.height as usize, pixels).expect("a picture")
}

/// Everything that decides, from the corners to the last cell.
fn digest(reading: &Reading) -> String {
    let mut hash = Sha256::new();
    hash.update(reading.outcome.lines().to_string());
    hash.update([reading.turns]);
    for Corner { x, y } in reading.quad.0 {
        hash.update(x.to_le_bytes());
        hash.update(y.to_le_bytes());
    }
    hash.update(reading.strip.grey.pixels());
    for grid in &reading.grids {
        for column in 0..grid.columns as usize {
            hash.update(reading.strip.cell(grid, column));
        }
    }
    let bytes = hash.finalize();
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Names and zones of `known.txt`.
fn known() -> Vec<(String, String)> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/mrz/known.txt");
    let text = fs::read_to_string(file).expect("the known readings are committed");
    let rows: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    rows.chunks_exact(3)
        .map(|rows| (rows[0].into(), format!("{}\n{}\n", rows[1], rows[2])))
        .collect()
}

#[test]
fn pictures_should_give_the_known_readings_when_turned_any_way() {
    let artefact = artefact();
    let reader = Reader::new(&artefact).expect("the reader's network");
    for (name, text) in known() {
        let upright = picture(&name);
        let mut digests = Vec::new();
        for kernels in Kernels::available() {
            let how = Execution {
                kernels,
                threads: 1,
            };
            let reading = reader.read(&upright, how).expect("a zone");
            assert_eq!(reading.outcome.lines().to_string(), text, "{name}");
            assert!(reading.outcome.is_valid() && reading.turns == 0, "{name}");
            digests.push(digest(&reading));
        }
        digests.dedup();
        assert_eq!(digests.len(), 1, "{name}: {digests:?}");
        println!("{name} {}", digests[0]);
        let mut turned = upright;
        for turns in 1..4 {
            turned = turned.turned();
            let reading = reader.read(&turned, Execution::default()).expect("a zone");
            assert_eq!(
                reading.outcome.lines().to_string(),
                text,
                "{name}, {turns} quarters"
            );
        }
    }
}

#[test]
fn thresholds_should_have_the_scale_of_the_manifest_when_answers_are_compared() {
    let manifest = fs::read_to_string(models().join("manifest.toml")).expect("committed");
    let (_, bits) = manifest
        .split_once(r#"name = "answers", fraction_bits = "#)
        .expect("the network's answers");
    let (bits, _) = bits.split_once(' ').expect("a number");
    assert_eq!(NAT, 1 << bits.parse::<u32>().expect("a number"));
}

#[test]
fn reader_should_refuse_when_the_network_is_another() {
    let other = fs::read(models().join("yunet.veml")).expect("the artefact is committed");
    assert!(Reader::new(&other).is_err());
    assert!(Reader::new(&artefact()[1..]).is_err());
}

#[test]
fn nothing_should_be_read_when_there_is_no_zone() {
    let artefact = artefact();
    let reader = Reader::new(&artefact).expect("the reader's network");
    let blank = Grey::new(400, 300, vec![200; 400 * 300]).expect("a picture");
    assert!(reader.read(&blank, Execution::default()).is_none());
    // Rows of stripes are as long and slender as a zone: whatever is read there is not valid.
    let stripes = (0..400 * 300).map(|i| {
        if i / 400 / 12 % 3 == 0 && i % 400 % 7 < 3 {
            20
        } else {
            220
        }
    });
    let stripes = Grey::new(400, 300, stripes.collect()).expect("a picture");
    let reading = reader.read(&stripes, Execution::default());
    assert!(reading.is_none_or(|r| !r.outcome.is_valid()));
}

/// A picture of blocks, noise or rows of dashes, any of which may look like text.
fn any_picture() -> impl Strategy<Value = Grey> {
    let bytes = prop::collection::vec(any::<u8>(), 64);
    (1..240usize, 1..120usize, 0..4u8, bytes).prop_map(|(width, height, kind, bytes)| {
        let at = |i: usize| bytes[i % bytes.len()];
        let pixel = |i: usize| {
            let (x, y) = (i % width, i / width);
            match kind {
                0 => at(x * 7 + y * 13 + x * y),
                1 => at(x / 9 + y / 5 * 3),
                2 => {
                    if y / 8 % 2 == 0 && at(x) > 90 {
                        10
                    } else {
                        230
                    }
                }
                _ => {
                    if (y + x / 16) / 6 % 3 == 0 && x % 8 < 5 {
                        at(x / 8) / 4
                    } else {
                        200
                    }
                }
            }
        };
        Grey::new(width, height, (0..width * height).map(pixel).collect()).expect("a picture")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..Default::default() })]

    #[test]
    fn rows_should_be_searched_without_panic_when_the_picture_is_any(picture in any_picture()) {
        for block in locate(&picture).into_iter().take(2) {
            if let Some(strip) = Strip::new(&picture, &block, 44) {
                for grid in strip.grids() {
                    prop_assert_eq!(strip.cell(&grid, 43).len(), CELL * CELL);
                }
            }
        }
    }

    #[test]
    fn quadrilaterals_should_be_laid_flat_or_refused_when_they_are_any(
        corners in prop::array::uniform8(-3000..3000i64),
        u in any::<i32>(),
        v in any::<i32>(),
    ) {
        let [a, b, c, d, e, f, g, h] = corners;
        let point = |x, y| Corner { x, y };
        let quad = Quad([point(a, b), point(c, d), point(e, f), point(g, h)]);
        if let Some(projection) = quad.projection(100, 50) {
            for (u, v) in [(0, 0), (-40, 90), (i64::from(u), i64::from(v))] {
                let _ = projection.at(u, v);
            }
        }
    }
}
