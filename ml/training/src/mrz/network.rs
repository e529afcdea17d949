//! The network that reads a cell, from its checkpoint.

use crate::network::{Conv, Network, Node, What};
use anyhow::{ensure, Context, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use ve_ml_mrz::{image::CELL, text::SYMBOLS};

/// Name of the answers.
pub const OUTPUT: &str = "answers";
/// Pixels become `(p - 127.5) / 128`.
pub const SUBTRACT: f64 = 127.5;
/// See [`SUBTRACT`].
pub const FACTOR: f64 = 1.0 / 128.0;

/// A convolution of the network.
pub struct Layer {
    /// Name of its parameters (`NAME.weight`, `NAME.bias`) and of its result.
    pub name: &'static str,
    /// Side of its kernel.
    pub kernel: usize,
    /// Zeros around its input.
    pub padding: usize,
    /// Channels that it reads, and that it makes.
    pub channels: [usize; 2],
    /// Negative results become zero, and of 2 x 2 results the largest stays.
    pub pooled: bool,
    /// Negative results become zero.
    pub rectified: bool,
}

const fn pooled(name: &'static str, from: usize, to: usize) -> Layer {
    Layer {
        name,
        kernel: 3,
        padding: 1,
        channels: [from, to],
        pooled: true,
        rectified: true,
    }
}

const fn dense(
    name: &'static str,
    kernel: usize,
    from: usize,
    to: usize,
    rectified: bool,
) -> Layer {
    Layer {
        name,
        kernel,
        padding: 0,
        channels: [from, to],
        pooled: false,
        rectified,
    }
}

/// The layers: 24 x 24 pixels become 12 x 12, 6 x 6, 3 x 3, and then 37 answers.
pub const LAYERS: [Layer; 5] = [
    pooled("conv1", 1, 16),
    pooled("conv2", 16, 32),
    pooled("conv3", 32, 48),
    dense("hidden", 3, 48, 96, true),
    dense(OUTPUT, 1, 96, SYMBOLS, false),
];

impl Layer {
    /// Weights of one output channel: kernel row, kernel column, input channel, as the engine has them.
    pub fn depth(&self) -> usize {
        self.kernel * self.kernel * self.channels[0]
    }
}

/// The float network of a checkpoint (a safetensors file).
pub fn network(checkpoint: &[u8]) -> Result<Network> {
    let tensors = candle_core::safetensors::load_buffer(checkpoint, &Device::Cpu)?;
    ensure!(
        tensors.len() == 2 * LAYERS.len(),
        "a checkpoint has {} tensors, this file has {}",
        2 * LAYERS.len(),
        tensors.len()
    );
    let mut network = Network {
        input: [CELL, CELL, 1],
        subtract: SUBTRACT,
        factor: FACTOR,
        nodes: Vec::new(),
        outputs: Vec::new(),
    };
    for layer in &LAYERS {
        let [_, to] = layer.channels;
        let input = network.nodes.len();
        let [height, width, _] = network.dims(input);
        let smaller = 2 * layer.padding + 1;
        let dims = [
            height + smaller - layer.kernel,
            width + smaller - layer.kernel,
            to,
        ];
        let conv = Conv {
            input,
            kernel: [layer.kernel; 2],
            stride: 1,
            padding: layer.padding,
            depthwise: false,
            weights: parameters(&tensors, layer.name, "weight", to * layer.depth())?,
            bias: parameters(&tensors, layer.name, "bias", to)?,
            slope: vec![if layer.rectified { 0.0 } else { 1.0 }; to],
        };
        let name = layer.name.to_string();
        network.nodes.push(Node {
            name,
            dims,
            what: What::Conv(conv),
        });
        if layer.pooled {
            network.nodes.push(Node {
                name: format!("{}.pooled", layer.name),
                dims: [dims[0] / 2, dims[1] / 2, to],
                what: What::MaxPool(network.nodes.len(), 2, 2),
            });
        }
    }
    network.outputs.push((OUTPUT.into(), network.nodes.len()));
    Ok(network)
}

fn parameters(
    tensors: &HashMap<String, Tensor>,
    layer: &str,
    what: &str,
    n: usize,
) -> Result<Vec<f64>> {
    let name = format!("{layer}.{what}");
    let tensor = tensors
        .get(&name)
        .with_context(|| format!("{name} is missing"))?;
    let values: Vec<f64> = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    ensure!(
        values.len() == n,
        "{name} has {} values, not {n}",
        values.len()
    );
    ensure!(values.iter().all(|v| v.is_finite()), "{name} is not finite");
    Ok(values)
}
