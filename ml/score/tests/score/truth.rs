//! Truth tables: what each finding costs, and the reason that a person is told.

use crate::{genuine, scopes, weights, with};
use ve_ml_score::{
    assess,
    features::{check, evidence},
    Band, Features, Reason, Scope, Scopes, Slot, Source,
};

fn given(without: i16) -> i16 {
    genuine().get(Slot::Evidence) & !without
}

/// Scores the genuine evidence with changes: its score, and the reasons of all caps.
fn found(changes: &[(Slot, i16)]) -> (u8, Vec<Reason>) {
    let a = assess(&weights(), &with(genuine(), changes), scopes());
    (a.score, a.caps.iter().map(|cap| cap.reason).collect())
}

#[test]
fn score_should_be_the_highest_when_nothing_is_missing() {
    assert_eq!(found(&[]), (100, vec![]));
    let a = assess(&weights(), &genuine(), Scopes::default());
    assert_eq!((a.score, a.band), (96, Band::Strong));
    let full = assess(&weights(), &genuine(), scopes());
    for line in &full.lines {
        assert!(line.points <= line.most, "{line:?}");
    }
}

/// What is changed, the score and the reasons of its caps.
type Wrong = (Vec<(Slot, i16)>, u8, Vec<Reason>);

#[test]
fn score_should_be_the_documented_one_when_one_thing_is_wrong() {
    let all = genuine().get(Slot::MrzValid);
    let own = [
        (Slot::CaptureClient, 0),
        (Slot::CaptureUser, 0),
        (Slot::CaptureSalt, 0),
        (Slot::CaptureChallenge, 0),
    ];
    let unread = [
        (Slot::MrzFormat, 0),
        (Slot::MrzPresent, 0),
        (Slot::MrzValid, 0),
        (Slot::DatesPossible, -1),
        (Slot::DaysToExpiry, 0),
        (Slot::HolderAge, -1),
    ];
    let and = |changes: &[(Slot, i16)], more: &[(Slot, i16)]| [changes, more].concat();
    let faceless = [(Slot::FaceCompared, 0), (Slot::FaceCosine, 0)];
    let unchallenged = [
        (Slot::ChallengePassed, 0),
        (Slot::ChallengeFrames, 0),
        (Slot::ChallengeRange, 0),
        (Slot::ChallengeCosine, 0),
    ];
    #[rustfmt::skip]
    let table: Vec<Wrong> = vec![
        // Replayed.
        (vec![(Slot::CaptureReplayed, 1)], 0, vec![Reason::UploadReplayed]),
        // The document.
        (and(&unread, &and(&faceless, &[(Slot::Evidence, given(evidence::DOCUMENT)), (Slot::DocumentFound, 0), (Slot::PortraitFaces, 0)])), 10, vec![Reason::DocumentMissing, Reason::MrzNotFound]),
        (and(&unread, &and(&faceless, &[(Slot::DocumentFound, 0), (Slot::PortraitFaces, 0)])), 10, vec![Reason::DocumentNotFound, Reason::MrzNotFound]),
        (and(&faceless, &[(Slot::PortraitFaces, 0)]), 25, vec![Reason::PortraitNotFound]),
        (unread.to_vec(), 10, vec![Reason::MrzNotFound]),
        (and(&unread, &[(Slot::BarcodeFound, 1)]), 10, vec![Reason::BarcodeUnreadable]),
        (and(&unread, &[(Slot::BarcodeFound, 2)]), 10, vec![Reason::BarcodeNotALicence]),
        (vec![(Slot::MrzPresent, check::NUMBER), (Slot::MrzValid, check::NUMBER)], 10, vec![Reason::MrzUnreadable]),
        (vec![(Slot::MrzValid, all & !check::NUMBER)], 10, vec![Reason::MrzCheckDigitWrong]),
        (vec![(Slot::MrzValid, all & !check::BIRTH)], 10, vec![Reason::MrzCheckDigitWrong]),
        (vec![(Slot::MrzValid, all & !check::EXPIRY)], 10, vec![Reason::MrzCheckDigitWrong]),
        (vec![(Slot::MrzValid, all & !check::OPTIONAL)], 10, vec![Reason::MrzCheckDigitWrong]),
        (vec![(Slot::MrzValid, all & !check::COMPOSITE)], 10, vec![Reason::MrzCheckDigitWrong]),
        (vec![(Slot::DatesPossible, 0)], 10, vec![Reason::DatesImpossible]),
        (vec![(Slot::DaysToExpiry, -1)], 10, vec![Reason::DocumentExpired]),
        (vec![(Slot::DaysToExpiry, 0)], 100, vec![]),
        (vec![(Slot::HolderAge, 17)], 10, vec![Reason::HolderTooYoung]),
        (vec![(Slot::HolderAge, 18)], 100, vec![]),
        (vec![(Slot::HolderAge, 0)], 10, vec![Reason::HolderTooYoung]),
        (vec![(Slot::CrossName, 0)], 10, vec![Reason::NamesDiffer]),
        (vec![(Slot::CrossBirth, 0)], 10, vec![Reason::BirthDiffers]),
        (vec![(Slot::CrossNumber, 0)], 10, vec![Reason::NumberDiffers]),
        (vec![(Slot::CrossExpiry, 0)], 10, vec![Reason::ExpiryDiffers]),
        // The person.
        (and(&faceless, &[(Slot::Evidence, given(evidence::SELFIE)), (Slot::SelfieFaces, 0)]), 25, vec![Reason::SelfieMissing]),
        (and(&faceless, &[(Slot::SelfieFaces, 0)]), 25, vec![Reason::SelfieWithoutFace]),
        (vec![(Slot::SelfieFaces, 2)], 25, vec![Reason::SelfieWithSeveralFaces]),
        (faceless.to_vec(), 25, vec![Reason::FacesUncertain]),
        (vec![(Slot::FaceCosine, 3629)], 10, vec![Reason::FacesDiffer]),
        (vec![(Slot::FaceCosine, 3630)], 40, vec![Reason::FacesUncertain]),
        (vec![(Slot::FaceCosine, 4499)], 40, vec![Reason::FacesUncertain]),
        (vec![(Slot::FaceCosine, 4500)], 92, vec![]),
        // The challenge.
        (and(&unchallenged, &[(Slot::Evidence, given(evidence::CHALLENGE))]), 70, vec![Reason::ChallengeMissing]),
        (unchallenged.to_vec(), 70, vec![Reason::ChallengeTooFewFrames]),
        (vec![(Slot::ChallengePassed, 0), (Slot::ChallengeFrames, 11)], 70, vec![Reason::ChallengeTooFewFrames]),
        (vec![(Slot::ChallengePassed, 0), (Slot::ChallengeFrames, 12), (Slot::ChallengeRange, 219)], 70, vec![Reason::ChallengeStill]),
        (vec![(Slot::ChallengePassed, 0), (Slot::ChallengeRange, 220)], 70, vec![Reason::ChallengeWrongOrder]),
        (vec![(Slot::ChallengeCosine, 3629)], 10, vec![Reason::ChallengeOtherPerson]),
        (vec![(Slot::ChallengeCosine, 3630)], 100, vec![]),
        (vec![(Slot::ChallengeCosine, 0)], 100, vec![]),
        // The capture.
        (and(&own, &[(Slot::Evidence, given(evidence::CAPTURE)), (Slot::CaptureAge, -1)]), 85, vec![Reason::CaptureMissing]),
        (vec![(Slot::CaptureClient, 0)], 85, vec![Reason::CaptureClientUnproven]),
        (vec![(Slot::CaptureUser, 0)], 85, vec![Reason::CaptureUserUnproven]),
        (vec![(Slot::CaptureSalt, 0)], 10, vec![Reason::CaptureForAnotherRequest]),
        (vec![(Slot::CaptureChallenge, 0)], 70, vec![Reason::CaptureOtherChallenge]),
        (vec![(Slot::CaptureAge, 60)], 100, vec![]),
        (vec![(Slot::CaptureAge, 61)], 40, vec![Reason::CaptureTooOld]),
        (vec![(Slot::CaptureAge, -1)], 40, vec![Reason::CaptureTooOld]),
        (and(&own, &[]), 85, vec![Reason::CaptureClientUnproven, Reason::CaptureUserUnproven]),
    ];
    for (changes, score, reasons) in table {
        assert_eq!(found(&changes), (score, reasons), "{changes:?}");
    }
}

