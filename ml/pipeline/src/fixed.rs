//! Arithmetic that floating point would be used for elsewhere.

/// `n / d` rounded half up, for `d > 0`.
pub(crate) fn round_div(n: i64, d: i64) -> i64 {
    (2 * n + d).div_euclid(2 * d)
}

/// Roots of two, `2^(2^-(k+1)) * 2^30` for `k = 0..16`, each the integer root of the one before: no table is copied from
/// anywhere, and none can be wrong.
const ROOTS: [u64; 16] = {
    let mut roots = [0; 16];
    // Sixty bits, so that rounding down sixteen times cannot be seen in thirty.
    let mut power: u128 = 2 << 60;
    let mut k = 0;
    while k < 16 {
        power = (power << 60).isqrt();
        roots[k] = (power >> 30) as u64;
        k += 1;
    }
    roots
};

/// `e^x`, both with 16 bits after the binary point, for `-8 <= x <= 8`; beyond, as if it were the nearer end.
///
/// `e^x = 2^(x log2 e)`: the whole part is a shift, each bit of the fraction multiplies by a root of two. Relative error
/// below 2^-14 or half a unit, whichever is larger.
pub(crate) fn exp(x: i64) -> i64 {
    /// `log2(e) * 2^30`, rounded: log2(e) = 1.442695040888963...
    const LOG2_E: i64 = 1_549_082_005;
    let power = (x.clamp(-8 << 16, 8 << 16) * LOG2_E) >> 30;
    let (whole, fraction) = (power >> 16, power & 0xffff);
    let bits = (0..16).filter(|k| fraction >> (15 - k) & 1 == 1);
    let product = bits.fold(1u64 << 30, |product, k| (product * ROOTS[k]) >> 30);
    // 2^30 to 2^31, times 2^whole, to 16 bits after the point, rounded half up.
    let shift = 14 - whole;
    ((product + (1 << (shift - 1))) >> shift) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_div_should_round_half_up_when_negative_too() {
        assert_eq!(
            [
                round_div(5, 2),
                round_div(-5, 2),
                round_div(7, 3),
                round_div(-7, 3)
            ],
            [3, -2, 2, -2]
        );
    }

    #[test]
    fn exp_should_be_close_to_the_real_one_when_in_range() {
        for x in (-8 << 16..=8 << 16).step_by(97) {
            let real = (x as f64 / 65536.0).exp() * 65536.0;
            let error = (exp(x) as f64 - real).abs();
            assert!(error <= 0.5 + real / 16384.0, "{x}: {} {real}", exp(x));
        }
        assert_eq!((exp(0), exp(9 << 16)), (65536, exp(8 << 16)));
    }
}
