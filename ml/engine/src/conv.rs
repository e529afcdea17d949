//! Convolution: every kind is rows of activations times blocks of sixteen channels.

use crate::{
    graph::{Conv, LANES},
    kernels::Kernels,
    net::{Execution, Shape},
    requant::Channel,
    spread::spread,
};
use alloc::{vec, vec::Vec};

/// Bytes of activations that one tile of rows holds, so that they stay in the first caches while every block of
/// channels reads them.
const TILE: usize = 64 * 1024;
/// Rows of a tile are a multiple of this, so that no kernel is left with a remainder in the middle of a layer.
const TILE_ROWS: usize = 24;
/// Multiply-accumulates below which a second thread costs more than it brings.
const WORTH_A_THREAD: u64 = 1_000_000;
/// Start of a tap that lies in the padding.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// Requantisation of sixteen channels, in the order in which vectors read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub bias: [i32; LANES],
    pub positive: [i32; LANES],
    pub negative: [i32; LANES],
    pub shift: [u32; LANES],
}

impl Block {
    /// Channels that do not exist have multiplier zero.
    pub const EMPTY: Self = Self {
        bias: [0; LANES],
        positive: [0; LANES],
        negative: [0; LANES],
        shift: [1; LANES],
    };

    #[inline(always)]
    pub fn channel(&self, lane: usize) -> Channel {
        Channel {
            bias: self.bias[lane],
            positive: self.positive[lane],
            negative: self.negative[lane],
            shift: self.shift[lane],
        }
    }
}

/// A proved convolution.
pub(crate) struct Layer<'n> {
    pub conv: &'n Conv<'n>,
    pub blocks: &'n [Block],
    pub input: Shape,
    pub output: Shape,
}

