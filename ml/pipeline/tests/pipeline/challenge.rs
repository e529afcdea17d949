//! The head-turn challenge on a model of a head: five points in space, seen by a camera.

use proptest::prelude::*;
use ve_ml_pipeline::{
    challenge::{judge, order, Side, CENTRED, TURNED, TURNS},
    detect::Face,
    Point, Reason,
};

/// Eyes, nose, corners of the mouth in millimetres: right, down, towards the camera.
const HEAD: [[f64; 3]; 5] = [
    [-32.0, 0.0, 0.0],
    [32.0, 0.0, 0.0],
    [0.0, 38.0, 28.0],
    [-25.0, 70.0, 4.0],
    [25.0, 70.0, 4.0],
];
const FLAT: [[f64; 3]; 5] = {
    let mut flat = HEAD;
    let mut i = 0;
    while i < 5 {
        flat[i][2] = 0.0;
        i += 1;
    }
    flat
};

/// What a camera at 600 mm sees of points that turned by `yaw` degrees about the vertical axis, were tilted by `roll`
/// degrees in the plane of the picture, and shifted by `x` pixels.
fn seen(points: [[f64; 3]; 5], yaw: f64, roll: f64, x: f64) -> Face {
    let ((ys, yc), (rs, rc)) = (yaw.to_radians().sin_cos(), roll.to_radians().sin_cos());
    let landmarks = points.map(|[px, py, pz]| {
        let (px, pz) = (px * yc + pz * ys, pz * yc - px * ys);
        let scale = 900.0 / (600.0 - pz);
        let (px, py) = (px * scale, py * scale);
        let units = |v: f64| (v * 256.0).round() as i64;
        Point {
            x: units(px * rc - py * rs + 320.0 + x),
            y: units(px * rs + py * rc + 240.0),
        }
    });
    Face {
        confidence: 16_000,
        corner: Point::default(),
        size: Point::default(),
        landmarks,
    }
}

/// A head that turns to each side by 35 degrees and back, in steps of 9 degrees or less.
fn film(points: [[f64; 3]; 5], turns: &[Side]) -> Vec<Face> {
    let mut yaws = vec![0.0];
    for turn in turns {
        let sign = if *turn == Side::Left { -1.0 } else { 1.0 };
        yaws.extend([9.0, 18.0, 27.0, 35.0, 35.0, 27.0, 18.0, 9.0, 0.0].map(|yaw| sign * yaw));
    }
    let frames = yaws.iter().enumerate();
    frames
        .map(|(i, yaw)| seen(points, *yaw, (i % 5) as f64 - 2.0, i as f64))
        .collect()
}

fn every_order() -> impl Iterator<Item = [Side; TURNS]> {
    (0..1u8 << TURNS).map(|first| order(&[first; 32]))
}

#[test]
fn challenge_should_be_passed_when_the_head_turns_as_asked() {
    for asked in every_order() {
        let turned = judge(&film(HEAD, &asked), &asked);
        assert_eq!(turned.verdict, Ok(()), "{asked:?}");
        assert_eq!(turned.centred.len(), 1 + TURNS);
        assert!(turned.range > TURNED);
    }
}

#[test]
fn challenge_should_be_refused_when_the_order_is_another() {
    for asked in every_order() {
        for shown in every_order().filter(|shown| *shown != asked) {
            let verdict = judge(&film(HEAD, &shown), &asked).verdict;
            assert_eq!(
                verdict,
                Err(Reason::ChallengeWrongOrder),
                "{asked:?} {shown:?}"
            );
        }
        for n in [TURNS - 1, TURNS + 1] {
            let shown: Vec<Side> = asked.iter().chain(&asked).copied().take(n).collect();
            assert!(
                judge(&film(HEAD, &shown), &asked).verdict.is_err(),
                "{n} turns"
            );
        }
    }
}

#[test]
fn challenge_should_be_refused_when_a_flat_picture_is_turned_in_its_place() {
    for asked in every_order() {
        let turned = judge(&film(FLAT, &asked), &asked);
        assert_eq!(turned.verdict, Err(Reason::ChallengeStill), "{asked:?}");
        assert!(turned.range < CENTRED, "{}", turned.range);
    }
}

#[test]
fn challenge_should_be_refused_when_nothing_moves() {
    let asked = order(&[5; 32]);
    for frames in [12, 40, 64] {
        let still = vec![seen(HEAD, 0.0, 0.0, 0.0); frames];
        assert_eq!(judge(&still, &asked).verdict, Err(Reason::ChallengeStill));
        let turned = vec![seen(HEAD, 30.0, 0.0, 0.0); frames];
        assert!(judge(&turned, &asked).verdict.is_err());
    }
}

#[test]
fn challenge_should_be_refused_when_there_is_a_cut() {
    let asked = order(&[5; 32]);
    let mut cut = film(HEAD, &asked);
    // Somebody else's frames: as large again, or somewhere else.
    cut[10] = seen(HEAD.map(|p| p.map(|v| 2.0 * v)), 9.0, 0.0, 10.0);
    assert_eq!(judge(&cut, &asked).verdict, Err(Reason::ChallengeJump));
    let mut cut = film(HEAD, &asked);
    cut[10] = seen(HEAD, 9.0, 0.0, 300.0);
    assert_eq!(judge(&cut, &asked).verdict, Err(Reason::ChallengeJump));
}

#[test]
fn challenge_should_be_refused_when_frames_are_too_few_or_too_many() {
    let asked = order(&[5; 32]);
    let frames = film(HEAD, &asked);
    assert_eq!(
        judge(&frames[..11], &asked).verdict,
        Err(Reason::ChallengeTooFewFrames)
    );
    assert_eq!(
        judge(&[], &asked).verdict,
        Err(Reason::ChallengeTooFewFrames)
    );
    let many: Vec<Face> = frames.iter().chain(&frames).copied().collect();
    assert_eq!(
        judge(&many, &asked).verdict,
        Err(Reason::ChallengeTooManyFrames)
    );
}

proptest! {
    /// One photograph, held and moved in any way that keeps it flat, never passes.
    #[test]
    fn challenge_should_be_refused_when_a_picture_is_moved_at_random(
        first in any::<u8>(), yaw in -20.0..20.0f64,
        moves in prop::collection::vec((-50.0..50.0f64, -30.0..30.0f64, 0.0..40.0f64), 12..64),
    ) {
        // The photograph shows a head that looks a little to a side.
        let photo = seen(HEAD, yaw, 0.0, -320.0).landmarks;
        let photo = photo.map(|p| [p.x as f64 / 384.0, p.y as f64 / 384.0 - 160.0, 0.0]);
        let frames: Vec<Face> = moves.iter().map(|(yaw, roll, x)| seen(photo, *yaw, *roll, *x)).collect();
        prop_assert!(judge(&frames, &order(&[first; 32])).verdict.is_err());
    }
}
