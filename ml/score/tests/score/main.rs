//! Tests of the scorer as its users see it, with the shipped weights.

mod known_answers;
mod monotone;
mod truth;
mod weights;

use ve_ml_score::{
    features::{check, evidence},
    Features, Scopes, Slot, Weights,
};

/// The shipped weights.
pub fn shipped() -> Vec<u8> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/score.weights");
    std::fs::read(file).expect("the weights are committed")
}

/// The same, read.
pub fn weights() -> Weights {
    Weights::parse(&shipped()).expect("the shipped weights are valid")
}

/// All proofs of the web.
pub fn scopes() -> Scopes {
    Scopes::from_bits(15).expect("they exist")
}

/// A passport, its holder, a challenge and a signed capture: nothing to object to, and no barcode.
pub fn genuine() -> Features {
    let mut f = Features::absent();
    let all = check::NUMBER | check::BIRTH | check::EXPIRY | check::OPTIONAL | check::COMPOSITE;
    let given = evidence::DOCUMENT | evidence::SELFIE | evidence::CHALLENGE | evidence::CAPTURE;
    for (slot, value) in [
        (Slot::Evidence, given),
        (Slot::CaptureClient, 1),
        (Slot::CaptureUser, 1),
        (Slot::CaptureSalt, 1),
        (Slot::CaptureChallenge, 1),
        (Slot::CaptureAge, 3),
        (Slot::SelfieFaces, 1),
        (Slot::SelfieConfidence, 920),
        (Slot::SelfieEyes, 140),
        (Slot::DocumentFound, 1),
        (Slot::DocumentWidth, 1400),
        (Slot::DocumentSharpness, 200),
        (Slot::PortraitFaces, 2),
        (Slot::PortraitConfidence, 900),
        (Slot::PortraitEyes, 60),
        (Slot::FaceCompared, 1),
        (Slot::FaceCosine, 6800),
        (Slot::ChallengePassed, 1),
        (Slot::ChallengeFrames, 24),
        (Slot::ChallengeRange, 700),
        (Slot::ChallengeCosine, 5500),
        (Slot::MrzFormat, 3),
        (Slot::MrzPresent, all),
        (Slot::MrzValid, all),
        (Slot::MrzConfidence, 700),
        (Slot::MrzConfidenceMean, 960),
        (Slot::DocumentKind, 1),
        (Slot::DatesPossible, 1),
        (Slot::DaysToExpiry, 900),
        (Slot::HolderAge, 36),
    ] {
        f.set(slot, value);
    }
    f
}

/// The same with some slots changed.
pub fn with(mut features: Features, changes: &[(Slot, i16)]) -> Features {
    for (slot, value) in changes {
        features.set(*slot, *value);
    }
    features
}
