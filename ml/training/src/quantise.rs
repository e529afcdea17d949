//! From a float network and the magnitudes seen in calibration to an integer graph.
//!
//! Every step is a scalar IEEE operation in a fixed order (`+ - * /`, `sqrt`, rounding, and a software `exp`), so the same
//! inputs give the same bytes on every machine.

use crate::network::{Conv, Network, What};
use anyhow::{ensure, Context, Result};
use std::collections::BTreeMap;
use ve_ml_engine::{
    requant::MAX_MULTIPLIER, Add, Graph, Input, Op, Pool, Table, Upsample, Weights,
};

/// Room above the largest magnitude that calibration has seen.
const HEADROOM: f64 = 1.05;
/// Limit of a value that a table reads: more levels, because it is the last one.
const TABLE_LIMIT: u32 = 2047;
/// Limit of a value that the network returns.
const OUTPUT_LIMIT: u32 = 16_383;
/// What a table answers for 1.
pub const ONE: f64 = 16_384.0;

/// Largest magnitude of each node's result, by name.
pub type Ranges = BTreeMap<String, f32>;

/// An integer graph, and for each of its outputs what an activation of 1 is worth, as a power of two.
pub struct Quantised {
    /// The graph.
    pub graph: Graph<'static>,
    /// Name, and fraction bits: the real number is `activation / 2^bits`.
    pub outputs: Vec<(String, i32)>,
}

/// Quantises a network; activations inside it are clamped to `-limit..=limit`.
pub fn quantise(network: &Network, ranges: &Ranges, limit: u32) -> Result<Quantised> {
    let (input, unit) = input(network)?;
    // What an activation of 1 is worth, for each value.
    let mut units = vec![unit];
    let mut ops = Vec::new();
    for (i, node) in network.nodes.iter().enumerate() {
        let value = i + 1;
        let range = || {
            ranges
                .get(&node.name)
                .copied()
                .with_context(|| format!("{}: not calibrated", node.name))
        };
        let returned = network.outputs.iter().any(|(_, v)| *v == value);
        let tabled = network
            .nodes
            .iter()
            .any(|n| matches!(n.what, What::Sigmoid(v) if v == value));
        let limit = if returned {
            OUTPUT_LIMIT
        } else if tabled {
            TABLE_LIMIT
        } else {
            limit
        };
        let unit = match node.what {
            What::Conv(_) | What::Add(..) => {
                let unit =
                    (f64::from(range()?) * HEADROOM).max(f64::MIN_POSITIVE) / f64::from(limit);
                if returned {
                    power_of_two_above(unit)
                } else {
                    unit
                }
            }
            What::MaxPool(v, ..) | What::Upsample(v, _) => units[v],
            What::Sigmoid(_) => 1.0 / ONE,
        };
        let op = match &node.what {
            What::Conv(c) => conv(c, units[c.input], unit, limit).map(Op::Conv),
            What::Add(a, b) => add(*a, *b, units[*a] / unit, units[*b] / unit, limit).map(Op::Add),
            What::MaxPool(v, size, stride) => Ok(Op::MaxPool(Pool {
                input: *v as u32,
                size: *size as u32,
                stride: *stride as u32,
            })),
            What::Upsample(v, factor) => Ok(Op::Upsample(Upsample {
                input: *v as u32,
                factor: *factor as u32,
            })),
            What::Sigmoid(v) => Ok(Op::Table(sigmoid(*v, units[*v]))),
        };
        ops.push(op.with_context(|| node.name.clone())?);
        units.push(unit);
    }
    let outputs = network
        .outputs
        .iter()
        .map(|(name, v)| (name.clone(), -exponent(units[*v])))
        .collect();
    let graph = Graph {
        input,
        ops,
        outputs: network.outputs.iter().map(|(_, v)| *v as u32).collect(),
    };
    Ok(Quantised { graph, outputs })
}

/// The integer input, and what 1 of it is worth: a normalisation by half a level takes pixels twice.
fn input(network: &Network) -> Result<(Input, f64)> {
    let scale = if network.subtract.fract() == 0.0 {
        1
    } else {
        2
    };
    let offset = -network.subtract * f64::from(scale);
    ensure!(
        offset.fract() == 0.0,
        "the input is shifted by a fraction of half a level"
    );
    let [height, width, channels] = network.input.map(|d| d as u32);
    Ok((
        Input {
            height,
            width,
            channels,
            scale,
            offset: offset as i32,
        },
        network.factor / f64::from(scale),
    ))
}

