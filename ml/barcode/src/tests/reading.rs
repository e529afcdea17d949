use super::draw::{Camera, Code, Noise, Photo};
use crate::{read, Error, Picture, Reading};
use proptest::prelude::*;

const LICENCE: &[u8] = b"@\n\x1e\rANSI 636026100001DL00310189DLDAQD12345678\nDCSSAMPLE\nDDEN\nDACJANE\nDADMARIE\n\
    DCAD\nDBB01311990\nDBA12312031\nDBD06152023\nDBC2\nDAG123 MAIN ST\nDAIPHOENIX\nDAJAZ\nDAK850010000  \nDCGUSA\n\
    DAYBRO\nDAU069 in\nDDAF\nDDB02142014\n\r";

fn look(photo: &Photo) -> Result<Reading, Error> {
    read(Picture::new(photo.width, photo.height, &photo.pixels).unwrap())
}

#[test]
fn code_should_be_read_when_it_is_photographed_from_any_side() {
    let code = Code::of(LICENCE, 8, 5);
    for angle in [
        0.0, 90.0, 180.0, 270.0, 3.0, -11.0, 25.0, 68.0, 101.0, 200.0, 333.0,
    ] {
        let photo = Camera {
            angle,
            ..Camera::default()
        }
        .photograph(&code);
        let reading = look(&photo).unwrap_or_else(|e| panic!("{angle}: {e}"));
        assert_eq!(reading.content, LICENCE, "{angle}");
        assert_eq!(
            (reading.rows, reading.columns, reading.correction),
            (code.rows, code.columns, code.correction)
        );
        assert_eq!(reading.errors, 0, "{angle}");
    }
}

#[test]
fn code_should_be_read_when_the_photograph_is_bad() {
    let code = Code::of(LICENCE, 10, 5);
    let base = Camera::default();
    let cameras = [
        Camera {
            module: 2.0,
            ..base.clone()
        },
        Camera {
            module: 1.6,
            ..base.clone()
        },
        Camera {
            tilt: (0.25, 0.0),
            ..base.clone()
        },
        Camera {
            tilt: (0.0, 0.25),
            ..base.clone()
        },
        Camera {
            tilt: (0.15, -0.2),
            angle: 8.0,
            ..base.clone()
        },
        Camera {
            blur: 2,
            ..base.clone()
        },
        Camera {
            spread: 0.35,
            ..base.clone()
        },
        Camera {
            noise: 30,
            seed: 5,
            ..base.clone()
        },
        Camera {
            shade: 120.0,
            ..base.clone()
        },
        Camera {
            paper: 140.0,
            ink: 90.0,
            noise: 6,
            ..base.clone()
        },
        Camera {
            module: 3.0,
            angle: -6.0,
            tilt: (0.1, 0.1),
            blur: 1,
            noise: 10,
            spread: 0.15,
            shade: 60.0,
            ..base.clone()
        },
    ];
    for camera in cameras {
        let reading = look(&camera.photograph(&code)).unwrap_or_else(|e| panic!("{camera:?}: {e}"));
        assert_eq!(reading.content, LICENCE, "{camera:?}");
    }
}

/// Paints rectangles of grey over a photograph.
fn damage(photo: &mut Photo, noise: &mut Noise, spots: usize) {
    for _ in 0..spots {
        let (x, y) = (
            noise.next(photo.width as u64) as usize,
            noise.next(photo.height as u64) as usize,
        );
        let (w, h) = (4 + noise.next(30) as usize, 4 + noise.next(20) as usize);
        let grey = noise.next(256) as u8;
        for row in y..(y + h).min(photo.height) {
            photo.pixels[row * photo.width..][x..(x + w).min(photo.width)].fill(grey);
        }
    }
}

