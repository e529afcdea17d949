//! What evidence is worth, line by line.

use crate::{
    features::check,
    scopes::{Scope, Scopes},
    Features, Slot, Weights,
};
use alloc::vec::Vec;
use core::fmt;

/// What points were given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A feature.
    Slot(Slot),
    /// A proof of the web.
    Scope(Scope),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(slot) => f.write_str(slot.about().name),
            Self::Scope(scope) => scope.fmt(f),
        }
    }
}

/// Points for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// For what.
    pub source: Source,
    /// Its value.
    pub value: i16,
    /// Points given.
    pub points: u8,
    /// Points that the best value would have been given.
    pub most: u8,
}

/// Whether a machine-readable zone was read and all its check digits are right.
pub(crate) fn whole_zone(features: &Features) -> bool {
    let (present, valid) = (features.get(Slot::MrzPresent), features.get(Slot::MrzValid));
    let needed = check::NUMBER | check::BIRTH | check::EXPIRY;
    features.get(Slot::MrzFormat) != 0 && present & needed == needed && present & !valid == 0
}

/// Whether a barcode was read that holds a licence.
pub(crate) fn licence(features: &Features) -> bool {
    features.get(Slot::BarcodeFound) == 2 && features.get(Slot::BarcodeLicence) == 1
}

/// All lines, those without points too.
pub(crate) fn lines(w: &Weights, features: &Features, scopes: Scopes) -> Vec<Line> {
    let get = |slot: Slot| i32::from(features.get(slot));
    let zone = whole_zone(features);
    let compared = get(Slot::FaceCompared) == 1;
    let mut lines = Vec::with_capacity(32);
    let mut line = |source: Source, value: i16, points: i32, most: i32| {
        lines.push(Line {
            source,
            value,
            points: points as u8,
            most: most as u8,
        });
    };
    let mut when = |slot: Slot, holds: bool, most: i32| {
        line(
            Source::Slot(slot),
            features.get(slot),
            if holds { most } else { 0 },
            most,
        );
    };
    when(Slot::MrzValid, zone, w.mrz);
    when(
        Slot::MrzRepaired,
        zone && get(Slot::MrzRepaired) <= w.repaired_few,
        w.mrz_unrepaired,
    );
    // Anybody can print a barcode: beside a machine-readable zone it only counts where both say the same.
    when(Slot::BarcodeLicence, licence(features) && !zone, w.barcode);
    when(Slot::DatesPossible, get(Slot::DatesPossible) == 1, w.dates);
    for slot in [
        Slot::CrossName,
        Slot::CrossBirth,
        Slot::CrossNumber,
        Slot::CrossExpiry,
    ] {
        when(slot, get(slot) == 1, w.cross_check);
    }
    when(
        Slot::DocumentFound,
        get(Slot::DocumentFound) == 1,
        w.document_found,
    );
    when(
        Slot::DocumentSharpness,
        get(Slot::DocumentSharpness) >= w.sharp,
        w.document_sharp,
    );
    when(
        Slot::SelfieConfidence,
        get(Slot::SelfieConfidence) >= w.clear,
        w.selfie_clear,
    );
    when(
        Slot::ChallengePassed,
        get(Slot::ChallengePassed) == 1,
        w.challenge,
    );
    when(
        Slot::CaptureClient,
        get(Slot::CaptureClient) == 1,
        w.capture_client,
    );
    when(
        Slot::CaptureUser,
        get(Slot::CaptureUser) == 1,
        w.capture_user,
    );
    when(
        Slot::CaptureSalt,
        get(Slot::CaptureSalt) == 1,
        w.capture_salt,
    );
    when(
        Slot::CaptureChallenge,
        get(Slot::CaptureChallenge) == 1,
        w.capture_challenge,
    );

    let confidence = ramp(
        get(Slot::MrzConfidenceMean),
        (w.confidence_low, 0),
        (w.confidence_high, w.mrz_confidence),
    );
    let confidence = if zone { confidence } else { 0 };
    let slot = Slot::MrzConfidenceMean;
    line(
        Source::Slot(slot),
        features.get(slot),
        confidence,
        w.mrz_confidence,
    );

    let cosine = get(Slot::FaceCosine);
    let face = if compared && cosine >= w.face_accept {
        ramp(
            cosine,
            (w.face_accept, w.face_least),
            (w.face_full, w.face_most),
        )
    } else {
        0
    };
    let slot = Slot::FaceCosine;
    line(Source::Slot(slot), features.get(slot), face, w.face_most);

    for scope in Scope::ALL {
        let most = match scope {
            Scope::Email => w.web_email,
            Scope::Phone => w.web_phone,
            Scope::SignOn => w.web_sign_on,
            Scope::Domain => w.web_domain,
        };
        let has = scopes.has(scope);
        line(
            Source::Scope(scope),
            has.into(),
            if has { most } else { 0 },
            most,
        );
    }
    lines
}

/// On the straight line between two points, rounded down; beyond them their values. The first point is left of the second
/// and not above it.
fn ramp(x: i32, (x0, y0): (i32, i32), (x1, y1): (i32, i32)) -> i32 {
    y0 + (x.clamp(x0, x1) - x0) * (y1 - y0) / (x1 - x0)
}
