//! Everything together.

use crate::{cases, fixture, pipeline};
use proptest::prelude::*;
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    capture::{Expected, PublicKey},
    features::evidence,
    stages::Stage,
    Evidence, Features, Findings, Outcome, Picture, Point, Readers, Reason, Slot,
};

pub fn expected(salt: u8) -> Expected<'static> {
    Expected {
        clients: &[],
        user: PublicKey::Sr25519([0; 32]),
        salt: [salt; 32],
        challenge: [0; 32],
        now_ms: 0,
        seen: &[],
    }
}

fn run(evidence: &Evidence) -> Outcome {
    pipeline(Execution::default()).run(evidence, &expected(1), &mut ())
}

#[test]
fn outcome_should_name_everything_that_is_missing_when_there_is_no_evidence() {
    let outcome = run(&Evidence::default());
    let missing = [
        Reason::SelfieMissing,
        Reason::DocumentMissing,
        Reason::CaptureMissing,
        Reason::ChallengeMissing,
    ];
    assert_eq!(outcome.reasons, missing);
    assert_eq!(outcome.features.get(Slot::Evidence), 0);
}

#[test]
fn outcome_should_match_selfie_and_portrait_when_they_are_one_picture() {
    let (face, turned) = (fixture("face.png"), fixture("turned.png"));
    let outcome = run(&Evidence {
        document: Some(&face),
        selfie: Some(&face),
        ..Evidence::default()
    });
    let get = |slot| outcome.features.get(slot);
    assert_eq!(get(Slot::Evidence), evidence::DOCUMENT + evidence::SELFIE);
    assert_eq!(
        (get(Slot::FaceCompared), get(Slot::FaceCosine)),
        (1, 10_000)
    );
    assert_eq!((get(Slot::SelfieFaces), get(Slot::PortraitFaces)), (1, 1));
    assert!(!outcome.reasons.contains(&Reason::FacesDiffer));
    let other = run(&Evidence {
        document: Some(&face),
        selfie: Some(&turned),
        ..Evidence::default()
    });
    assert!(other.features.get(Slot::FaceCosine) < 10_000);
    // The document is the same, so what differs is known from the digests alone.
    assert_ne!(
        other.digests[Stage::Decode as usize],
        outcome.digests[Stage::Decode as usize]
    );
    assert_eq!(
        other.digests[Stage::Mrz as usize],
        outcome.digests[Stage::Mrz as usize]
    );
}

#[test]
fn outcome_should_say_why_when_pictures_show_nothing() {
    let (noise, pattern) = ([0x5a; 4096], fixture("rgb-8.png"));
    let outcome = run(&Evidence {
        document: Some(&pattern),
        selfie: Some(&noise),
        ..Evidence::default()
    });
    for reason in [Reason::NotAPicture, Reason::PortraitNotFound] {
        assert!(outcome.reasons.contains(&reason), "{reason:?}");
    }
    assert_eq!(outcome.features.get(Slot::FaceCompared), 0);
    let selfie = run(&Evidence {
        selfie: Some(&pattern),
        ..Evidence::default()
    });
    assert!(selfie.reasons.contains(&Reason::SelfieWithoutFace));
}

#[test]
fn challenge_should_be_refused_when_every_frame_is_the_same_picture() {
    let face = fixture("face.png");
    let outcome = run(&Evidence {
        selfie: Some(&face),
        frames: vec![&face; 12],
        ..Evidence::default()
    });
    assert!(outcome.reasons.contains(&Reason::ChallengeStill));
    assert_eq!(outcome.features.get(Slot::ChallengePassed), 0);
    assert_eq!(outcome.features.get(Slot::ChallengeFrames), 12);
    assert_eq!(outcome.features.get(Slot::ChallengeCosine), 10_000);
    let many = run(&Evidence {
        frames: vec![&face; 65],
        ..Evidence::default()
    });
    assert!(many.reasons.contains(&Reason::ChallengeTooManyFrames));
}

/// Notes what it was shown.
#[derive(Default)]
struct Notes(Vec<(&'static str, usize, usize)>);

impl Readers for Notes {
    fn front(&mut self, picture: &Picture, findings: &mut Findings) -> Option<[Point; 4]> {
        self.0.push(("front", picture.width(), picture.height()));
        findings.features.set(Slot::DocumentKind, 1);
        findings.stages.add(Stage::Mrz, b"read");
        None
    }

    fn back(&mut self, picture: &Picture, _: &mut Findings) {
        self.0.push(("back", picture.width(), picture.height()));
    }

    fn compare(&mut self, findings: &mut Findings) {
        findings.reasons.push(Reason::NamesDiffer);
    }
}

#[test]
fn readers_should_see_both_sides_when_a_document_has_them() {
    let (front, back) = (fixture("face.png"), fixture("rgb-8.png"));
    let evidence = Evidence {
        document: Some(&front),
        back: Some(&back),
        ..Evidence::default()
    };
    let mut notes = Notes::default();
    let outcome = pipeline(Execution::default()).run(&evidence, &expected(1), &mut notes);
    assert_eq!(notes.0, [("front", 240, 320), ("back", 96, 64)]);
    assert_eq!(outcome.features.get(Slot::DocumentKind), 1);
    assert!(outcome.reasons.contains(&Reason::NamesDiffer));
    assert_ne!(
        outcome.digests[Stage::Mrz as usize],
        run(&evidence).digests[Stage::Mrz as usize]
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases(6))
    })]

    /// Whatever is uploaded, there is an answer, and the same one twice.
    #[test]
    fn outcome_should_be_the_same_twice_when_files_are_damaged(
        which in prop::sample::select(vec!["baseline-420.jpg", "progressive-420.jpg", "face.png"]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut file = fixture(which);
        for (at, byte) in damage {
            *at.get_mut(&mut file) = byte;
        }
        let evidence = Evidence {
            document: Some(&file),
            back: Some(&file),
            selfie: Some(&file),
            frames: vec![&file],
            capture: None,
        };
        let first = run(&evidence);
        prop_assert!(Features::from_values(*first.features.values()).is_ok());
        prop_assert_eq!(run(&evidence), first);
    }
}