impl Layer<'_> {
    /// Weights of one output channel.
    pub fn depth(&self) -> usize {
        depth(self.conv, self.input)
    }

    /// Pairs of weights of one output channel.
    pub fn pairs(&self) -> usize {
        self.depth().div_ceil(2)
    }

    pub fn limit(&self) -> i32 {
        self.conv.limit as i32
    }

    /// The weights of a block: for each pair of depth, two weights for each lane.
    #[inline(always)]
    pub fn weights(&self, block: usize) -> &[[u8; 2 * LANES]] {
        &self.conv.weights.0.as_chunks().0[block * self.pairs()..][..self.pairs()]
    }

    /// Lanes of a block that are channels.
    #[inline(always)]
    pub fn lanes(&self, block: usize) -> usize {
        (self.output.channels - block * LANES).min(LANES)
    }

    /// The input itself is the matrix of rows: 1x1 kernels, and kernels as large as the input.
    fn is_direct(&self) -> bool {
        let c = self.conv;
        let kernel = (c.kernel_height as usize, c.kernel_width as usize);
        let pointwise = kernel == (1, 1) && c.stride == 1;
        c.padding == 0
            && self.depth().is_multiple_of(2)
            && (pointwise || kernel == (self.input.height, self.input.width))
    }

    /// Where in the input the taps of an output pixel begin, kernel row by kernel row; [`OUTSIDE`] for padding, and for
    /// the tap that fills up the last pair.
    fn taps(&self, pixel: usize, taps: &mut [usize]) {
        taps.fill(OUTSIDE);
        let c = self.conv;
        let (top, left) = self.corner(pixel);
        for (i, tap) in taps.iter_mut().take(self.depth()).enumerate() {
            let (y, x) = (
                top + i / c.kernel_width as usize,
                left + i % c.kernel_width as usize,
            );
            let padding = c.padding as usize;
            if (padding..padding + self.input.height).contains(&y)
                && (padding..padding + self.input.width).contains(&x)
            {
                *tap = ((y - padding) * self.input.width + x - padding) * self.input.channels;
            }
        }
    }

    /// Upper left corner of an output pixel's window in the padded input.
    fn corner(&self, pixel: usize) -> (usize, usize) {
        let stride = self.conv.stride as usize;
        (
            pixel / self.output.width * stride,
            pixel % self.output.width * stride,
        )
    }

    /// Copies the window of each output pixel from `first` on into a row.
    fn gather(&self, x: &[i16], first: usize, rows: &mut [i16]) {
        rows.fill(0);
        let c = self.conv;
        let (padding, channels) = (c.padding as usize, self.input.channels);
        let run = c.kernel_width as usize * channels;
        for (i, row) in rows.chunks_exact_mut(2 * self.pairs()).enumerate() {
            let (top, left) = self.corner(first + i);
            // Columns of the kernel that lie inside the input.
            let from = padding.saturating_sub(left);
            let to = (padding + self.input.width)
                .saturating_sub(left)
                .min(c.kernel_width as usize);
            if from >= to {
                continue;
            }
            for (ky, row) in row
                .chunks_exact_mut(run)
                .take(c.kernel_height as usize)
                .enumerate()
            {
                let y = top + ky;
                if (padding..padding + self.input.height).contains(&y) {
                    let start =
                        ((y - padding) * self.input.width + left + from - padding) * channels;
                    row[from * channels..to * channels]
                        .copy_from_slice(&x[start..][..(to - from) * channels]);
                }
            }
        }
    }

    /// Bytes of scratch memory that a thread needs.
    pub fn scratch_bytes(&self) -> u64 {
        if self.conv.depthwise || self.is_direct() {
            return 0;
        }
        (self.tile_rows().min(self.output.pixels()) * self.pairs() * 4) as u64
    }

    fn tile_rows(&self) -> usize {
        (TILE / (4 * self.pairs()) / TILE_ROWS).max(1) * TILE_ROWS
    }

    /// Computes the layer.
    pub fn run(&self, x: &[i16], out: &mut [i16], how: Execution) {
        let threads = if self.macs() < WORTH_A_THREAD {
            1
        } else {
            how.threads
        };
        let channels = self.output.channels;
        if self.conv.depthwise {
            spread(threads, out, channels, |first, out| {
                self.depthwise(how.kernels, x, first, out)
            });
        } else if self.output.pixels() == 1 {
            let mut gathered = Vec::new();
            let row = if self.is_direct() {
                x
            } else {
                gathered.resize(2 * self.pairs(), 0);
                self.gather(x, 0, &mut gathered);
                &gathered
            };
            spread(threads, out, LANES, |first, out| {
                let blocks = first..first + out.len().div_ceil(LANES);
                how.kernels.rows(self, blocks, row, out, channels);
            });
        } else {
            spread(threads, out, channels, |first, out| {
                self.tiles(how.kernels, x, first, out)
            });
        }
    }

    fn tiles(&self, kernels: Kernels, x: &[i16], first: usize, out: &mut [i16]) {
        let (channels, row) = (self.output.channels, 2 * self.pairs());
        let tile = self.tile_rows().min(out.len() / channels);
        let mut scratch = if self.is_direct() {
            Vec::new()
        } else {
            vec![0; tile * row]
        };
        for (i, out) in out.chunks_mut(tile * channels).enumerate() {
            let (first, n) = (first + i * tile, out.len() / channels);
            let rows = if self.is_direct() {
                &x[first * row..][..n * row]
            } else {
                self.gather(x, first, &mut scratch[..n * row]);
                &scratch[..n * row]
            };
            kernels.rows(self, 0..self.blocks.len(), rows, out, channels);
        }
    }

    fn depthwise(&self, kernels: Kernels, x: &[i16], first: usize, out: &mut [i16]) {
        let mut taps = vec![OUTSIDE; 2 * self.pairs()];
        let channels = self.output.channels;
        let (mut pixel, mut rest) = (first, out);
        while !rest.is_empty() {
            self.taps(pixel, &mut taps);
            let n = self.alike(pixel).min(rest.len() / channels);
            let (run, after) = rest.split_at_mut(n * channels);
            kernels.depthwise(self, x, &taps, run);
            (pixel, rest) = (pixel + n, after);
        }
    }

    /// How many output pixels from this one on have the same taps in the padding: their other taps lie [`Self::step`]
    /// apart.
    fn alike(&self, pixel: usize) -> usize {
        let c = self.conv;
        let (padding, column) = (c.padding as usize, pixel % self.output.width);
        let (_, left) = self.corner(pixel);
        // Windows that begin later reach into the padding on the right.
        let Some(last) = (padding + self.input.width).checked_sub(c.kernel_width as usize) else {
            return 1;
        };
        if left < padding || left > last {
            return 1;
        }
        (last / c.stride as usize).min(self.output.width - 1) - column + 1
    }

    /// Activations between the windows of neighbours.
    pub fn step(&self) -> usize {
        self.conv.stride as usize * self.input.channels
    }

    /// Multiply-accumulates.
    pub fn macs(&self) -> u64 {
        self.output.elements() * self.depth() as u64
    }
}

/// Weights of one output channel.
pub(crate) fn depth(conv: &Conv, input: Shape) -> usize {
    let taps = conv.kernel_height as usize * conv.kernel_width as usize;
    if conv.depthwise {
        taps
    } else {
        taps * input.channels
    }
}
