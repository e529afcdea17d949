//! Documents whose corners are known, and pictures of anything else.

use crate::{
    cases,
    evidence::expected,
    pipeline,
    scene::{Random, Scene, HEIGHT, SEVERITIES, WIDTH},
};
use proptest::prelude::*;
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    outline::{Outline, Printed},
    stages::Stage,
    Evidence, Findings, Picture, Point, Readers, Reason, Slot, UNIT,
};

/// A corner that is farther away, in 1/1000 of the upper edge, is wrong.
const WRONG: i64 = 20;

fn find(picture: &Picture) -> Option<Outline> {
    Outline::find(picture, &Printed::default())
}

fn point(x: i64, y: i64) -> Point {
    Point {
        x: x * UNIT,
        y: y * UNIT,
    }
}

/// A rectangle's corners, in pixels.
fn rectangle(left: i64, top: i64, right: i64, bottom: i64) -> [Point; 4] {
    [(left, top), (right, top), (right, bottom), (left, bottom)].map(|(x, y)| point(x, y))
}

fn grey(width: usize, height: usize, value: impl Fn(i64, i64) -> u8) -> Picture {
    let places = (0..height as i64).flat_map(|y| (0..width as i64).map(move |x| (x, y)));
    let rgb = places.flat_map(|(x, y)| [value(x, y); 3]).collect();
    Picture::new(width, height, rgb)
}

/// Bright rectangles on a dark table, the later ones above: corners in pixels and brightness.
fn cards(width: usize, height: usize, cards: &[([i64; 4], u8)]) -> Picture {
    grey(width, height, |x, y| {
        let card = cards.iter().rev().find(|([left, top, right, bottom], _)| {
            (left..right).contains(&&x) && (top..bottom).contains(&&y)
        });
        card.map_or(40, |card| card.1)
    })
}

fn near(outline: &Outline, corners: [Point; 4]) -> bool {
    let apart = |(a, b): (&Point, Point)| (a.x - b.x).abs().max((a.y - b.y).abs());
    outline.corners.iter().zip(corners).map(apart).max() <= Some(4 * UNIT)
}

#[test]
fn corners_should_be_found_when_documents_are_photographed() {
    let number = u64::from(cases(25));
    // Of a hundred. What is hard is only printed.
    for (severity, least) in SEVERITIES.iter().zip([100, 95, 80, 0]) {
        let (mut found, mut errors) = (0, Vec::new());
        for scene in (0..number).map(|i| Scene::new(severity, i)) {
            if let Some(outline) = find(&scene.picture) {
                found += 1;
                errors.push(scene.error(&outline.corners));
            }
        }
        errors.retain(|error| *error <= WRONG);
        errors.sort_unstable();
        let right = errors.len() as u64;
        println!(
            "{}: {found} of {number} found, {right} right; error in 1/1000 of the upper edge: median {:?}, largest {:?}",
            severity.name,
            errors.get(errors.len() / 2),
            errors.last(),
        );
        assert!(100 * right >= least * number, "{}", severity.name);
    }
}

#[test]
fn nothing_should_be_found_when_there_is_no_document() {
    for i in 0..u64::from(cases(20)) {
        for severity in &SEVERITIES[..2] {
            let scene = Scene::empty(severity, i);
            assert_eq!(find(&scene.picture), None, "{} {i}", severity.name);
        }
        let mut random = Random::new(i);
        let (width, height) = (80 + random.below(800), 80 + random.below(600));
        // Of larger blocks a few make a rectangle.
        let coarse = 1 + random.below(1 + width.min(height) / 40) as i64;
        let noise: Vec<u8> = (0..4096).map(|_| random.below(256) as u8).collect();
        let picture = grey(width as usize, height as usize, |x, y| {
            // Blocks of noise, in rows that are shifted, so that no lines come about.
            let row = y / coarse;
            let column = (x + row * row * 7) / coarse;
            noise[(column * 131 + row * 977).rem_euclid(4096) as usize]
        });
        assert_eq!(find(&picture), None, "noise {i}");
    }
    let hills = grey(480, 320, |x, y| {
        let hill = 180 + (x * 7 % 61) / 4 + (x / 3) % 40;
        if y < hill {
            120 + (y / 4) as u8
        } else {
            90
        }
    });
    assert_eq!(find(&hills), None);
    assert_eq!(find(&grey(400, 300, |_, _| 250)), None);
}