fn conv(c: &Conv, input: f64, unit: f64, limit: u32) -> Result<ve_ml_engine::Conv<'static>> {
    let (channels, depth) = (c.bias.len(), c.depth());
    let mut integer = ve_ml_engine::Conv {
        input: c.input as u32,
        channels: channels as u32,
        kernel_height: c.kernel[0] as u32,
        kernel_width: c.kernel[1] as u32,
        stride: c.stride as u32,
        padding: c.padding as u32,
        depthwise: c.depthwise,
        limit,
        bias: Vec::new(),
        positive: Vec::new(),
        negative: Vec::new(),
        shift: Vec::new(),
        weights: Weights::from_packed(Vec::new()),
    };
    let mut steps = Vec::new();
    for ((weights, bias), slope) in c.weights.chunks_exact(depth).zip(&c.bias).zip(&c.slope) {
        let largest = weights.iter().fold(0.0, |max: f64, w| max.max(w.abs()));
        // A channel without weights still has a bias: its step must leave the bias room in the accumulator.
        let step = (largest / 127.0)
            .max(bias.abs() / (input * f64::from(1 << 28)))
            .max(1e-12);
        steps.push(step);
        integer.bias.push((bias / (input * step)).round() as i32);
        let factor = input * step / unit;
        let (positive, negative, shift) = multipliers(factor, factor * slope)?;
        integer.positive.push(positive);
        integer.negative.push(negative);
        integer.shift.push(shift as u8);
    }
    integer.weights = Weights::pack(channels, depth, |channel, d| {
        (c.weights[channel * depth + d] / steps[channel])
            .round()
            .clamp(-127.0, 127.0) as i8
    });
    Ok(integer)
}

fn add(a: usize, b: usize, factor_a: f64, factor_b: f64, limit: u32) -> Result<Add> {
    let (scale_a, scale_b, shift) = multipliers(factor_a, factor_b)?;
    Ok(Add {
        a: a as u32,
        b: b as u32,
        scale_a,
        scale_b,
        shift,
        limit,
    })
}

fn sigmoid(v: usize, unit: f64) -> Table {
    let limit = TABLE_LIMIT as i32;
    let value = |i: i32| (ONE / (1.0 + libm::exp(-f64::from(i) * unit))).round() as i16;
    Table {
        input: v as u32,
        values: (-limit..=limit).map(value).collect(),
    }
}

/// Two factors as integers over one power of two, as precise as the format allows.
fn multipliers(a: f64, b: f64) -> Result<(i32, i32, u32)> {
    ensure!(a.is_finite() && b.is_finite(), "a factor is not a number");
    let largest = a.abs().max(b.abs());
    // Twenty-two bits for the larger one.
    let shift = (21 - exponent(largest)).min(52);
    ensure!(
        shift >= 1,
        "a factor of {largest} is too large: the calibration does not belong to this network"
    );
    let scaled =
        |f: f64| ((f * power_of_two(shift)).round() as i32).clamp(-MAX_MULTIPLIER, MAX_MULTIPLIER);
    Ok((scaled(a), scaled(b), shift as u32))
}

/// The exponent of a positive number: `2^e <= x < 2^(e + 1)`.
fn exponent(x: f64) -> i32 {
    ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023
}

fn power_of_two(e: i32) -> f64 {
    f64::from_bits(((e + 1023) as u64) << 52)
}

fn power_of_two_above(x: f64) -> f64 {
    let below = power_of_two(exponent(x));
    if below == x {
        x
    } else {
        2.0 * below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_should_use_twenty_two_bits_when_a_factor_is_ordinary() {
        assert_eq!(
            multipliers(0.75, -0.375).unwrap(),
            (3 << 20, -(3 << 19), 22)
        );
        assert_eq!(multipliers(1.0, 0.0).unwrap(), (1 << 21, 0, 21));
        // Rounded up to the next power of two, still in range.
        assert_eq!(
            multipliers(1.0 - f64::EPSILON, 0.0).unwrap(),
            (1 << 22, 0, 22)
        );
        assert!(multipliers(f64::from(1 << 21), 0.0).is_err());
        assert!(multipliers(f64::NAN, 0.0).is_err());
    }

    #[test]
    fn powers_of_two_should_be_exact_when_taken_apart() {
        assert_eq!(
            [exponent(1.0), exponent(0.99), exponent(1e-3)],
            [0, -1, -10]
        );
        assert_eq!(
            [power_of_two_above(0.3), power_of_two_above(0.25)],
            [0.5, 0.25]
        );
    }
}
