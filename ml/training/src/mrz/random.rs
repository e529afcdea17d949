//! Random numbers from a seed: SplitMix64 (Steele, Lea and Flood, 2014).

/// A stream of random numbers.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed and a number within it.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ number.rotate_left(32));
        random.number();
        random
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of a range, both ends included.
    pub fn range(&mut self, from: i64, to: i64) -> i64 {
        let n = (to - from + 1).max(1) as u128;
        from + ((u128::from(self.number()) * n) >> 64) as i64
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.range(0, of.len() as i64 - 1) as usize]
    }

    /// A number whose distribution is close to a normal one of this deviation.
    pub fn normal(&mut self, deviation: i64) -> i64 {
        // Four uniform bytes have a deviation of 147.8.
        let bytes: i64 = self.number().to_le_bytes()[..4]
            .iter()
            .map(|b| i64::from(*b))
            .sum();
        (bytes - 510) * deviation / 148
    }
}