#[test]
fn points_should_be_the_documented_ones_when_read_line_by_line() {
    let points = |features: &Features, source: Source| {
        let a = assess(&weights(), features, scopes());
        let line = a.lines.iter().find(|line| line.source == source);
        let line = line.expect("every line is there");
        (line.points, line.most)
    };
    #[rustfmt::skip]
    let table = [
        (Slot::MrzValid, vec![(31, 24), (30, 0)], 24),
        (Slot::MrzRepaired, vec![(0, 2), (2, 2), (3, 0)], 2),
        (Slot::MrzConfidenceMean, vec![(0, 0), (700, 0), (762, 0), (763, 1), (825, 2), (949, 3), (950, 4), (1000, 4)], 4),
        (Slot::DatesPossible, vec![(-1, 0), (0, 0), (1, 4)], 4),
        (Slot::CrossName, vec![(-1, 0), (0, 0), (1, 1)], 1),
        (Slot::CrossBirth, vec![(-1, 0), (0, 0), (1, 1)], 1),
        (Slot::CrossNumber, vec![(-1, 0), (0, 0), (1, 1)], 1),
        (Slot::CrossExpiry, vec![(-1, 0), (0, 0), (1, 1)], 1),
        (Slot::DocumentFound, vec![(0, 0), (1, 2)], 2),
        (Slot::DocumentSharpness, vec![(59, 0), (60, 2)], 2),
        (Slot::SelfieConfidence, vec![(849, 0), (850, 2)], 2),
        (Slot::ChallengePassed, vec![(0, 0), (1, 12)], 12),
        (Slot::CaptureClient, vec![(0, 0), (1, 4)], 4),
        (Slot::CaptureUser, vec![(0, 0), (1, 2)], 2),
        (Slot::CaptureSalt, vec![(0, 0), (1, 2)], 2),
        (Slot::CaptureChallenge, vec![(0, 0), (1, 2)], 2),
        (Slot::FaceCosine, vec![(-10000, 0), (4499, 0), (4500, 20), (4642, 20), (4643, 21), (5500, 27), (6500, 34), (10000, 34)], 34),
    ];
    for (slot, values, most) in table {
        for (value, expected) in values {
            let features = with(genuine(), &[(slot, value)]);
            assert_eq!(
                points(&features, Source::Slot(slot)),
                (expected, most),
                "{slot:?} {value}"
            );
        }
    }
    let not_compared = with(genuine(), &[(Slot::FaceCompared, 0)]);
    assert_eq!(
        points(&not_compared, Source::Slot(Slot::FaceCosine)),
        (0, 34)
    );
    for (scope, most) in [
        (Scope::Email, 2),
        (Scope::Phone, 3),
        (Scope::SignOn, 3),
        (Scope::Domain, 2),
    ] {
        assert_eq!(points(&genuine(), Source::Scope(scope)), (most, most));
        let only = assess(&weights(), &genuine(), Scopes::default().with(scope));
        let given: u8 = only
            .lines
            .iter()
            .filter(|l| matches!(l.source, Source::Scope(_)))
            .map(|l| l.points)
            .sum();
        assert_eq!(given, most, "{scope}");
    }
}

