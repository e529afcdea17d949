//! From integer features and web scopes to a score of 0 to 100.
//!
//! * [`features`] is the schema of the feature vector: 64 numbers, each with a name, a range, a unit and a meaning.
//! * [`reasons`] says why evidence counts less than it could, and what a person can do about it.
//! * [`Weights`] is what evidence is worth: a small file, pinned by its hash like a network.
//! * [`sample`] makes the inputs of the known answers.
//! * [`assess`] adds up points and applies the hard rules; [`Band`] names what the result means.
//!
//! The score is the sum of the [`Line`]s, at most 100, and at most the lowest [`Cap`] that applies. More proof never lowers
//! it: every line rises with its value, and every cap falls away or stays. What does lower it is evidence that contradicts
//! other evidence.
//!
//! `no_std`, integers only: a verifier runs it, and the chain's runtime runs it again, so that nobody can report a score.
#![no_std]

extern crate alloc;

mod band;
pub mod features;
mod points;
pub mod reasons;
mod rules;
pub mod sample;
mod scopes;
mod weights;

pub use band::Band;
pub use features::{Features, Slot};
pub use points::{Line, Source};
pub use reasons::Reason;
pub use rules::Cap;
pub use scopes::{Scope, Scopes};
pub use weights::{Malformed, Weights, LONGEST};

use alloc::vec::Vec;

/// A score and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// 0 to 100.
    pub score: u8,
    /// What that means.
    pub band: Band,
    /// Points, line by line.
    pub lines: Vec<Line>,
    /// Limits that apply; the lowest decides.
    pub caps: Vec<Cap>,
}

/// Scores evidence.
pub fn assess(weights: &Weights, features: &Features, scopes: Scopes) -> Assessment {
    let lines = points::lines(weights, features, scopes);
    let caps = rules::caps(weights, features);
    let sum: u32 = lines.iter().map(|line| u32::from(line.points)).sum();
    let most = caps.iter().map(|cap| cap.most).min().unwrap_or(100);
    let score = sum.min(u32::from(most)).min(100) as u8;
    Assessment {
        score,
        band: Band::of(score),
        lines,
        caps,
    }
}
