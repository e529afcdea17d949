//! Error rates of pairs of faces.

use rand::{rngs::StdRng, Rng, SeedableRng};

/// Two faces: whose they are, and how similar somebody finds them.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Persons.
    pub persons: [u32; 2],
    /// Cosine.
    pub score: f64,
}

impl Pair {
    /// Whether both faces are of one person.
    pub fn genuine(&self) -> bool {
        self.persons[0] == self.persons[1]
    }
}

/// Numbers of genuine and of impostor pairs.
pub fn count(pairs: &[Pair]) -> [usize; 2] {
    let genuine = pairs.iter().filter(|p| p.genuine()).count();
    [genuine, pairs.len() - genuine]
}

/// Visits of a pair that the resampling may make in all, and the numbers of resamples between which that decides.
const VISITS: usize = 2_000_000_000;
const RESAMPLES: [usize; 2] = [100, 2000];

/// An equal error rate and the interval in which 95 % of the resampled ones lie.
#[derive(Debug, PartialEq)]
pub struct EqualErrorRate {
    /// The rate where false matches and false non-matches come closest: their mean there.
    pub rate: f64,
    /// Bounds of the interval.
    pub interval: [f64; 2],
    /// Resamples.
    pub resamples: usize,
}

/// The equal error rate, with an interval from drawing persons with replacement: pairs that share a person are not
/// independent, so drawing pairs would promise too much.
pub fn equal_error_rate(mut pairs: Vec<Pair>, seed: u64) -> EqualErrorRate {
    pairs.sort_by(|a, b| a.score.total_cmp(&b.score));
    let persons = pairs
        .iter()
        .flat_map(|p| p.persons)
        .max()
        .map_or(0, |p| p as usize + 1);
    let resamples = (VISITS / pairs.len().max(1)).clamp(RESAMPLES[0], RESAMPLES[1]);
    let mut random = StdRng::seed_from_u64(seed);
    let mut rates = Vec::with_capacity(resamples);
    let mut draws = vec![0u32; persons];
    for _ in 0..resamples {
        // A draw of one person only has no impostors, and says nothing.
        let rate = core::iter::repeat_with(|| {
            draws.fill(0);
            for _ in 0..persons {
                draws[random.random_range(0..persons)] += 1;
            }
            weighted(&pairs, |person| f64::from(draws[person as usize]))
        })
        .take(100)
        .flatten()
        .next();
        rates.extend(rate);
    }
    rates.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let last = rates.len().saturating_sub(1) as f64;
        rates
            .get((part * last).round() as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    EqualErrorRate {
        rate: weighted(&pairs, |_| 1.0).unwrap_or(f64::NAN),
        interval: [at(0.025), at(0.975)],
        resamples: rates.len(),
    }
}

/// The equal error rate of sorted pairs, where a genuine pair counts as often as its person, and an impostor pair as often
/// as its persons' product. Nothing when there is no pair of one of the kinds.
fn weighted(pairs: &[Pair], weight: impl Fn(u32) -> f64) -> Option<f64> {
    let of = |p: &Pair| match p.genuine() {
        true => [weight(p.persons[0]), 0.0],
        false => [0.0, weight(p.persons[0]) * weight(p.persons[1])],
    };
    let sum = |[a, b]: [f64; 2], [c, d]: [f64; 2]| [a + c, b + d];
    let [genuine, impostor] = pairs.iter().map(of).fold([0.0; 2], sum);
    if genuine == 0.0 || impostor == 0.0 {
        return None;
    }
    let mut below = [0.0; 2];
    let mut closest = (f64::INFINITY, 1.0);
    for equal in pairs.chunk_by(|a, b| a.score == b.score) {
        let (reject, accept) = (below[0] / genuine, 1.0 - below[1] / impostor);
        closest = least(closest, reject, accept);
        below = equal.iter().map(of).fold(below, sum);
    }
    Some(least(closest, 1.0, 0.0).1)
}

fn least(closest: (f64, f64), reject: f64, accept: f64) -> (f64, f64) {
    let apart = (reject - accept).abs();
    if apart < closest.0 {
        (apart, (reject + accept) / 2.0)
    } else {
        closest
    }
}

/// Errors at a threshold that was chosen for a rate of false matches.
#[derive(Debug, PartialEq)]
pub struct Errors {
    /// Least cosine that is accepted.
    pub threshold: f64,
    /// Genuine pairs that are rejected.
    pub rejected: usize,
}

/// Impostor pairs without which a rate of false matches is not worth printing.
pub fn needed(false_matches: f64) -> usize {
    (30.0 / false_matches).ceil() as usize
}

/// The errors at the lowest threshold that keeps false matches at or below a rate; nothing when the pairs are too few.
pub fn errors_at(pairs: &[Pair], false_matches: f64) -> Option<Errors> {
    let mut impostors: Vec<f64> = pairs
        .iter()
        .filter(|p| !p.genuine())
        .map(|p| p.score)
        .collect();
    if impostors.len() < needed(false_matches) {
        return None;
    }
    impostors.sort_by(|a, b| b.total_cmp(a));
    let allowed = (false_matches * impostors.len() as f64).floor() as usize;
    // The first impostor that must be rejected: everything above it is accepted.
    let threshold = impostors.get(allowed)?.next_up();
    let rejected = pairs
        .iter()
        .filter(|p| p.genuine() && p.score < threshold)
        .count();
    Some(Errors {
        threshold,
        rejected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(scores: &[(f64, u32, u32)]) -> Vec<Pair> {
        scores
            .iter()
            .map(|(score, a, b)| Pair {
                persons: [*a, *b],
                score: *score,
            })
            .collect()
    }

    #[test]
    fn equal_error_rate_should_be_zero_when_a_threshold_separates_the_pairs() {
        let separate = pairs(&[(0.1, 0, 1), (0.2, 0, 1), (0.8, 0, 0), (0.9, 1, 1)]);
        let found = equal_error_rate(separate, 1);
        assert_eq!((found.rate, found.interval), (0.0, [0.0; 2]));
        assert_eq!(found.resamples, RESAMPLES[1]);
    }

    #[test]
    fn equal_error_rate_should_count_both_errors_when_scores_overlap() {
        let overlapping = pairs(&[(0.1, 0, 1), (0.5, 0, 0), (0.6, 0, 1), (0.9, 1, 1)]);
        assert_eq!(equal_error_rate(overlapping, 1).rate, 0.5);
        // One score for everybody: accept all, or none.
        let same = pairs(&[(0.5, 0, 0), (0.5, 0, 1), (0.5, 1, 1)]);
        assert_eq!(equal_error_rate(same, 1).rate, 0.5);
    }

    #[test]
    fn interval_should_hold_the_rate_and_repeat_itself_when_the_seed_is_the_same() {
        let mut random = StdRng::seed_from_u64(3);
        let mut many = Vec::new();
        for a in 0..20u32 {
            for b in a..20 {
                let mean = if a == b { 0.6 } else { 0.3 };
                many.extend((0..5).map(|_| Pair {
                    persons: [a, b],
                    score: mean + random.random_range(-0.3..0.3),
                }));
            }
        }
        let found = equal_error_rate(many.clone(), 7);
        assert!(
            found.interval[0] < found.rate && found.rate < found.interval[1],
            "{found:?}"
        );
        assert_eq!(found, equal_error_rate(many, 7));
    }

    #[test]
    fn errors_should_be_counted_above_the_allowed_false_matches_when_there_are_pairs_enough() {
        let mut many: Vec<_> = (0..300u32).map(|i| (f64::from(i) / 1000.0, 0, 1)).collect();
        many.extend([(0.2, 0, 0), (0.2695, 0, 0), (0.9, 1, 1)]);
        let many = pairs(&many);
        // Thirty of three hundred may be accepted: those from 0.270 on.
        let found = errors_at(&many, 0.1).unwrap();
        assert!((0.269..0.270).contains(&found.threshold));
        assert_eq!(found.rejected, 1);
        assert_eq!(errors_at(&many, 0.01), None);
        assert_eq!(needed(0.01), 3000);
    }
}
