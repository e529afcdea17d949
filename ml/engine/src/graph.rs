//! What an artefact says, before anything is proved about it.

use alloc::{borrow::Cow, vec, vec::Vec};

/// Lanes of a weight block: output channels that are computed together.
pub(crate) const LANES: usize = 16;

/// A network: one input, operators in the order of execution, and the values it answers.
///
/// Values are numbered: 0 is the input, `n` is the result of operator `n - 1`. An operator reads only earlier values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph<'a> {
    /// The picture that the network takes.
    pub input: Input,
    /// The operators, in the order of execution.
    pub ops: Vec<Op<'a>>,
    /// The values that a run returns.
    pub outputs: Vec<u32>,
}

/// The input: rows of pixels, channels innermost. A byte `p` becomes the activation `scale * p + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Rows.
    pub height: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Bytes in a pixel.
    pub channels: u32,
    /// Factor on a byte.
    pub scale: i32,
    /// Added after the factor.
    pub offset: i32,
}

/// One operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op<'a> {
    /// Convolution of any kind, with its activation (linear, ReLU, PReLU) in the requantisation.
    Conv(Conv<'a>),
    /// Sum of two values that have different scales.
    Add(Add),
    /// Largest value of a window.
    MaxPool(Pool),
    /// Mean of a window without padding, rounded half up.
    AveragePool(Pool),
    /// Nearest-neighbour enlargement.
    Upsample(Upsample),
    /// Any function of one activation, by table.
    Table(Table),
}

/// Plain, 1x1, depthwise convolution, and the fully connected layer (a kernel as large as its input).
///
/// Arrays have one entry for each output channel. See [`crate::requant`] for what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv<'a> {
    /// Value that is read.
    pub input: u32,
    /// Output channels.
    pub channels: u32,
    /// Kernel rows.
    pub kernel_height: u32,
    /// Kernel columns.
    pub kernel_width: u32,
    /// Step between windows, both ways.
    pub stride: u32,
    /// Zeros around the input, on every side.
    pub padding: u32,
    /// Each output channel reads only the input channel of the same number.
    pub depthwise: bool,
    /// Outputs are clamped to `-limit..=limit`.
    pub limit: u32,
    /// Added to the accumulator.
    pub bias: Vec<i32>,
    /// Multiplier of accumulators that are not negative.
    pub positive: Vec<i32>,
    /// Multiplier of negative accumulators: 0 is ReLU, equal to `positive` is linear, anything else PReLU.
    pub negative: Vec<i32>,
    /// Right shift after the multiplication.
    pub shift: Vec<u8>,
    /// The weights. An output channel has `depth` of them: kernel row, kernel column, input channel (not when
    /// depthwise), innermost last.
    pub weights: Weights<'a>,
}

/// `(a * scale_a + b * scale_b + half) >> shift`, clamped to `limit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// First value.
    pub a: u32,
    /// Second value, of the same shape.
    pub b: u32,
    /// Multiplier of the first.
    pub scale_a: i32,
    /// Multiplier of the second.
    pub scale_b: i32,
    /// Right shift after the sum.
    pub shift: u32,
    /// Outputs are clamped to `-limit..=limit`.
    pub limit: u32,
}

/// A square window that moves over the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Value that is read.
    pub input: u32,
    /// Rows and columns of the window.
    pub size: u32,
    /// Step between windows.
    pub stride: u32,
}

/// Every pixel becomes `factor` x `factor` pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upsample {
    /// Value that is read.
    pub input: u32,
    /// Enlargement, both ways.
    pub factor: u32,
}

/// `values[a + limit]`, where `limit` is the largest activation that the input can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Value that is read.
    pub input: u32,
    /// `2 * limit + 1` results.
    pub values: Vec<i16>,
}

/// The weights of a convolution in the order in which the kernels read them, so that an artefact is used in place:
/// blocks of 16 output channels; in a block, pairs of depth; in a pair, for each of the 16 channels its two weights.
/// Channels and depths that do not exist are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights<'a>(pub(crate) Cow<'a, [u8]>);

impl Weights<'static> {
    /// Packs weights given by output channel and depth.
    pub fn pack(channels: usize, depth: usize, weight: impl Fn(usize, usize) -> i8) -> Self {
        let mut bytes = vec![0; packed_len(channels as u64, depth as u64) as usize];
        for channel in 0..channels {
            for d in 0..depth {
                bytes[position(depth, channel, d)] = weight(channel, d) as u8;
            }
        }
        Self(Cow::Owned(bytes))
    }
}

impl<'a> Weights<'a> {
    /// Weights that are packed already.
    pub fn from_packed(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self(bytes.into())
    }

    /// One weight, given the depth of the layer. Zero where there is none.
    pub fn get(&self, depth: usize, channel: usize, d: usize) -> i8 {
        self.0
            .get(position(depth, channel, d))
            .map_or(0, |w| *w as i8)
    }
}

/// Bytes of packed weights.
pub(crate) fn packed_len(channels: u64, depth: u64) -> u64 {
    channels
        .div_ceil(LANES as u64)
        .saturating_mul(depth.div_ceil(2))
        .saturating_mul(2 * LANES as u64)
}

fn position(depth: usize, channel: usize, d: usize) -> usize {
    ((channel / LANES * depth.div_ceil(2) + d / 2) * LANES + channel % LANES) * 2 + d % 2
}
