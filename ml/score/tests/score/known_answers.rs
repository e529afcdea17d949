//! Scores of many vectors: every machine must arrive at them.

use crate::weights;
use ve_ml_score::sample;

/// Lines of `score.known-answers.txt`.
fn answers() -> String {
    let weights = weights();
    (0..64)
        .map(|number| format!("{number} {}\n", sample::answer(&weights, number)))
        .collect()
}

#[test]
fn scores_should_be_the_known_answers_when_samples_are_scored() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/score.known-answers.txt"
    );
    let pinned = std::fs::read_to_string(file).unwrap_or_default();
    let pinned: String = pinned
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect();
    let found = answers();
    assert_eq!(pinned, found, "the answers are:\n{found}");
}
