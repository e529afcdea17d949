//! Convolution and pooling of candle tensors (`[1, channels, rows, columns]`), for the float forward and the exact one.

use candle_core::{Device, Result, Tensor};

/// Geometry of a window.
#[derive(Clone, Copy)]
pub struct Window {
    /// Rows and columns.
    pub kernel: [usize; 2],
    /// Step.
    pub stride: usize,
    /// Zeros on every side.
    pub padding: usize,
}

/// Weights in candle's order.
pub enum Kernel {
    /// `[out, in, rows, columns]`.
    Dense(Tensor),
    /// For each tap `[1, channels, 1, 1]`: candle's own depthwise convolution loops over the channels.
    Depthwise(Vec<Tensor>),
}

impl Kernel {
    /// From weights in the engine's order: output channel, kernel row, kernel column, input channel.
    pub fn new(
        weights: Vec<f64>,
        channels: usize,
        window: Window,
        depthwise: bool,
    ) -> Result<Self> {
        let [rows, columns] = window.kernel;
        let depth = weights.len() / channels;
        if depthwise {
            let tap = |t: usize| {
                (0..channels)
                    .map(|c| weights[c * depth + t])
                    .collect::<Vec<_>>()
            };
            let taps =
                (0..depth).map(|t| Tensor::from_vec(tap(t), (1, channels, 1, 1), &Device::Cpu));
            return Ok(Self::Depthwise(taps.collect::<Result<_>>()?));
        }
        let shape = (channels, rows, columns, depth / rows / columns);
        Ok(Self::Dense(
            Tensor::from_vec(weights, shape, &Device::Cpu)?
                .permute((0, 3, 1, 2))?
                .contiguous()?,
        ))
    }

    /// The convolution, in the element type of `x`.
    pub fn apply(&self, x: &Tensor, window: Window) -> Result<Tensor> {
        match self {
            Self::Dense(w) => {
                x.conv2d(&w.to_dtype(x.dtype())?, window.padding, window.stride, 1, 1)
            }
            Self::Depthwise(taps) => {
                let products = shifted(x, window)?
                    .into_iter()
                    .zip(taps)
                    .map(|(x, w)| x.broadcast_mul(&w.to_dtype(x.dtype())?));
                sum(products)
            }
        }
    }
}

/// For each tap of a window the input's pixels that it meets.
pub fn shifted(x: &Tensor, window: Window) -> Result<Vec<Tensor>> {
    let p = window.padding;
    let x = x.pad_with_zeros(2, p, p)?.pad_with_zeros(3, p, p)?;
    let (_, _, height, width) = x.dims4()?;
    let steps = |size: usize, kernel: usize, first: usize| {
        let n = (size - kernel) / window.stride + 1;
        Tensor::from_iter(
            (0..n).map(|i| (first + i * window.stride) as u32),
            &Device::Cpu,
        )
    };
    let mut taps = Vec::new();
    for ky in 0..window.kernel[0] {
        let rows = x.index_select(&steps(height, window.kernel[0], ky)?, 2)?;
        for kx in 0..window.kernel[1] {
            taps.push(rows.index_select(&steps(width, window.kernel[1], kx)?, 3)?);
        }
    }
    Ok(taps)
}

/// Sum of tensors, in their order.
pub fn sum(tensors: impl Iterator<Item = Result<Tensor>>) -> Result<Tensor> {
    let sum = tensors.reduce(|a, b| a? + b?);
    sum.unwrap_or_else(|| candle_core::bail!("nothing to add"))
}

/// Entries, channels innermost, as the engine has them.
pub fn pixels_first(x: &Tensor) -> Result<Vec<f64>> {
    x.permute((0, 2, 3, 1))?
        .to_dtype(candle_core::DType::F64)?
        .flatten_all()?
        .to_vec1()
}

/// A tensor from entries with the channels innermost.
pub fn channels_first(entries: Vec<f64>, [height, width, channels]: [usize; 3]) -> Result<Tensor> {
    Tensor::from_vec(entries, (1, height, width, channels), &Device::Cpu)?
        .permute((0, 3, 1, 2))?
        .contiguous()
}
