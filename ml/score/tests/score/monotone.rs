//! More proof never lowers a score.

use crate::{scopes, weights, with};
use proptest::prelude::*;
use ve_ml_score::{
    assess,
    features::{check, evidence},
    sample, Features, Scope, Scopes, Slot,
};

/// Slots of proof, from less to more. Signatures are proofs only together with the salt that they sign, see below.
fn ladder(slot: Slot) -> Option<Vec<i16>> {
    let about = slot.about();
    let ends = [about.least, about.most];
    Some(match slot {
        Slot::CaptureSalt
        | Slot::CaptureChallenge
        | Slot::DocumentFound
        | Slot::ChallengePassed
        | Slot::BarcodeLicence => vec![0, 1],
        Slot::CaptureReplayed => vec![1, 0],
        Slot::BarcodeFound => vec![0, 1, 2],
        Slot::CrossName
        | Slot::CrossBirth
        | Slot::CrossNumber
        | Slot::CrossExpiry
        | Slot::DatesPossible => {
            vec![0, -1, 1]
        }
        Slot::SelfieConfidence
        | Slot::DocumentSharpness
        | Slot::MrzConfidenceMean
        | Slot::DaysToExpiry => ends.to_vec(),
        Slot::FaceCosine => vec![-10000, 3629, 3630, 4499, 4500, 5000, 6500, 10000],
        Slot::MrzRepaired => vec![90, 3, 2, 0],
        Slot::CaptureAge => vec![32767, 61, 60, 0],
        Slot::HolderAge => vec![0, 17, 18, 150],
        Slot::MrzValid => vec![0, check::NUMBER, check::NUMBER | check::BIRTH, 15, 31],
        _ => return None,
    })
}

fn score(features: &Features, scopes: Scopes) -> u8 {
    assess(&weights(), features, scopes).score
}

#[test]
fn score_should_not_fall_when_one_proof_gets_better() {
    let mut ladders = 0;
    for slot in Slot::ALL {
        let Some(values) = ladder(*slot) else {
            continue;
        };
        ladders += 1;
        let (weights, genuine) = (weights(), crate::genuine());
        let samples = (0..4000).map(sample::evidence).chain([(genuine, scopes())]);
        for (n, (features, scopes)) in samples.enumerate() {
            let mut before = 0;
            for value in &values {
                let now = assess(&weights, &with(features, &[(*slot, *value)]), scopes).score;
                assert!(
                    now >= before,
                    "{slot:?} = {value} in sample {n}: {before} fell to {now}"
                );
                before = now;
            }
        }
    }
    assert_eq!(ladders, 21);
}

proptest! {
    #[test]
    fn score_should_not_fall_when_a_whole_proof_is_added(number in any::<u32>(), bits in 0..16u16) {
        let (features, scopes) = sample::evidence(number);
        let given = features.get(Slot::Evidence);
        // A challenge, passed by the same person.
        let without = with(features, &[
            (Slot::Evidence, given & !evidence::CHALLENGE), (Slot::ChallengePassed, 0), (Slot::ChallengeFrames, 0),
            (Slot::ChallengeRange, 0), (Slot::ChallengeCosine, 0),
        ]);
        let passed = with(features, &[
            (Slot::Evidence, given | evidence::CHALLENGE), (Slot::ChallengePassed, 1), (Slot::ChallengeFrames, 20),
            (Slot::ChallengeRange, 600), (Slot::ChallengeCosine, 6000),
        ]);
        prop_assert!(score(&passed, scopes) >= score(&without, scopes));
        // A signed capture for this request.
        let flags = [Slot::CaptureClient, Slot::CaptureUser, Slot::CaptureSalt, Slot::CaptureChallenge];
        let unsigned = with(with(features, &flags.map(|s| (s, 0))), &[(Slot::Evidence, given & !evidence::CAPTURE), (Slot::CaptureAge, -1)]);
        let signed = with(with(features, &flags.map(|s| (s, 1))), &[(Slot::Evidence, given | evidence::CAPTURE), (Slot::CaptureAge, 1)]);
        prop_assert!(score(&signed, scopes) >= score(&unsigned, scopes));
        // A licence's barcode.
        let without = with(features, &[(Slot::BarcodeFound, 0), (Slot::BarcodeLicence, 0)]);
        let read = with(features, &[(Slot::BarcodeFound, 2), (Slot::BarcodeLicence, 1)]);
        prop_assert!(score(&read, scopes) >= score(&without, scopes));
        // Proofs of the web.
        let mut more = Scopes::from_bits(bits).unwrap();
        let mut before = score(&features, more);
        for scope in Scope::ALL {
            more = more.with(scope);
            let now = score(&features, more);
            prop_assert!(now >= before);
            before = now;
        }
    }

    #[test]
    fn assessment_should_be_consistent_when_features_are_arbitrary(number in any::<u32>()) {
        let (features, scopes) = sample::evidence(number);
        let a = assess(&weights(), &features, scopes);
        let sum: u32 = a.lines.iter().map(|l| u32::from(l.points)).sum();
        let cap = a.caps.iter().map(|c| c.most).min().unwrap_or(100);
        prop_assert_eq!(u32::from(a.score), sum.min(cap.into()).min(100));
        prop_assert_eq!(a.band, ve_ml_score::Band::of(a.score));
        let mut reasons: Vec<_> = a.caps.iter().map(|c| c.reason).collect();
        reasons.sort();
        reasons.dedup();
        prop_assert_eq!(reasons.len(), a.caps.len(), "a reason is given once");
    }
}