#[test]
fn evidence_should_count_when_it_is_only_just_enough() {
    for just in [
        (Slot::MrzFormat, 1),
        (Slot::PortraitFaces, 1),
        (Slot::CaptureAge, 0),
    ] {
        assert_eq!(found(&[just]).1, [], "{just:?}");
    }
}

#[test]
fn zone_should_be_unreadable_when_a_check_digit_is_missing() {
    let all = genuine().get(Slot::MrzPresent);
    for missing in [check::NUMBER, check::BIRTH, check::EXPIRY] {
        let rest = all & !missing;
        let changes = [(Slot::MrzPresent, rest), (Slot::MrzValid, rest)];
        assert_eq!(found(&changes), (10, vec![Reason::MrzUnreadable]));
    }
}

#[test]
fn barcode_should_stand_for_the_zone_when_there_is_none() {
    let licence = with(
        genuine(),
        &[
            (Slot::MrzFormat, 0),
            (Slot::MrzPresent, 0),
            (Slot::MrzValid, 0),
            (Slot::MrzConfidenceMean, 0),
            (Slot::BarcodeFound, 2),
            (Slot::BarcodeLicence, 1),
        ],
    );
    let a = assess(&weights(), &licence, scopes());
    // 20 barcode, 4 dates, 2 + 2 picture, 34 + 2 face, 12 challenge, 10 capture, 10 web.
    assert_eq!((a.score, a.caps.len()), (96, 0));
    // Found but not decoded, or decoded but no licence: nothing.
    for changes in [
        [(Slot::BarcodeFound, 1), (Slot::BarcodeLicence, 1)],
        [(Slot::BarcodeFound, 2), (Slot::BarcodeLicence, 0)],
    ] {
        assert_eq!(
            assess(&weights(), &with(licence, &changes), scopes()).score,
            10
        );
    }
    // Beside a zone it adds nothing.
    let both = with(
        genuine(),
        &[(Slot::BarcodeFound, 2), (Slot::BarcodeLicence, 1)],
    );
    let a = assess(&weights(), &both, Scopes::default());
    assert_eq!(a.score, 96);
}