#[test]
fn damaged_code_should_give_the_same_reading_when_it_is_read_a_thousand_times() {
    // Pieces of some codewords over parts of those three rows above: half of them, so that two valid values tie, and more.
    let content = b"the same to everybody";
    let code = Code::of(content, 4, 3);
    let camera = Camera {
        module: 2.0,
        row: 4.0,
        noise: 12,
        seed: 9,
        ..Camera::default()
    };
    let mut photo = camera.photograph(&code);
    let top = (photo.height - code.rows * 8) / 2;
    let left = photo.width / 2;
    for (row, height) in [(1, 4), (2, 6), (4, 7)] {
        for line in 0..height {
            let at = (top + row * 8 + line) * photo.width + left;
            let other = at + 24 * photo.width;
            photo.pixels.copy_within(other..other + 68, at);
        }
    }
    let first = look(&photo).expect("the correction suffices");
    assert_eq!(first.content, content);
    assert!(first.errors > 0 && first.erasures > 0, "{first:?}");
    for _ in 1..1000 {
        assert_eq!(look(&photo).as_ref(), Ok(&first));
    }
}

#[test]
fn reading_should_be_right_or_refused_when_photographs_are_damaged() {
    // More and more spots: the correction gives out at some point, and never invents a content.
    let code = Code::of(LICENCE, 8, 5);
    let mut known = Vec::new();
    for seed in 1..=6u64 {
        let camera = Camera {
            module: 2.0,
            angle: 4.0 * seed as f64 - 12.0,
            noise: 8,
            seed,
            ..Camera::default()
        };
        let mut photo = camera.photograph(&code);
        damage(&mut photo, &mut Noise(seed), 30 * seed as usize);
        let reading = look(&photo);
        if let Ok(reading) = &reading {
            assert_eq!(
                reading.content, LICENCE,
                "{seed}: a reading is right or refused"
            );
        }
        known.push(reading.map(|r| (r.errors, r.erasures)));
    }
    assert!(known.iter().filter(|k| k.is_ok()).count() >= 3, "{known:?}");
}

#[test]
fn picture_should_give_no_reading_when_it_has_no_code() {
    let blank = Photo {
        width: 300,
        height: 200,
        pixels: vec![255; 60_000],
    };
    assert_eq!(look(&blank), Err(Error::NotFound));
    let mut noise = Noise(3);
    let speckled = Photo {
        width: 640,
        height: 400,
        pixels: (0..256_000).map(|_| noise.next(256) as u8).collect(),
    };
    assert!(look(&speckled).is_err());
    let tiny = Photo {
        width: 1,
        height: 1,
        pixels: vec![0],
    };
    assert_eq!(look(&tiny), Err(Error::NotFound));
}

#[test]
fn code_should_be_called_unreadable_when_only_its_sides_are_left() {
    let code = Code::of(LICENCE, 8, 5);
    let mut photo = Camera::default().photograph(&code);
    let (from, to) = (photo.width / 5, photo.width * 4 / 5);
    for row in photo.pixels.chunks_exact_mut(photo.width) {
        row[from..to].fill(120);
    }
    assert_eq!(look(&photo), Err(Error::Unreadable));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reading_should_not_panic_when_pixels_are_noise_or_stripes(
        width in 1..160usize,
        height in 1..60usize,
        seed in 1..u64::MAX,
        stripes in any::<bool>(),
    ) {
        let mut noise = Noise(seed);
        let line: Vec<u8> = (0..width).map(|_| noise.next(2) as u8 * 255).collect();
        let pixels: Vec<u8> = (0..width * height)
            .map(|i| if stripes { line[i % width] } else { noise.next(256) as u8 })
            .collect();
        let _ = look(&Photo { width, height, pixels });
    }

    #[test]
    fn content_should_be_right_or_refused_when_a_code_is_damaged(
        content in proptest::collection::vec(any::<u8>(), 1..60),
        columns in 1..8usize,
        level in 1..4usize,
        spots in 0..12usize,
        seed in 1..u64::MAX,
    ) {
        let code = Code::of(&content, columns, level);
        let mut photo = Camera { module: 2.0, row: 3.0, ..Camera::default() }.photograph(&code);
        damage(&mut photo, &mut Noise(seed), spots);
        match look(&photo) {
            Ok(reading) => prop_assert_eq!(reading.content, content),
            Err(_) => prop_assert!(spots > 0, "an undamaged code is read"),
        }
    }
}
