//! Files that decode to what was drawn, and files that do not decode.

use crate::{cases, fixture};
use proptest::prelude::*;
use ve_ml_pipeline::{decode, Picture, Reason, MAX_FILE};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;

pub const JPEGS: [&str; 9] = [
    "baseline-444.jpg",
    "baseline-422.jpg",
    "baseline-420.jpg",
    "progressive-444.jpg",
    "progressive-420.jpg",
    "restart.jpg",
    "cmyk.jpg",
    "exif-6.jpg",
    "grey.jpg",
];
pub const PNGS: [&str; 7] = [
    "rgb-8.png",
    "rgb-16.png",
    "grey-16.png",
    "rgba-8.png",
    "grey-alpha-8.png",
    "palette-4.png",
    "interlaced.png",
];

/// What `fixtures/generate.py` draws.
fn pattern(x: usize, y: usize) -> [u8; 3] {
    let part = |n: usize, of: usize| (n * 255 / of) as u8;
    [
        part(x, WIDTH - 1),
        part(y, HEIGHT - 1),
        part(x + y, WIDTH + HEIGHT - 2),
    ]
}

fn over_white(value: u8, x: usize, y: usize) -> u8 {
    let alpha = (x * 5 + y * 3) % 256;
    ((usize::from(value) * alpha + 255 * (255 - alpha)) as f64 / 255.0).round() as u8
}

fn each(mut f: impl FnMut(usize, usize)) {
    (0..HEIGHT).for_each(|y| (0..WIDTH).for_each(|x| f(x, y)));
}

fn open(name: &str) -> Picture {
    let picture = decode(&fixture(name)).unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
    assert_eq!(
        (picture.width(), picture.height()),
        (WIDTH, HEIGHT),
        "{name}"
    );
    picture
}

#[test]
fn png_should_be_exact_when_decoded() {
    for name in PNGS {
        let picture = open(name);
        each(|x, y| {
            let [r, g, b] = pattern(x, y);
            let index = ((x / 8 + y / 8) % 16) as u8;
            let expected = match name {
                "rgb-8.png" | "rgb-16.png" | "interlaced.png" => [r, g, b],
                "grey-16.png" => [r; 3],
                "rgba-8.png" => [r, g, b].map(|v| over_white(v, x, y)),
                "grey-alpha-8.png" => [over_white(g, x, y); 3],
                "palette-4.png" if index == 0 => [255; 3],
                "palette-4.png" => [16 * index, 255 - 16 * index, 8 * index],
                other => panic!("nothing is known about {other}"),
            };
            assert_eq!(
                picture.pixel(x as i64, y as i64),
                expected,
                "{name} {x} {y}"
            );
        });
    }
}

#[test]
fn jpeg_should_be_close_to_what_was_drawn_when_decoded() {
    for name in JPEGS {
        let picture = open(name);
        let (mut sum, mut largest) = (0, 0);
        each(|x, y| {
            let [r, g, b] = pattern(x, y);
            let luma = (f64::from(r) * 0.299 + f64::from(g) * 0.587 + f64::from(b) * 0.114).round();
            let drawn = if name == "grey.jpg" {
                [luma as u8; 3]
            } else {
                [r, g, b]
            };
            for (found, drawn) in picture.pixel(x as i64, y as i64).into_iter().zip(drawn) {
                sum += u32::from(found.abs_diff(drawn));
                largest = largest.max(found.abs_diff(drawn));
            }
        });
        let mean = f64::from(sum) / (3 * WIDTH * HEIGHT) as f64;
        assert!(
            mean < 2.0 && largest < 20,
            "{name}: {mean} in the mean, {largest} at most"
        );
    }
}

#[test]
fn file_should_be_refused_when_it_ends_too_early() {
    for name in JPEGS.into_iter().chain(PNGS) {
        let file = fixture(name);
        // Every end of the headers, some of the data, every end of the last bytes.
        let (head, tail) = (700, file.len().saturating_sub(40));
        let ends = (0..file.len()).filter(|end| *end < head || *end >= tail || end % 61 == 0);
        for end in ends {
            let refused = decode(&file[..end]).err();
            let known = [Reason::PictureDamaged, Reason::NotAPicture];
            assert!(
                refused.is_some_and(|r| known.contains(&r)),
                "{name} up to {end}: {refused:?}"
            );
        }
    }
}

/// Overwrites width and height in the header.
pub fn resized(name: &str, width: u16, height: u16) -> Vec<u8> {
    let mut file = fixture(name);
    if name.ends_with("png") {
        file[16..20].copy_from_slice(&u32::from(width).to_be_bytes());
        file[20..24].copy_from_slice(&u32::from(height).to_be_bytes());
        // The checksum is looked at only after the size, and says nothing about it to an attacker; here it is right.
        let crc = crc32(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
    } else {
        let frame = |w: &[u8]| w[0] == 0xff && (w[1] == 0xc0 || w[1] == 0xc2);
        let at = file.windows(2).position(frame).expect("a frame header");
        file[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        file[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    }
    file
}

/// The checksum of PNG.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn file_should_be_refused_by_its_header_when_the_size_is_not_possible() {
    for name in ["baseline-420.jpg", "progressive-444.jpg", "rgb-16.png"] {
        for (width, height, reason) in [
            (5001, 5000, Reason::PictureTooLarge),
            (65535, 65535, Reason::PictureTooLarge),
            (31, 64, Reason::PictureTooSmall),
        ] {
            let refused = decode(&resized(name, width, height)).err();
            assert_eq!(refused, Some(reason), "{name} {width} x {height}");
        }
    }
}

#[test]
fn file_should_be_refused_when_it_is_no_picture() {
    assert_eq!(decode(b"").err(), Some(Reason::NotAPicture));
    assert_eq!(decode(b"GIF89a").err(), Some(Reason::NotAPicture));
    assert_eq!(
        decode(&vec![0xff; MAX_FILE + 1]).err(),
        Some(Reason::PictureTooLarge)
    );
    // Arithmetic coding, lossless, twelve bits: all valid, none of it seen from a camera.
    let file = fixture("baseline-420.jpg");
    let at = file.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    for (offset, byte) in [(1, 0xc9), (1, 0xc3), (4, 12)] {
        let mut other = file.clone();
        other[at + offset] = byte;
        let refused = decode(&other).err();
        let known = [Reason::PictureUnsupported, Reason::PictureDamaged];
        assert!(
            refused.is_some_and(|r| known.contains(&r)),
            "{offset} {byte}: {refused:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None,..ProptestConfig::with_cases(cases(4000)) })]

    #[test]
    fn decoder_should_answer_when_bytes_are_damaged(
        which in 0..JPEGS.len() + PNGS.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = fixture(JPEGS.iter().chain(&PNGS).nth(which).unwrap());
        for (at, byte) in damage {
            *at.get_mut(&mut file) = byte;
        }
        if let Ok(picture) = decode(&file) {
            prop_assert_eq!(picture.rgb().len(), picture.width() * picture.height() * 3);
        }
    }
}
