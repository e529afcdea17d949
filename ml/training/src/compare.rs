//! How much the integer network differs from the float one, on pairs of faces.

use anyhow::Result;

/// A face: whose it is, and what the two networks make of it.
pub struct Embedded {
    /// Person.
    pub person: usize,
    /// By the float network.
    pub float: Vec<f64>,
    /// By the integer network.
    pub integer: Vec<i16>,
}

/// What pairs of faces show.
#[derive(Debug)]
pub struct Comparison {
    /// Pairs of the same person.
    pub genuine: usize,
    /// Pairs of different persons.
    pub impostor: usize,
    /// Equal error rate of the float network.
    pub float_eer: f64,
    /// Equal error rate of the integer network.
    pub integer_eer: f64,
    /// Mean difference of the two cosines of a pair.
    pub mean_difference: f64,
    /// Largest difference of the two cosines of a pair.
    pub largest_difference: f64,
}

/// Compares all pairs.
pub fn compare(faces: &[Embedded]) -> Result<Comparison> {
    let (mut float, mut integer, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    for (i, a) in faces.iter().enumerate() {
        for b in &faces[i + 1..] {
            let same = a.person == b.person;
            let by_float = cosine(&a.float, &b.float);
            let by_integer = f64::from(ve_ml_engine::cosine_ppm(&a.integer, &b.integer)) / 1e6;
            differences.push((by_float - by_integer).abs());
            float.push((by_float, same));
            integer.push((by_integer, same));
        }
    }
    let genuine = float.iter().filter(|(_, same)| *same).count();
    anyhow::ensure!(
        genuine > 0 && genuine < float.len(),
        "at least two persons, one of them with two faces, are needed"
    );
    Ok(Comparison {
        genuine,
        impostor: float.len() - genuine,
        float_eer: equal_error_rate(float),
        integer_eer: equal_error_rate(integer),
        mean_difference: differences.iter().sum::<f64>() / differences.len() as f64,
        largest_difference: differences.iter().fold(0.0, |max: f64, d| max.max(*d)),
    })
}

/// Cosine of the angle between two embeddings.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The rate at the threshold where false accepts and false rejects come closest: their mean there.
fn equal_error_rate(mut pairs: Vec<(f64, bool)>) -> f64 {
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let genuine = pairs.iter().filter(|(_, same)| *same).count() as f64;
    let impostor = pairs.len() as f64 - genuine;
    let (mut rejected, mut accepted) = (0.0, impostor);
    let mut closest = (f64::INFINITY, 1.0);
    for (_, same) in pairs {
        if same {
            rejected += 1.0;
        } else {
            accepted -= 1.0;
        }
        let (reject, accept) = (rejected / genuine, accepted / impostor);
        if (reject - accept).abs() < closest.0 {
            closest = ((reject - accept).abs(), (reject + accept) / 2.0);
        }
    }
    closest.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_error_rate_should_count_both_errors_when_scores_overlap() {
        let separate = vec![(0.1, false), (0.2, false), (0.8, true), (0.9, true)];
        assert_eq!(equal_error_rate(separate), 0.0);
        let overlapping = vec![(0.1, false), (0.5, true), (0.6, false), (0.9, true)];
        assert_eq!(equal_error_rate(overlapping), 0.5);
    }
}
