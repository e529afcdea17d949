//! Random choices that can be repeated.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of random choices. Its seed is printed; `VE_SEED` sets it, to see a failure again.
pub struct Seed(u64);

impl Seed {
    /// From `VE_SEED`, or from the clock.
    pub fn new(test: &str) -> Self {
        let seed = match std::env::var("VE_SEED") {
            Ok(text) => text.parse().expect("VE_SEED is a number"),
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |t| t.as_nanos() as u64),
        };
        eprintln!("{test}: VE_SEED={seed}");
        Self(seed)
    }

    /// The next number (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of the range.
    pub fn among(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }

    /// A time between two others, in milliseconds.
    pub fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.among(range))
    }
}
