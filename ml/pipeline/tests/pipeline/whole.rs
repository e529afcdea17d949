//! Pictures of every kind are taken when they are whole, and refused when behind a proper end there is less than their
//! header promises.

use crate::{
    cases,
    decode::{resized, JPEGS, PNGS},
    fixture,
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use ve_ml_pipeline::{decode, Reason};

const DAMAGED: Option<Reason> = Some(Reason::PictureDamaged);
/// Its last units hang over the edges; written by another encoder than those of [`Kind`], in several passes over the
/// coefficients.
const OVERHANGING: &str = "progressive-odd.jpg";

const SAMPLINGS: [SamplingFactor; 4] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
];
const COLOURS: [ColorType; 4] = [
    ColorType::Luma,
    ColorType::Rgb,
    ColorType::Cmyk,
    ColorType::CmykAsYcck,
];

/// How a JPEG file is written.
#[derive(Clone, Copy, Debug)]
struct Kind {
    colour: ColorType,
    sampling: SamplingFactor,
    progressive: bool,
    /// Whether the codes fit the picture; in sequential coding each component then has a scan of its own.
    fitted: bool,
    /// Units between restart markers, 0 without.
    interval: u16,
}

impl Kind {
    /// Left out are what the encoder writes wrongly (codes that fit, with restart markers) and what the decoder does not
    /// support (CMYK with halved components).
    fn all() -> impl Iterator<Item = Self> {
        (0..COLOURS.len() * SAMPLINGS.len() * 8)
            .map(|n| Self {
                fitted: n % 2 == 1,
                interval: [0, 3][n / 2 % 2],
                progressive: n / 4 % 2 == 1,
                sampling: SAMPLINGS[n / 8 % SAMPLINGS.len()],
                colour: COLOURS[n / 8 / SAMPLINGS.len()],
            })
            .filter(|kind| !kind.fitted || kind.interval == 0)
            .filter(|kind| kind.colour != ColorType::Cmyk || kind.sampling == SAMPLINGS[0])
    }

    /// A picture of waves and some noise, so that there are coefficients of all frequencies.
    fn file(self, width: u16, height: u16, seed: u8) -> Vec<u8> {
        let channels = match self.colour {
            ColorType::Luma => 1,
            ColorType::Rgb => 3,
            _ => 4,
        };
        let mut noise = u32::from(seed);
        let pixels: Vec<u8> = (0..usize::from(width) * usize::from(height) * channels)
            .map(|i| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (i * 3 / channels % 200) as u8 + (noise >> 27) as u8
            })
            .collect();
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 70);
        encoder.set_sampling_factor(self.sampling);
        encoder.set_progressive(self.progressive);
        encoder.set_optimized_huffman_tables(self.fitted);
        encoder.set_restart_interval(self.interval);
        encoder
            .encode(&pixels, width, height, self.colour)
            .expect("the picture can be written");
        file
    }
}

fn scans(file: &[u8]) -> Vec<usize> {
    let starts = file.windows(2).enumerate();
    starts
        .filter(|(_, w)| *w == [0xff, 0xda])
        .map(|(at, _)| at)
        .collect()
}

/// Where the first scan's data begin.
fn data(file: &[u8]) -> usize {
    let at = scans(file)[0] + 2;
    at + usize::from(file[at]) * 256 + usize::from(file[at + 1])
}

/// The file up to `end`, and the end-of-image marker.
fn ended(file: &[u8], end: usize) -> Vec<u8> {
    [&file[..end], &[0xff, 0xd9]].concat()
}

/// Every file that is the beginning of this one and a proper end is refused.
fn assert_refused_when_cut(file: &[u8], name: &str) {
    assert!(file.ends_with(&[0xff, 0xd9]), "{name}");
    for end in data(file)..file.len() - 2 {
        let refused = decode(&ended(file, end)).err();
        assert_eq!(refused, DAMAGED, "{name} up to {end} of {}", file.len());
    }
}

#[test]
fn jpeg_should_be_taken_when_it_is_whole_and_refused_when_it_is_cut() {
    for kind in Kind::all() {
        let file = kind.file(35, 33, 1);
        let picture = decode(&file).unwrap_or_else(|reason| panic!("{kind:?}: {reason:?}"));
        assert_eq!((picture.width(), picture.height()), (35, 33), "{kind:?}");
        assert_refused_when_cut(&file, &format!("{kind:?}"));
    }
    for name in JPEGS.into_iter().chain([OVERHANGING]) {
        assert!(decode(&fixture(name)).is_ok(), "{name}");
        assert_refused_when_cut(&fixture(name), name);
    }
}

