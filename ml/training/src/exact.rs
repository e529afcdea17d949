//! The exact reference: an integer graph executed by candle's floating-point tensors.
//!
//! Integers below `2^24` are exact in an `f32`, below `2^53` in an `f64`, and so are their sums and products, whatever the
//! order, the instruction set or the number of threads. The engine's proof keeps every sum and product below these
//! bounds, so a library that shares no kernel with the engine must arrive at the very same bits.

use crate::tensors::{channels_first, pixels_first, shifted, sum, Kernel, Window};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use ve_ml_engine::{Conv, Net, Op, Pool};

/// Sums below this are exact in an `f32`.
const SINGLE: u64 = 1 << 24;

/// All values of a run, channels innermost, the input first.
pub fn trace(net: &Net, pixels: &[u8]) -> Result<Vec<Vec<i16>>> {
    let graph = net.graph();
    let shape = net.shape(0).context("a network has an input")?;
    let (scale, offset) = (f64::from(graph.input.scale), f64::from(graph.input.offset));
    let x = pixels
        .iter()
        .map(|p| f64::from(*p) * scale + offset)
        .collect();
    let mut values = vec![channels_first(
        x,
        [shape.height, shape.width, shape.channels],
    )?];
    for (i, op) in graph.ops.iter().enumerate() {
        let x = |v: u32| &values[v as usize];
        let out = match op {
            Op::Conv(c) => conv(net, c, x(c.input)).with_context(|| format!("operator {i}"))?,
            Op::Add(a) => {
                let sum = ((x(a.a) * f64::from(a.scale_a))? + (x(a.b) * f64::from(a.scale_b))?)?;
                let halved = ((sum * 0.5f64.powi(a.shift as i32))? + 0.5)?.floor()?;
                halved.clamp(-f64::from(a.limit), f64::from(a.limit))?
            }
            Op::MaxPool(p) => {
                let taps = shifted(x(p.input), window(p))?;
                taps.iter()
                    .skip(1)
                    .try_fold(taps[0].clone(), |max, tap| max.maximum(tap))?
            }
            Op::AveragePool(p) => {
                // No quotient of a non-integer comes close enough to an integer to be rounded to it.
                let n = f64::from(p.size * p.size);
                let sum = sum(shifted(x(p.input), window(p))?.into_iter().map(Ok))?;
                (((sum * 2.0)? + n)? / (2.0 * n))?.floor()?
            }
            Op::Upsample(u) => {
                let (_, _, height, width) = x(u.input).dims4()?;
                x(u.input)
                    .upsample_nearest2d(height * u.factor as usize, width * u.factor as usize)?
            }
            Op::Table(t) => {
                let entries: Vec<f64> = t.values.iter().map(|v| f64::from(*v)).collect();
                let entries = Tensor::new(entries, &Device::Cpu)?;
                let at = (x(t.input) + (t.values.len() / 2) as f64)?.to_dtype(DType::U32)?;
                entries
                    .index_select(&at.flatten_all()?, 0)?
                    .reshape(at.dims())?
            }
        };
        values.push(out);
    }
    values.iter().map(integers).collect()
}

fn integers(x: &Tensor) -> Result<Vec<i16>> {
    Ok(pixels_first(x)?.into_iter().map(|a| a as i16).collect())
}

fn window(p: &Pool) -> Window {
    Window {
        kernel: [p.size as usize; 2],
        stride: p.stride as usize,
        padding: 0,
    }
}

fn conv(net: &Net, c: &Conv, x: &Tensor) -> Result<Tensor> {
    let (channels, input) = (c.channels as usize, x.dim(1)?);
    let window = Window {
        kernel: [c.kernel_height as usize, c.kernel_width as usize],
        stride: c.stride as usize,
        padding: c.padding as usize,
    };
    let depth = window.kernel[0] * window.kernel[1] * if c.depthwise { 1 } else { input };
    let mut weights = Vec::with_capacity(channels * depth);
    let mut most = 0u64;
    for channel in 0..channels {
        let own = (0..depth).map(|d| c.weights.get(depth, channel, d));
        most = most.max(
            own.clone()
                .map(|w| u64::from(w.unsigned_abs()))
                .sum::<u64>(),
        );
        weights.extend(own.map(f64::from));
    }
    let bound = u64::from(net.bound(c.input).context("a value has a bound")?) * most;
    let element = if bound < SINGLE {
        DType::F32
    } else {
        DType::F64
    };
    let kernel = Kernel::new(weights, channels, window, c.depthwise)?;
    let acc = kernel
        .apply(&x.to_dtype(element)?, window)?
        .to_dtype(DType::F64)?;
    let each = |f: &dyn Fn(usize) -> f64| {
        Tensor::from_vec(
            (0..channels).map(f).collect(),
            (1, channels, 1, 1),
            &Device::Cpu,
        )
    };
    // Multiplying by a power of two is exact, so each multiplier takes its shift with it.
    let unit = |channel: usize| 0.5f64.powi(i32::from(c.shift[channel]));
    let positive = each(&|channel| f64::from(c.positive[channel]) * unit(channel))?;
    let negative = each(&|channel| f64::from(c.negative[channel]) * unit(channel))?;
    let sum = acc.broadcast_add(&each(&|channel| f64::from(c.bias[channel]))?)?;
    let (above, below) = (
        sum.maximum(0.0)?.broadcast_mul(&positive)?,
        sum.minimum(0.0)?.broadcast_mul(&negative)?,
    );
    let limit = f64::from(c.limit);
    Ok(((above + below)? + 0.5)?.floor()?.clamp(-limit, limit)?)
}
