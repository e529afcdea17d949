//! What a score cannot exceed, whatever else was proved.

use crate::{
    features::evidence,
    points::{licence, whole_zone},
    Features, Reason, Slot, Weights,
};
use alloc::vec::Vec;

/// A limit and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Why.
    pub reason: Reason,
    /// The most that the score can be.
    pub most: u8,
}

/// Frames below which a challenge has too few to say more about it; the pipeline asks for as many.
const FEW_FRAMES: i32 = 12;
/// Range of yaw below which a head did not turn, in thousandths of the distance between the eyes; as in the pipeline.
const STILL: i32 = 220;

/// All limits that apply.
pub(crate) fn caps(w: &Weights, features: &Features) -> Vec<Cap> {
    let get = |slot: Slot| i32::from(features.get(slot));
    let given = |bit: i16| features.get(Slot::Evidence) & bit != 0;
    let mut caps = Vec::new();
    let mut cap = |applies: bool, reason: Reason, most: i32| {
        if applies {
            caps.push(Cap {
                reason,
                most: most as u8,
            });
        }
    };

    cap(
        get(Slot::CaptureReplayed) == 1,
        Reason::UploadReplayed,
        w.cap_replayed,
    );

    // The document.
    let (zone, licence) = (whole_zone(features), licence(features));
    let zone_seen = get(Slot::MrzFormat) != 0;
    let broken = zone_seen && features.get(Slot::MrzPresent) & !features.get(Slot::MrzValid) != 0;
    let portrait = get(Slot::PortraitFaces) > 0;
    let document = get(Slot::DocumentFound) == 1 || portrait || zone_seen || licence;
    if !given(evidence::DOCUMENT) {
        cap(true, Reason::DocumentMissing, w.cap_unread);
    } else if !document {
        cap(true, Reason::DocumentNotFound, w.cap_unread);
    } else {
        cap(!portrait, Reason::PortraitNotFound, w.cap_faceless);
    }
    cap(broken, Reason::MrzCheckDigitWrong, w.cap_contradiction);
    let unread = match get(Slot::BarcodeFound) {
        _ if zone_seen => Reason::MrzUnreadable,
        1 => Reason::BarcodeUnreadable,
        2 => Reason::BarcodeNotALicence,
        _ => Reason::MrzNotFound,
    };
    cap(!zone && !licence && !broken, unread, w.cap_unread);
    cap(
        get(Slot::DatesPossible) == 0,
        Reason::DatesImpossible,
        w.cap_contradiction,
    );
    cap(
        get(Slot::DaysToExpiry) < 0,
        Reason::DocumentExpired,
        w.cap_expired,
    );
    let young = (0..w.least_age).contains(&get(Slot::HolderAge));
    cap(young, Reason::HolderTooYoung, w.cap_contradiction);
    let checks = [
        (Slot::CrossName, Reason::NamesDiffer),
        (Slot::CrossBirth, Reason::BirthDiffers),
        (Slot::CrossNumber, Reason::NumberDiffers),
        (Slot::CrossExpiry, Reason::ExpiryDiffers),
    ];
    for (slot, reason) in checks {
        cap(get(slot) == 0, reason, w.cap_contradiction);
    }

    // The person.
    let faces = get(Slot::SelfieFaces);
    if !given(evidence::SELFIE) {
        cap(true, Reason::SelfieMissing, w.cap_faceless);
    } else {
        cap(faces == 0, Reason::SelfieWithoutFace, w.cap_faceless);
        cap(faces > 1, Reason::SelfieWithSeveralFaces, w.cap_faceless);
    }
    let cosine = get(Slot::FaceCosine);
    if get(Slot::FaceCompared) == 0 {
        cap(
            given(evidence::SELFIE) && faces == 1 && portrait,
            Reason::FacesUncertain,
            w.cap_faceless,
        );
    } else if cosine < w.face_reject {
        cap(true, Reason::FacesDiffer, w.cap_contradiction);
    } else {
        cap(
            cosine < w.face_accept,
            Reason::FacesUncertain,
            w.cap_uncertain,
        );
    }

    // The challenge. A cosine of 0 means that no frame was compared.
    let other = get(Slot::ChallengeCosine) != 0 && get(Slot::ChallengeCosine) < w.face_reject;
    cap(other, Reason::ChallengeOtherPerson, w.cap_contradiction);
    if get(Slot::ChallengePassed) == 0 {
        let reason = if !given(evidence::CHALLENGE) {
            Reason::ChallengeMissing
        } else if get(Slot::ChallengeFrames) < FEW_FRAMES {
            Reason::ChallengeTooFewFrames
        } else if get(Slot::ChallengeRange) < STILL {
            Reason::ChallengeStill
        } else {
            Reason::ChallengeWrongOrder
        };
        cap(true, reason, w.cap_still);
    }

    // The capture. What nobody signed for says nothing about another request or the time.
    let client = get(Slot::CaptureClient) == 1;
    let user = get(Slot::CaptureUser) == 1;
    if !given(evidence::CAPTURE) {
        cap(true, Reason::CaptureMissing, w.cap_unsigned);
    } else {
        cap(!client, Reason::CaptureClientUnproven, w.cap_unsigned);
        cap(!user, Reason::CaptureUserUnproven, w.cap_unsigned);
    }
    if given(evidence::CAPTURE) && client && user {
        let salt = get(Slot::CaptureSalt) == 1;
        cap(!salt, Reason::CaptureForAnotherRequest, w.cap_contradiction);
        let challenge = get(Slot::CaptureChallenge) == 1;
        cap(!challenge, Reason::CaptureOtherChallenge, w.cap_still);
        let fresh = (0..=w.capture_age).contains(&get(Slot::CaptureAge));
        cap(!fresh, Reason::CaptureTooOld, w.cap_uncertain);
    }
    caps
}