#[test]
fn document_should_be_found_when_any_part_of_it_was() {
    let nothing = [
        (Slot::DocumentFound, 0),
        (Slot::PortraitFaces, 0),
        (Slot::MrzFormat, 0),
    ];
    assert!(found(&nothing).1.contains(&Reason::DocumentNotFound));
    for part in [
        &[(Slot::DocumentFound, 1)][..],
        &[(Slot::PortraitFaces, 1)],
        &[(Slot::MrzFormat, 1)],
        &[(Slot::BarcodeFound, 2), (Slot::BarcodeLicence, 1)],
    ] {
        let reasons = found(&[&nothing, part].concat()).1;
        assert!(!reasons.contains(&Reason::DocumentNotFound), "{part:?}");
    }
}

#[test]
fn capture_should_say_nothing_about_the_request_when_one_signature_is_missing() {
    for (signature, reason) in [
        (Slot::CaptureClient, Reason::CaptureClientUnproven),
        (Slot::CaptureUser, Reason::CaptureUserUnproven),
    ] {
        let reasons = found(&[(signature, 0), (Slot::CaptureSalt, 0)]).1;
        assert_eq!(reasons, [reason]);
    }
}

#[test]
fn score_should_stay_in_the_lowest_band_when_there_is_no_document() {
    let empty = Features::absent();
    assert_eq!(assess(&weights(), &empty, Scopes::default()).score, 0);
    assert_eq!(assess(&weights(), &empty, scopes()).score, 10);
    // The lowest cap decides when several apply.
    let worst = with(
        genuine(),
        &[
            (Slot::CaptureReplayed, 1),
            (Slot::DaysToExpiry, -5),
            (Slot::SelfieFaces, 3),
        ],
    );
    assert_eq!(assess(&weights(), &worst, scopes()).score, 0);
}

#[test]
fn bands_should_end_where_the_caps_do_when_scores_rise() {
    let table = [
        (0, "unproven"),
        (10, "unproven"),
        (11, "weak"),
        (40, "weak"),
        (41, "basic"),
        (70, "basic"),
        (71, "verified"),
        (85, "verified"),
        (86, "strong"),
        (100, "strong"),
    ];
    for (score, name) in table {
        assert_eq!(Band::of(score).to_string(), name, "{score}");
    }
    assert!(Band::ALL.is_sorted());
    assert_eq!(
        Band::ALL.map(Band::name),
        ["unproven", "weak", "basic", "verified", "strong"]
    );
}

#[test]
fn scopes_should_be_refused_when_bits_are_unknown() {
    assert_eq!(Scopes::from_bits(16), None);
    assert_eq!(Scopes::from_bits(0), Some(Scopes::default()));
    assert_eq!(scopes().bits(), 15);
    assert_eq!(
        Scope::ALL.map(Scope::name),
        ["web-email", "web-phone", "web-sign-on", "web-domain"]
    );
    assert_eq!(Source::Slot(Slot::MrzValid).to_string(), "MrzValid");
    assert_eq!(Source::Scope(Scope::Domain).to_string(), "web-domain");
}