#[test]
fn whole_picture_should_be_the_document_when_it_was_cropped_and_something_was_read() {
    let printed = Printed {
        face: Some(rectangle(60, 80, 110, 140)),
        zone: None,
    };
    let zone = Printed {
        face: None,
        zone: Some(rectangle(20, 210, 320, 240)),
    };
    // An ID-1 card turned upright, then cameras' proportions.
    for (width, height, is_document) in [
        (340, 240, true),
        (380, 240, true),
        (240, 380, true),
        (320, 240, false),
        (360, 240, false),
        (427, 240, false),
    ] {
        let blank = grey(width, height, |_, _| 200);
        assert_eq!(find(&blank), None, "{width} x {height}");
        let found = Outline::find(&blank, &printed);
        assert_eq!(found.is_some(), is_document, "{width} x {height}");
        if let Some(outline) = found {
            let (right, bottom) = (width as i64, height as i64);
            assert!(
                near(&outline, rectangle(0, 0, right, bottom)),
                "{outline:?}"
            );
            assert_eq!((outline.edges, outline.is_cut), (0, false));
            assert_eq!(outline.width(), right);
        }
    }
    assert!(Outline::find(&grey(340, 240, |_, _| 200), &zone).is_some());
}

#[test]
fn outline_should_hold_what_was_read_when_a_frame_is_printed_on_the_document() {
    // A card, a frame on it that is clearer than its edge, a portrait.
    let (card, frame) = ([100, 80, 500, 332], [130, 110, 400, 280]);
    let picture = cards(600, 420, &[(card, 70), (frame, 250)]);
    let corners = |[left, top, right, bottom]: [i64; 4]| rectangle(left, top, right, bottom);
    let outline = |face: Option<[i64; 4]>, zone: Option<[i64; 4]>| {
        let printed = Printed {
            face: face.map(corners),
            zone: zone.map(corners),
        };
        Outline::find(&picture, &printed)
    };
    // The zone lies below the frame; the portrait beside it.
    let below = outline(None, Some([120, 290, 480, 320]));
    assert!(below.is_some_and(|o| near(&o, corners(card))), "{below:?}");
    let beside = outline(Some([420, 150, 470, 210]), None);
    assert!(
        beside.is_some_and(|o| near(&o, corners(card))),
        "{beside:?}"
    );
    // Too short a zone for the card, and for anything there.
    let short = outline(None, Some([150, 250, 380, 275]));
    assert!(short.is_some_and(|o| o.width() <= 304), "{short:?}");
    assert_eq!(outline(None, Some([140, 250, 230, 275])), None);
    // The frame of a portrait is no document: its face is too large for it.
    let portrait = outline(Some([210, 130, 320, 260]), None);
    assert!(
        portrait.is_some_and(|o| near(&o, corners(card))),
        "{portrait:?}"
    );
}

#[test]
fn document_should_be_called_cut_when_a_side_of_it_is_missing() {
    let printed = Printed {
        face: Some(rectangle(320, 150, 360, 200)),
        zone: None,
    };
    let cut = cards(600, 400, &[([260, 80, 900, 380], 220)]);
    let outline = Outline::find(&cut, &printed).expect("three edges");
    assert!(outline.is_cut && outline.edges == 3, "{outline:?}");
    assert!(near(&outline, rectangle(260, 80, 600, 380)), "{outline:?}");
    // Three edges of a picture without anything to read are anything.
    assert_eq!(find(&cut), None);
    // One that just fits.
    let fits = cards(600, 400, &[([220, 80, 600, 320], 220)]);
    let outline = Outline::find(&fits, &printed).expect("three edges");
    assert!(!outline.is_cut && outline.edges == 3, "{outline:?}");
}

#[test]
fn document_should_be_laid_flat_when_it_was_seen_aslant() {
    let corners = [(200, 120), (700, 200), (640, 560), (150, 420)].map(|(x, y)| point(x, y));
    let outline = Outline {
        corners,
        edges: 4,
        is_cut: false,
    };
    // Each pixel says where it is.
    let rgb = (0..640).flat_map(|y| (0..800).flat_map(move |x| [(x / 4) as u8, (y / 4) as u8, 0]));
    let picture = Picture::new(800, 640, rgb.collect());
    for side in [100, 400, 1024] {
        let flat = outline.rectified(&picture, side).expect("bounded");
        let (width, height) = (flat.width() as i64, flat.height() as i64);
        assert!(width <= 512.min(side as i64) && (30..=45).contains(&(height * 50 / width)));
        let ends = [
            (0, 0),
            (width - 1, 0),
            (width - 1, height - 1),
            (0, height - 1),
        ];
        for ((x, y), corner) in ends.into_iter().zip(corners) {
            let [red, green, _] = flat.pixel(x, y).map(i64::from);
            // A pixel of the flat document may be five of the picture.
            let apart = (4 * red - corner.x / UNIT).abs() + (4 * green - corner.y / UNIT).abs();
            assert!(apart <= 12, "{side}: {red}, {green} at {corner:?}");
        }
    }
    let [a, b, c, d] = corners;
    let far = point(1 << 20, 200);
    for corners in [[a; 4], [a, c, b, d], [a, far, c, d]] {
        assert!(Outline { corners, ..outline }
            .rectified(&picture, 100)
            .is_none());
    }
}

