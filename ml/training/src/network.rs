//! A float network after conversion: batch normalisation, activations and reshapes are folded away, so that every node
//! becomes exactly one operator of the engine.

use crate::onnx::{NodeProto, Onnx};
use anyhow::{bail, ensure, Context, Result};
use std::collections::HashMap;

/// Rows, columns, channels.
pub type Dims = [usize; 3];

/// Nodes in the order of execution. Value 0 is the input, value `n` the result of node `n - 1`, as in the engine.
pub struct Network {
    /// Shape of the input.
    pub input: Dims,
    /// The input is `(pixel - subtract) * factor`.
    pub subtract: f64,
    /// See `subtract`.
    pub factor: f64,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Names and values of the outputs.
    pub outputs: Vec<(String, usize)>,
}

/// One operator.
pub struct Node {
    /// Name of its result in the source file, by which the calibration knows it.
    pub name: String,
    /// Shape of its result.
    pub dims: Dims,
    /// What it does.
    pub what: What,
}

/// What a node does, and the values that it reads.
pub enum What {
    /// Convolution with its activation.
    Conv(Conv),
    /// Sum of two values.
    Add(usize, usize),
    /// Largest of a window: value, size, stride.
    MaxPool(usize, usize, usize),
    /// Nearest-neighbour enlargement: value, factor.
    Upsample(usize, usize),
    /// Logistic function.
    Sigmoid(usize),
}

/// A convolution of any kind.
pub struct Conv {
    /// Value that is read.
    pub input: usize,
    /// Kernel rows and columns.
    pub kernel: [usize; 2],
    /// Step of the window.
    pub stride: usize,
    /// Zeros on every side.
    pub padding: usize,
    /// One input channel for each output channel.
    pub depthwise: bool,
    /// For each output channel: kernel row, kernel column, input channel.
    pub weights: Vec<f64>,
    /// For each output channel.
    pub bias: Vec<f64>,
    /// Factor on negative results, for each output channel: 1 is linear, 0 is ReLU.
    pub slope: Vec<f64>,
}

impl Conv {
    /// Weights of one output channel.
    pub fn depth(&self) -> usize {
        self.weights.len() / self.bias.len()
    }
}

/// A name of the source file: the value behind it, and what has still to be applied to each channel.
#[derive(Clone)]
struct Named {
    value: usize,
    affine: Option<(Vec<f64>, Vec<f64>)>,
}

struct Lowering<'o> {
    onnx: &'o Onnx,
    names: HashMap<String, Named>,
    network: Network,
}

impl Network {
    /// Converts a file's network for pictures of `height` x `width` pixels of three channels.
    pub fn from_onnx(onnx: &Onnx, height: usize, width: usize) -> Result<Self> {
        let network = Self {
            input: [height, width, 3],
            subtract: 0.0,
            factor: 1.0,
            nodes: vec![],
            outputs: vec![],
        };
        let names = HashMap::from([(
            onnx.input.clone(),
            Named {
                value: 0,
                affine: None,
            },
        )]);
        let mut lowering = Lowering {
            onnx,
            names,
            network,
        };
        for node in &onnx.nodes {
            lowering
                .node(node)
                .with_context(|| format!("{} {}", node.op_type, node.output[0]))?;
        }
        for name in &onnx.outputs {
            let value = lowering.plain(name)?;
            lowering.network.outputs.push((name.clone(), value));
        }
        Ok(lowering.network)
    }

    /// Shape of a value.
    pub fn dims(&self, value: usize) -> Dims {
        value
            .checked_sub(1)
            .map_or(self.input, |node| self.nodes[node].dims)
    }
}

