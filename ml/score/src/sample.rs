//! Feature vectors that everybody can make, for known answers: a verifier scores them when it starts.

use crate::{assess, features::SLOTS, Features, Scopes, Slot, Weights};
use alloc::{format, string::String, vec::Vec};

/// The vector and the proofs with a number: every slot at one of its ends, at its absent value or anywhere between.
pub fn evidence(number: u32) -> (Features, Scopes) {
    let mut state = u64::from(number) + 1;
    let mut next = |below: u64| {
        // xorshift64*, its upper half.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % below
    };
    // The first numbers lie close to the seed: they are not used.
    for _ in 0..SLOTS {
        next(2);
    }
    let mut features = Features::absent();
    for slot in Slot::ALL {
        let about = slot.about();
        let (least, most) = (i64::from(about.least), i64::from(about.most));
        let value = match next(4) {
            0 => about.absent.into(),
            1 => least,
            2 => most,
            _ => least + next((most - least + 1) as u64) as i64,
        };
        features.set(*slot, value);
    }
    let scopes = Scopes::from_bits(next(16) as u16).unwrap_or_default();
    (features, scopes)
}

/// The known answer to a sample: its score, and the codes of the reasons of its caps, or `-`.
pub fn answer(weights: &Weights, number: u32) -> String {
    let (features, scopes) = evidence(number);
    let assessment = assess(weights, &features, scopes);
    let codes = assessment
        .caps
        .iter()
        .map(|cap| format!("{}", cap.reason.code()));
    match codes.collect::<Vec<_>>() {
        codes if codes.is_empty() => format!("{} -", assessment.score),
        codes => format!("{} {}", assessment.score, codes.join(",")),
    }
}