/// Says where a zone is.
struct ZoneAt(Option<[Point; 4]>);

impl Readers for ZoneAt {
    fn front(&mut self, _: &Picture, _: &mut Findings) -> Option<[Point; 4]> {
        self.0
    }

    fn back(&mut self, _: &Picture, _: &mut Findings) {}

    fn compare(&mut self, _: &mut Findings) {}
}

fn png(picture: &Picture) -> Vec<u8> {
    let mut file = Vec::new();
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a valid header");
    writer.write_image_data(picture.rgb()).expect("all pixels");
    writer.finish().expect("written to memory");
    file
}

#[test]
fn features_should_say_whether_a_document_was_found_when_its_front_is_given() {
    let judge = |picture: &Picture, zone: Option<[Point; 4]>| {
        let file = png(picture);
        let evidence = Evidence {
            document: Some(&file),
            ..Evidence::default()
        };
        let how = Execution::default();
        pipeline(how).run(&evidence, &expected(1), &mut ZoneAt(zone))
    };
    let found = [Slot::DocumentFound, Slot::DocumentWidth];
    let reasons = [
        Reason::DocumentNotFound,
        Reason::OutlineNotFound,
        Reason::DocumentCut,
    ];
    let blank = grey(WIDTH, HEIGHT, |_, _| 180);
    let card = cards(WIDTH, HEIGHT, &[([300, 200, 700, 452], 220)]);
    let cut = cards(WIDTH, HEIGHT, &[([500, 200, 1200, 600], 220)]);
    let zone = |left: i64, right: i64| Some(rectangle(left, 400, right, 430));
    let mut digests = Vec::new();
    for (what, picture, zone, features, reason) in [
        ("nothing", &blank, None, [0, 0], Some(reasons[0])),
        ("a zone", &blank, zone(100, 500), [0, 0], Some(reasons[1])),
        ("a card", &card, None, [1, 400], None),
        ("its zone", &card, zone(320, 680), [1, 400], None),
        (
            "half of one",
            &cut,
            zone(530, 940),
            [1, 460],
            Some(reasons[2]),
        ),
    ] {
        let outcome = judge(picture, zone);
        for (slot, expected) in found.iter().zip(features) {
            let value = outcome.features.get(*slot);
            assert!((value - expected).abs() <= 3, "{what}: {slot:?} {value}");
        }
        for other in reasons {
            let is = outcome.reasons.contains(&other);
            assert_eq!(is, reason == Some(other), "{what}: {:?}", outcome.reasons);
        }
        digests.push(outcome.digests[Stage::Outline as usize]);
    }
    digests.sort_unstable();
    digests.dedup();
    // Both blank pictures have no outline; the card has one, whatever was read.
    assert_eq!(digests.len(), 3);
}

/// Noise, blocks, stripes or nested frames.
fn any_picture((width, height): (usize, usize), kind: u8, bytes: &[u8]) -> Picture {
    let at = |i: i64| bytes[i.rem_euclid(64) as usize];
    let (right, bottom) = (width as i64 - 1, height as i64 - 1);
    grey(width, height, |x, y| match kind {
        0 => at(x * 7 + y * 13 + x * y),
        1 => at(x / 9 + y / 5 * 3),
        2 => at((x + y * i64::from(at(0) % 5)) / 7),
        _ => at(x.min(y).min(right - x).min(bottom - y) / 6),
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases(100))
    })]

    #[test]
    fn outline_should_be_the_same_twice_and_laid_flat_when_the_picture_is_any(
        size in prop_oneof![
            Just((1, 1)), (1..900usize, 1..3usize), (1..3usize, 1..900usize), (1..300usize, 1..300usize)
        ],
        kind in 0..4u8,
        bytes in prop::collection::vec(any::<u8>(), 64),
        places in prop::option::of(prop::array::uniform8(-400..1200i64)),
        side in 0..300usize,
    ) {
        let picture = any_picture(size, kind, &bytes);
        let corners = places.map(|p| [0, 2, 4, 6].map(|i| point(p[i], p[i + 1])));
        for printed in [
            Printed::default(),
            Printed { face: corners, zone: None },
            Printed { face: corners, zone: corners },
        ] {
            let found = Outline::find(&picture, &printed);
            prop_assert_eq!(Outline::find(&picture, &printed), found);
            if let Some(outline) = found {
                prop_assert!(outline.width() > 0);
                let flat = outline.rectified(&picture, side).expect("its corners are near");
                prop_assert!(flat.width().max(flat.height()) <= side.max(1));
            }
        }
    }
}
