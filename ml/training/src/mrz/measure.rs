//! How well zones are read.

use super::{
    random::Random,
    scene::{scene, Fonts, Scene},
    severity::severity,
    zone::zone,
};
use crate::faces::Picture;
use anyhow::{Context, Result};
use ve_ml_engine::Execution;
use ve_ml_mrz::{
    image::Grey,
    text::{Format, Lines},
    Reader, Reading,
};

/// Seed of the pictures that are measured on.
pub const SEED: u64 = 20_261_126;

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

/// Picture `number` of a severity: a passport.
pub fn passport(name: &str, number: u64, fonts: &Fonts) -> Result<(Lines, Scene)> {
    let mut random = Random::new(SEED, number);
    let lines = zone(Format::Td3, &mut random)?;
    let scene = scene(&lines, &severity(name)?, fonts, true, &mut random)?;
    Ok((lines, scene))
}

/// Reads pictures of a severity and counts.
pub fn measure(
    reader: &Reader,
    name: &str,
    pictures: u64,
    fonts: &Fonts,
    mut look: impl FnMut(u64, &Lines, Option<&Reading>),
) -> Result<Measured> {
    let mut m = Measured::default();
    for number in 0..pictures {
        let (lines, scene) = passport(name, number, fonts)?;
        let reading = reader.read(&scene.picture, Execution::default());
        look(number, &lines, reading.as_ref());
        m.pictures += 1;
        let Some(reading) = reading.filter(|r| r.outcome.lines().format() == lines.format()) else {
            m.missed += 1;
            continue;
        };
        let read = reading.outcome.lines().symbols();
        let differ = |range: std::ops::Range<usize>| {
            range.filter(|i| read[*i] != lines.symbols()[*i]).count()
        };
        let wrong = differ(0..88);
        m.symbols += wrong;
        m.exact += usize::from(wrong == 0);
        m.valid += usize::from(reading.outcome.is_valid());
        let covered = differ(44..54) + differ(57..64) + differ(65..88);
        m.wrong += usize::from(reading.outcome.is_valid() && covered > 0);
        m.repaired += usize::from(matches!(
            reading.outcome,
            ve_ml_mrz::text::Outcome::Repaired(..)
        ));
    }
    Ok(m)
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
