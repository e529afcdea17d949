//! The float forward, in candle's `f32`: for calibration, and to compare the integer network with.

use crate::{
    network::{Network, What},
    quantise::Ranges,
    tensors::{channels_first, pixels_first, Kernel, Window},
};
use anyhow::Result;
use candle_core::{DType, Device, Tensor};

/// Kernel, bias and slope of a convolution; nothing for other nodes.
type Layer = Option<(Kernel, Tensor, Tensor)>;

/// A network that is ready to run.
pub struct Float<'n> {
    network: &'n Network,
    layers: Vec<Layer>,
}

impl<'n> Float<'n> {
    /// Prepares the tensors.
    pub fn new(network: &'n Network) -> Result<Self> {
        let each = |v: &[f64]| {
            Tensor::from_slice(v, (1, v.len(), 1, 1), &Device::Cpu)?.to_dtype(DType::F32)
        };
        let layers = network.nodes.iter().map(|node| -> Result<Layer> {
            match &node.what {
                What::Conv(c) => {
                    let window = Window {
                        kernel: c.kernel,
                        stride: c.stride,
                        padding: c.padding,
                    };
                    let kernel = Kernel::new(c.weights.clone(), c.bias.len(), window, c.depthwise)?;
                    Ok(Some((kernel, each(&c.bias)?, each(&c.slope)?)))
                }
                _ => Ok(None),
            }
        });
        Ok(Self {
            network,
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// Runs a picture, shows every node's result to `look`, and returns the outputs, channels innermost.
    pub fn run(
        &self,
        pixels: &[u8],
        mut look: impl FnMut(&str, &Tensor) -> Result<()>,
    ) -> Result<Vec<Vec<f64>>> {
        let n = self.network;
        let x = pixels
            .iter()
            .map(|p| (f64::from(*p) - n.subtract) * n.factor)
            .collect();
        let mut values = vec![channels_first(x, n.input)?.to_dtype(DType::F32)?];
        for (node, layer) in n.nodes.iter().zip(&self.layers) {
            let x = |v: usize| &values[v];
            let out = match (&node.what, layer) {
                (What::Conv(c), Some((kernel, bias, slope))) => {
                    let window = Window {
                        kernel: c.kernel,
                        stride: c.stride,
                        padding: c.padding,
                    };
                    let sum = kernel.apply(x(c.input), window)?.broadcast_add(bias)?;
                    (sum.maximum(0.0)? + sum.minimum(0.0)?.broadcast_mul(slope)?)?
                }
                (What::Add(a, b), _) => (x(*a) + x(*b))?,
                (What::MaxPool(v, size, stride), _) => {
                    x(*v).max_pool2d_with_stride(*size, *stride)?
                }
                (What::Upsample(v, factor), _) => {
                    let (_, _, height, width) = x(*v).dims4()?;
                    x(*v).upsample_nearest2d(height * factor, width * factor)?
                }
                (What::Sigmoid(v), _) => ((x(*v).neg()?.exp()? + 1.0)?).recip()?,
                (What::Conv(_), None) => {
                    anyhow::bail!("{}: a convolution without weights", node.name)
                }
            };
            look(&node.name, &out)?;
            values.push(out);
        }
        n.outputs
            .iter()
            .map(|(_, v)| Ok::<_, anyhow::Error>(pixels_first(&values[*v])?))
            .collect()
    }

    /// Widens the ranges to what a picture makes of every node.
    pub fn calibrate(&self, pixels: &[u8], ranges: &mut Ranges) -> Result<()> {
        self.run(pixels, |name, value| {
            let most = value.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
            let range = ranges.entry(name.into()).or_default();
            *range = range.max(most);
            Ok(())
        })?;
        Ok(())
    }
}
