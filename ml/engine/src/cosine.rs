/// Cosine of the angle between two embeddings in millionths, rounded towards zero; 0 when one of them is zero.
///
/// Both must have the same length; the sums are exact for up to `2^31` entries.
pub fn cosine_ppm(a: &[i16], b: &[i16]) -> i32 {
    let dot = |a: &[i16], b: &[i16]| {
        a.iter()
            .zip(b)
            .map(|(x, y)| i64::from(*x) * i64::from(*y))
            .sum::<i64>()
    };
    let norm = (dot(a, a).unsigned_abs() as u128 * dot(b, b).unsigned_abs() as u128).isqrt();
    if norm == 0 {
        return 0;
    }
    // |dot| can exceed the rounded-down norm by less than one part in it; the clamp keeps the angle real.
    (i128::from(dot(a, b)) * 1_000_000 / norm as i128).clamp(-1_000_000, 1_000_000) as i32
}

#[cfg(test)]
mod tests {
    use super::cosine_ppm;

    #[test]
    fn cosine_should_be_exact_when_the_angle_is_known() {
        assert_eq!(cosine_ppm(&[3, 4], &[3, 4]), 1_000_000);
        assert_eq!(cosine_ppm(&[3, 4], &[-3, -4]), -1_000_000);
        assert_eq!(cosine_ppm(&[3, 4], &[-4, 3]), 0);
        assert_eq!(cosine_ppm(&[1, 0], &[3, 4]), 600_000);
        assert_eq!(cosine_ppm(&[0, 0], &[3, 4]), 0);
        assert_eq!(cosine_ppm(&[i16::MIN; 4096], &[i16::MIN; 4096]), 1_000_000);
    }
}