impl Lowering<'_> {
    fn named(&self, name: &str) -> Result<&Named> {
        self.names
            .get(name)
            .with_context(|| format!("{name} is not computed"))
    }

    /// A value to which nothing has still to be applied.
    fn plain(&self, name: &str) -> Result<usize> {
        let named = self.named(name)?;
        ensure!(
            named.affine.is_none(),
            "{name}: batch normalisation in a place where it cannot be folded"
        );
        Ok(named.value)
    }

    /// The convolution that computes a value, if nobody else has read its result yet.
    fn open_conv(&mut self, name: &str) -> Option<&mut Node> {
        let readers = self
            .onnx
            .nodes
            .iter()
            .filter(|n| n.input.iter().any(|i| i == name))
            .count();
        let named = self.names.get(name)?;
        if readers != 1 || named.affine.is_some() {
            return None;
        }
        let node = self.network.nodes.get_mut(named.value.checked_sub(1)?)?;
        matches!(&node.what, What::Conv(c) if c.slope.iter().all(|s| *s == 1.0)).then_some(node)
    }

    fn push(&mut self, name: &str, dims: Dims, what: What) {
        self.network.nodes.push(Node {
            name: name.into(),
            dims,
            what,
        });
        let value = self.network.nodes.len();
        self.names.insert(
            name.into(),
            Named {
                value,
                affine: None,
            },
        );
    }

    fn node(&mut self, node: &NodeProto) -> Result<()> {
        let (read, name) = (
            node.input.first().map(String::as_str).unwrap_or_default(),
            node.output[0].as_str(),
        );
        match node.op_type.as_str() {
            // The ratio of a Dropout that does nothing here.
            "Constant" => Ok(()),
            "Dropout" | "Flatten" | "Reshape" | "Transpose" => {
                // The engine's channels are innermost, as these transpositions want them; flattening is undone in `gemm`.
                let [a, b, c, d] = if node.op_type == "Transpose" {
                    node.ints("perm")?
                } else {
                    [0, 2, 3, 1]
                };
                ensure!(
                    [a, b, c, d] == [0, 2, 3, 1],
                    "only the channels may move, to the end"
                );
                let named = self.named(read)?.clone();
                self.names.insert(name.into(), named);
                Ok(())
            }
            "Sub" | "Mul" => self.normalisation(node, read, name),
            "Conv" => self.conv(node, read, name),
            "BatchNormalization" => self.batch_normalisation(node, read, name),
            "Relu" => self.activation(read, name, |n| Ok(vec![0.0; n])),
            "PRelu" => {
                let slope = self.onnx.constant(&node.input[1])?.data.clone();
                self.activation(read, name, |n| {
                    ensure!(slope.len() == n, "one slope for each channel is expected");
                    Ok(slope)
                })
            }
            "Gemm" => self.gemm(node, read, name),
            "Add" => {
                let (a, b) = (self.plain(read)?, self.plain(&node.input[1])?);
                ensure!(
                    self.network.dims(a) == self.network.dims(b),
                    "shapes differ"
                );
                self.push(name, self.network.dims(a), What::Add(a, b));
                Ok(())
            }
            "MaxPool" => {
                let (value, [size, size2], [stride, stride2]) = (
                    self.plain(read)?,
                    node.ints("kernel_shape")?,
                    node.ints("strides")?,
                );
                ensure!(
                    size == size2 && stride == stride2 && node.ints("pads")? == [0; 4],
                    "not a square window"
                );
                let [h, w, c] = self.network.dims(value);
                self.push(
                    name,
                    [(h - size) / stride + 1, (w - size) / stride + 1, c],
                    What::MaxPool(value, size, stride),
                );
                Ok(())
            }
            "Resize" => {
                let value = self.plain(read)?;
                let scales = &self.onnx.constant(&node.input[2])?.data;
                let mode = (
                    node.text("mode"),
                    node.text("nearest_mode"),
                    node.text("coordinate_transformation_mode"),
                );
                ensure!(
                    mode == ("nearest", "floor", "asymmetric"),
                    "only plain nearest-neighbour enlargement"
                );
                ensure!(*scales == [1.0, 1.0, 2.0, 2.0], "only enlargement by two");
                let [h, w, c] = self.network.dims(value);
                self.push(name, [2 * h, 2 * w, c], What::Upsample(value, 2));
                Ok(())
            }
            "Sigmoid" => {
                let value = self.plain(read)?;
                self.push(name, self.network.dims(value), What::Sigmoid(value));
                Ok(())
            }
            other => bail!("operator {other} is not supported"),
        }
    }

    /// `Sub` and `Mul` by one number are the input's normalisation.
    fn normalisation(&mut self, node: &NodeProto, read: &str, name: &str) -> Result<()> {
        let (value, by) = (self.plain(read)?, self.onnx.constant(&node.input[1])?);
        ensure!(
            value == 0 && by.data.len() == 1 && self.network.nodes.is_empty(),
            "only on the input, by one number"
        );
        match node.op_type.as_str() {
            "Sub" if self.network.factor == 1.0 => self.network.subtract += by.data[0],
            "Mul" => self.network.factor *= by.data[0],
            _ => bail!("a subtraction after a factor"),
        }
        self.names.insert(
            name.into(),
            Named {
                value: 0,
                affine: None,
            },
        );
        Ok(())
    }

    fn conv(&mut self, node: &NodeProto, read: &str, name: &str) -> Result<()> {
        let input = self.plain(read)?;
        let [h, w, c] = self.network.dims(input);
        let constant = self.onnx.constant(&node.input[1])?;
        let [out, per, kh, kw] = constant.dims[..] else {
            bail!("weights are not four-dimensional")
        };
        let ([stride, stride2], pads) = (node.ints("strides")?, node.ints::<4>("pads")?);
        ensure!(
            node.ints::<2>("dilations")?.iter().all(|d| *d <= 1),
            "dilation is not supported"
        );
        ensure!(
            stride == stride2 && pads == [pads[0]; 4],
            "stride or padding differs between directions"
        );
        let groups = node.int("group", 1) as usize;
        let depthwise = groups > 1;
        ensure!(
            per * groups == c && (!depthwise || out == c && per == 1),
            "grouped, but not depthwise"
        );
        let mut weights = Vec::with_capacity(constant.data.len());
        for o in 0..out {
            for tap in 0..kh * kw {
                weights.extend((0..per).map(|i| constant.data[(o * per + i) * kh * kw + tap]));
            }
        }
        let bias = match node.input.get(2) {
            Some(bias) => self.onnx.constant(bias)?.data.clone(),
            None => vec![0.0; out],
        };
        ensure!(bias.len() == out, "another number of biases");
        let padding = pads[0];
        let dims = [
            (h + 2 * padding - kh) / stride + 1,
            (w + 2 * padding - kw) / stride + 1,
            out,
        ];
        let slope = vec![1.0; out];
        let conv = Conv {
            input,
            kernel: [kh, kw],
            stride,
            padding,
            depthwise,
            weights,
            bias,
            slope,
        };
        self.push(name, dims, What::Conv(conv));
        Ok(())
    }

    /// Into the convolution before it, else into the fully connected layer after it.
    fn batch_normalisation(&mut self, node: &NodeProto, read: &str, name: &str) -> Result<()> {
        let p = |i: usize| self.onnx.constant(&node.input[i]).map(|c| &c.data);
        let (gamma, beta, mean, variance) = (p(1)?, p(2)?, p(3)?, p(4)?);
        let epsilon = f64::from(node.float("epsilon", 1e-5));
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(g, v)| g / (v + epsilon).sqrt())
            .collect();
        let shift: Vec<f64> = beta
            .iter()
            .zip(mean)
            .zip(&scale)
            .map(|((b, m), s)| b - m * s)
            .collect();
        let Some(node) = self.open_conv(read) else {
            let value = self.plain(read)?;
            self.names.insert(
                name.into(),
                Named {
                    value,
                    affine: Some((scale, shift)),
                },
            );
            return Ok(());
        };
        let What::Conv(conv) = &mut node.what else {
            bail!("not a convolution")
        };
        ensure!(scale.len() == conv.bias.len(), "another number of channels");
        let depth = conv.depth();
        for (weights, scale) in conv.weights.chunks_exact_mut(depth).zip(&scale) {
            weights.iter_mut().for_each(|w| *w *= scale);
        }
        for (bias, (scale, shift)) in conv.bias.iter_mut().zip(scale.iter().zip(&shift)) {
            *bias = *bias * scale + shift;
        }
        self.rename(read, name)
    }

    fn activation(
        &mut self,
        read: &str,
        name: &str,
        slope: impl FnOnce(usize) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let node = self
            .open_conv(read)
            .context("an activation that does not follow a convolution")?;
        let What::Conv(conv) = &mut node.what else {
            bail!("not a convolution")
        };
        conv.slope = slope(conv.bias.len())?;
        self.rename(read, name)
    }

    /// The node behind a name now computes another name.
    fn rename(&mut self, old: &str, new: &str) -> Result<()> {
        let named = self.named(old)?.clone();
        self.network.nodes[named.value - 1].name = new.into();
        self.names.insert(new.into(), named);
        Ok(())
    }

    /// A fully connected layer is a kernel as large as its input.
    fn gemm(&mut self, node: &NodeProto, read: &str, name: &str) -> Result<()> {
        let plain = node.int("transB", 0) == 1 && node.int("transA", 0) == 0;
        ensure!(
            plain && node.float("alpha", 1.0) == 1.0 && node.float("beta", 1.0) == 1.0,
            "only x * W^T + b"
        );
        let Named {
            value: input,
            affine,
        } = self.named(read)?.clone();
        let [h, w, c] = self.network.dims(input);
        let constant = self.onnx.constant(&node.input[1])?;
        let mut bias = self.onnx.constant(&node.input[2])?.data.clone();
        let [out, depth] = constant.dims[..] else {
            bail!("weights are not two-dimensional")
        };
        ensure!(
            depth == h * w * c && bias.len() == out,
            "another number of weights"
        );
        let (scale, shift) = affine.unwrap_or((vec![1.0; c], vec![0.0; c]));
        let mut weights = Vec::with_capacity(out * depth);
        for (o, bias) in bias.iter_mut().enumerate() {
            for pixel in 0..h * w {
                for i in 0..c {
                    let weight = constant.data[(o * c + i) * h * w + pixel];
                    *bias += weight * shift[i];
                    weights.push(weight * scale[i]);
                }
            }
        }
        let slope = vec![1.0; out];
        let conv = Conv {
            input,
            kernel: [h, w],
            stride: 1,
            padding: 0,
            depthwise: false,
            weights,
            bias,
            slope,
        };
        self.push(name, [1, 1, out], What::Conv(conv));
        Ok(())
    }
}