#[test]
fn jpeg_should_be_refused_when_one_of_its_scans_is_missing() {
    let several = Kind::all().map(|kind| kind.file(35, 33, 2));
    let several = several.chain([fixture("progressive-444.jpg"), fixture(OVERHANGING)]);
    let mut tried = 0;
    for file in several {
        let scans = scans(&file);
        for (from, to) in scans.iter().zip(&scans[1..]) {
            let without = [&file[..*from], &file[*to..]].concat();
            assert_eq!(decode(&without).err(), DAMAGED, "without {from}..{to}");
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn jpeg_should_be_refused_when_the_decoder_passes_over_another_that_is_hidden_in_it() {
    let picture = fixture("baseline-444.jpg");
    let (start, rest) = picture.split_at(2);
    let plain = Kind {
        colour: ColorType::Luma,
        sampling: SAMPLINGS[0],
        progressive: true,
        fitted: false,
        interval: 0,
    };
    let whole = decode(&picture).unwrap();
    let [width, height] = [whole.width(), whole.height()].map(|n| u16::try_from(n).unwrap());
    let hidden = plain.file(16, 8, 3);
    let as_large = plain.file(width, height, 3);
    // A progressive frame of 65535 x 65535.
    let mut huge = vec![0xff, 0xc2, 0, 11, 8];
    huge.extend([0xff; 4]);
    huge.extend([1, 1, 0x11, 0, 0xff, 0xd9]);
    // Alone by the standard; the decoder takes a length behind them.
    for marker in [
        &[0xff, 0x01][..],
        &[0xff, 0xd0],
        &[0xff, 0xd7],
        &[0xff, 0xd8],
    ] {
        let with = |inner: &[u8]| {
            let length = u16::try_from(2 + inner.len()).unwrap().to_be_bytes();
            [start, marker, &length, inner, rest].concat()
        };
        for inner in [&hidden[..], &huge, &as_large] {
            assert_eq!(decode(&with(inner)).err(), DAMAGED, "{marker:x?}");
        }
    }
    // Behind the data of a scan a restart is alone for the decoder too.
    let (scans, end) = (&picture[..picture.len() - 2], &[0xff, 0xd9]);
    let restarted = [scans, &[0xff, 0xd0], end].concat();
    assert!(decode(&restarted).unwrap() == whole);
}

#[test]
fn picture_should_be_refused_when_its_header_promises_more() {
    for name in JPEGS.into_iter().chain(PNGS) {
        for (width, height) in [(96, 128), (192, 64), (96, 80), (96, 65535)] {
            let refused = decode(&resized(name, width, height)).err();
            assert_eq!(refused, DAMAGED, "{name} {width} x {height}");
        }
    }
}

/// Chunks of a PNG file: kind and data.
fn chunks(mut file: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut chunks = Vec::new();
    file = &file[8..];
    while let Some((length, rest)) = file.split_first_chunk() {
        let end = 4 + u32::from_be_bytes(*length) as usize;
        chunks.push((rest[..4].to_vec(), rest[4..end].to_vec()));
        file = &rest[end + 4..];
    }
    chunks
}

/// A PNG file of the first `end` bytes of its data, every checksum right.
fn png_of(chunks: &[(Vec<u8>, Vec<u8>)], end: usize) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        let data = if kind == b"IDAT" { &data[..end] } else { data };
        let body = [kind, data].concat();
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(&body);
        file.extend(crate::decode::crc32(&body).to_be_bytes());
    }
    file
}

#[test]
fn png_should_be_refused_when_its_data_are_cut() {
    for name in PNGS {
        let file = fixture(name);
        let chunks = chunks(&file);
        let all = chunks.iter().filter(|(kind, _)| kind == b"IDAT");
        let [length] = all.map(|(_, data)| data.len()).collect::<Vec<_>>()[..] else {
            panic!("{name} has its data in one chunk");
        };
        assert!(png_of(&chunks, length) == file, "{name}");
        // The last bytes end the stream and check it; the pixels are there without them.
        let (whole, spare) = (decode(&file).unwrap(), 8);
        for end in 0..length {
            match decode(&png_of(&chunks, end)) {
                Ok(picture) if end >= length - spare => assert!(picture == whole, "{name} {end}"),
                decoded => assert_eq!(decoded.err(), DAMAGED, "{name} {end} of {length}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases(200)) })]

    #[test]
    fn jpeg_should_be_taken_whole_and_refused_cut_when_its_size_is_any(
        which in any::<prop::sample::Index>(),
        interval in 1..20u16,
        (width, height, seed) in (32..150u16, 32..150u16, any::<u8>()),
        cut in any::<prop::sample::Index>(),
    ) {
        let kinds: Vec<_> = Kind::all().collect();
        let mut kind = *which.get(&kinds);
        kind.interval *= interval;
        let file = kind.file(width, height, seed);
        let picture = decode(&file);
        prop_assert!(picture.is_ok(), "{:?} {:?}", kind, picture.err());
        let end = data(&file) + cut.index(file.len() - 2 - data(&file));
        prop_assert_eq!(decode(&ended(&file, end)).err(), DAMAGED, "{:?} up to {}", kind, end);
    }
}
