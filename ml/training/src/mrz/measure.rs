//! How well zones are read.

use super::{
    random::Random,
    scene::{scene, Fonts, Scene},
    severity::severity,
    zone::zone,
};
use crate::faces::Picture;
use anyhow::{Context, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use ve_ml_engine::Execution;
use ve_ml_mrz::{
    image::Grey,
    text::{Format, Lines, Outcome},
    Reader, Reading,
};

/// Seed of the pictures on which readers are measured while they are made; misreadings were looked at.
pub const FIRST: u64 = 20_261_126;
/// Seed of the pictures on which the present reader was measured once, after it was finished. The next one needs another.
pub const SECOND: u64 = 20_261_127;

/// What was measured on pictures of one severity.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Pictures.
    pub pictures: usize,
    /// All 88 symbols are right.
    pub exact: usize,
    /// All check digits are valid; only these would be accepted.
    pub valid: usize,
    /// All check digits are valid, but a symbol that they cover is wrong.
    pub wrong: usize,
    /// Readings that needed a repair.
    pub repaired: usize,
    /// Wrong symbols, in pictures where a zone of the right format was found.
    pub symbols: usize,
    /// Pictures where no zone of the right format was found.
    pub missed: usize,
}

/// Picture `number` of a seed and a severity: a passport.
pub fn passport(name: &str, seed: u64, number: u64, fonts: &Fonts) -> Result<(Lines, Scene)> {
    let mut random = Random::new(seed, number);
    let lines = zone(Format::Td3, &mut random)?;
    let scene = scene(&lines, &severity(name)?, fonts, true, &mut random)?;
    Ok((lines, scene))
}

/// Reads pictures of a severity, on all processors, and counts. `look` sees every reading, in no order.
pub fn measure(
    reader: &Reader,
    name: &str,
    seed: u64,
    pictures: u64,
    fonts: &Fonts,
    look: impl Fn(u64, &Lines, Option<&Reading>) + Sync,
) -> Result<Measured> {
    let next = AtomicU64::new(0);
    let work = || -> Result<Measured> {
        let mut m = Measured::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= pictures {
                return Ok(m);
            }
            let (lines, scene) = passport(name, seed, number, fonts)?;
            let reading = reader.read(&scene.picture, Execution::default());
            look(number, &lines, reading.as_ref());
            m.count(&lines, reading);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Measured::default();
        for worker in workers {
            match worker.join() {
                Ok(m) => all.add(&m?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

impl Measured {
    fn count(&mut self, lines: &Lines, reading: Option<Reading>) {
        self.pictures += 1;
        let Some(reading) = reading.filter(|r| r.outcome.lines().format() == lines.format()) else {
            self.missed += 1;
            return;
        };
        let read = reading.outcome.lines().symbols();
        let differ = |range: std::ops::Range<usize>| {
            range.filter(|i| read[*i] != lines.symbols()[*i]).count()
        };
        let wrong = differ(0..88);
        self.symbols += wrong;
        self.exact += usize::from(wrong == 0);
        self.valid += usize::from(reading.outcome.is_valid());
        let covered = differ(44..54) + differ(57..64) + differ(65..88);
        self.wrong += usize::from(reading.outcome.is_valid() && covered > 0);
        self.repaired += usize::from(matches!(reading.outcome, Outcome::Repaired(..)));
    }

    fn add(&mut self, other: &Self) {
        self.pictures += other.pictures;
        self.exact += other.exact;
        self.valid += other.valid;
        self.wrong += other.wrong;
        self.repaired += other.repaired;
        self.symbols += other.symbols;
        self.missed += other.missed;
    }
}

/// A colour picture as the reader takes it: ITU-R BT.601's weights in 1/256.
pub fn grey(picture: &Picture) -> Result<Grey> {
    let pixels = picture.rgb.chunks_exact(3).map(|p| {
        let [r, g, b] = [p[0], p[1], p[2]].map(u32::from);
        ((77 * r + 150 * g + 29 * b + 128) >> 8) as u8
    });
    Grey::new(picture.width, picture.height, pixels.collect())
        .context("a picture of at most 16,384 pixels each way")
}
