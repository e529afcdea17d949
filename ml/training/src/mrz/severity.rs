//! How bad pictures are, from a file that was committed before the first training.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file.
const FILE: &str = include_str!("../../data/mrz-severities.toml");

/// Ranges from which a picture's faults are drawn; two numbers are a least and a most.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Severity {
    /// Pixels from one symbol to the next.
    pub pitch: [i64; 2],
    /// Rotation either way: tangent, in 1/1024.
    pub tilt: i64,
    /// How far each corner is moved, in 1/1000 of the page's width.
    pub perspective: i64,
    /// Passes of a blur of variance 1/2 pixel^2, along and across separately.
    pub blur: [i64; 2],
    /// Deviation of the sensor's noise, in 1/16 of a level.
    pub noise: [i64; 2],
    /// Levels between paper and ink.
    pub contrast: [i64; 2],
    /// Levels of the paper's pattern.
    pub texture: [i64; 2],
    /// How much brighter one side is than the other, in 1/256.
    pub shade: i64,
}

/// All severities by name.
pub fn severities() -> Result<BTreeMap<String, Severity>> {
    toml::from_str(FILE).context("mrz-severities.toml")
}

/// One severity.
pub fn severity(name: &str) -> Result<Severity> {
    let mut all = severities()?;
    let names = all.keys().cloned().collect::<Vec<_>>().join(", ");
    all.remove(name)
        .with_context(|| format!("no severity {name}; there are: {names}"))
}
