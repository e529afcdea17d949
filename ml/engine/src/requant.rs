//! From an accumulator to the next layer's activation: a fixed-point multiplication, rounded half up.
//!
//! `out = clamp(((acc + bias) * m + 2^(shift - 1)) >> shift)`, where `m` is one of two multipliers of the channel,
//! depending on the sign of `acc + bias`. Two multipliers make ReLU and PReLU free.
//!
//! [`crate::Net::new`] proves for every channel, with `B` the largest magnitude that `acc + bias` can have:
//!
//! * `B < 2^31`: the `i32` accumulator cannot overflow, whatever the order of the sum, padding included;
//! * `B * |m| + 2^(shift - 1) <= 2^53`: the product is also exact in an `f64`, so a floating-point library that carries
//!   integers (candle, in `ml/training`) computes the very same thing;
//! * the shifted product fits an `i32`, so that vector code may clamp in 32 bits.

/// Largest multiplier: with accumulators below `2^31` the product stays below `2^53`.
pub const MAX_MULTIPLIER: i32 = 1 << 22;
/// Largest shift.
pub const MAX_SHIFT: u32 = 52;
/// Largest activation limit: what an `i16` holds on both sides of zero.
pub const MAX_LIMIT: u32 = i16::MAX as u32;

/// One channel's requantisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Added to the accumulator.
    pub bias: i32,
    /// Multiplier where the sum is not negative.
    pub positive: i32,
    /// Multiplier where it is.
    pub negative: i32,
    /// Right shift, `1..=52`.
    pub shift: u32,
}

/// `value >> shift`, rounded half up.
#[inline(always)]
pub fn round_shift(value: i64, shift: u32) -> i64 {
    (value + (1i64 << (shift - 1))) >> shift
}

impl Channel {
    /// The activation for an accumulator.
    #[inline(always)]
    pub fn apply(&self, acc: i32, limit: i32) -> i16 {
        let sum = acc + self.bias;
        let m = if sum < 0 {
            self.negative
        } else {
            self.positive
        };
        round_shift(i64::from(sum) * i64::from(m), self.shift)
            .clamp(-i64::from(limit), i64::from(limit)) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_shift_should_round_half_up_when_the_value_is_negative_too() {
        assert_eq!(
            [
                round_shift(3, 1),
                round_shift(-3, 1),
                round_shift(-4, 1),
                round_shift(5, 2)
            ],
            [2, -1, -2, 1]
        );
    }

    #[test]
    fn channel_should_use_the_second_multiplier_when_the_sum_is_negative() {
        let channel = Channel {
            bias: -10,
            positive: 8,
            negative: 2,
            shift: 2,
        };
        assert_eq!(channel.apply(20, 1000), 20);
        assert_eq!(channel.apply(-10, 1000), -10);
        assert_eq!(channel.apply(20, 15), 15);
        assert_eq!(channel.apply(-100, 15), -15);
    }
}
