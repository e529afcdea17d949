//! The portable kernels. WebAssembly executes these, so they are written for a scalar machine with 64-bit registers:
//! one 64-bit product holds the products of two channels.

use crate::{
    conv::{Layer, OUTSIDE},
    graph::LANES,
};
use core::ops::Range;

/// Rows that share one reading of the weights.
const ROWS: usize = 2;

pub(crate) fn rows(
    layer: &Layer,
    blocks: Range<usize>,
    rows: &[i16],
    out: &mut [i16],
    stride: usize,
) {
    let pairs = layer.pairs();
    let (rows, _) = rows.as_chunks::<2>();
    for block in blocks.clone() {
        let column = (block - blocks.start) * LANES;
        let mut left = rows.chunks_exact(ROWS * pairs);
        let mut row = 0;
        for several in &mut left {
            let (a, b) = several.split_at(pairs);
            dot::<ROWS>(
                layer,
                block,
                [a, b],
                &mut out[row * stride + column..],
                stride,
            );
            row += ROWS;
        }
        for one in left.remainder().chunks_exact(pairs) {
            dot::<1>(
                layer,
                block,
                [one],
                &mut out[row * stride + column..],
                stride,
            );
            row += 1;
        }
    }
}

/// `R` rows times the sixteen channels of a block, four channels at a time.
#[inline(always)]
fn dot<const R: usize>(
    layer: &Layer,
    block: usize,
    x: [&[[i16; 2]]; R],
    out: &mut [i16],
    stride: usize,
) {
    let (weights, requant) = (layer.weights(block), &layer.blocks[block]);
    let lanes = layer.lanes(block);
    let x = x.map(|x| &x[..weights.len()]);
    for first in (0..lanes).step_by(4) {
        let mut acc = [[0i64; 2]; R];
        for (pair, w) in weights.iter().enumerate() {
            let w: &[u8; 8] = w[2 * first..2 * first + 8].first_chunk().unwrap_or(&[0; 8]);
            for k in 0..2 {
                let both = [two(w[k], w[2 + k]), two(w[4 + k], w[6 + k])];
                for r in 0..R {
                    let x = i64::from(x[r][pair][k]);
                    acc[r][0] = acc[r][0].wrapping_add(both[0].wrapping_mul(x));
                    acc[r][1] = acc[r][1].wrapping_add(both[1].wrapping_mul(x));
                }
            }
        }
        for r in 0..R {
            for lane in first..lanes.min(first + 4) {
                let sum = apart(acc[r][(lane - first) / 2])[lane % 2];
                out[r * stride + lane] = requant.channel(lane).apply(sum, layer.limit());
            }
        }
    }
}

/// Two weights in one number, 32 bits apart. A sum of products with it is two sums modulo `2^64`; because neither sum
/// exceeds 31 bits and a sign (that is proved when a network is loaded), [`apart`] gets both back exactly.
#[inline(always)]
fn two(low: u8, high: u8) -> i64 {
    i64::from(low as i8) + (i64::from(high as i8) << 32)
}

#[inline(always)]
fn apart(sums: i64) -> [i32; 2] {
    let low = sums as i32;
    [low, (sums.wrapping_sub(i64::from(low)) >> 32) as i32]
}

/// Neighbouring pixels of a depthwise convolution.
pub(crate) fn depthwise(layer: &Layer, x: &[i16], taps: &[usize], out: &mut [i16]) {
    for (pixel, out) in out.chunks_exact_mut(layer.output.channels).enumerate() {
        for (block, out) in out.chunks_mut(LANES).enumerate() {
            let from = pixel * layer.step() + block * LANES;
            let requant = &layer.blocks[block];
            for (four, out) in out.chunks_mut(4).enumerate() {
                let sums = four_channels(layer.weights(block), 4 * four, x, taps, from);
                for (i, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
                    *out = requant.channel(4 * four + i).apply(sum, layer.limit());
                }
            }
        }
    }
}

/// The sums of four channels of a block from `first` on; of those that exist.
#[inline(always)]
fn four_channels(
    weights: &[[u8; 2 * LANES]],
    first: usize,
    x: &[i16],
    taps: &[usize],
    from: usize,
) -> [i32; 4] {
    let mut acc = [0; 4];
    for (pair, w) in taps.as_chunks::<2>().0.iter().zip(weights) {
        let w: &[u8; 8] = w[2 * first..].first_chunk().unwrap_or(&[0; 8]);
        for k in 0..2 {
            if pair[k] == OUTSIDE {
                continue;
            }
            let x = &x[pair[k] + from + first..];
            // At the end of the input fewer than four may be left. Channels beyond the last have no weights.
            match x.first_chunk::<4>() {
                Some(x) => {
                    for i in 0..4 {
                        acc[i] += i32::from(x[i]) * i32::from(w[2 * i + k] as i8);
                    }
                }
                None => {
                    for (i, x) in x.iter().enumerate() {
                        acc[i] += i32::from(*x) * i32::from(w[2 * i + k] as i8);
                    }
                }
            }
        }
    }
    acc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sums_should_come_apart_exactly_when_they_share_a_register() {
        for (low, high) in [
            (0, 0),
            (-1, 1),
            (1, -1),
            (i32::MAX, i32::MIN),
            (i32::MIN, i32::MAX),
            (-7, -9),
        ] {
            let sums = i64::from(low).wrapping_add(i64::from(high) << 32);
            assert_eq!(apart(sums), [low, high]);
        }
    }
}
