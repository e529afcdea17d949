//! Everything that is not a convolution.

use crate::{
    graph::{Add, Pool, Table, Upsample},
    net::Shape,
    requant::round_shift,
};

pub(crate) fn add(op: &Add, a: &[i16], b: &[i16], out: &mut [i16]) {
    let limit = i64::from(op.limit);
    for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
        let sum = i64::from(*a) * i64::from(op.scale_a) + i64::from(*b) * i64::from(op.scale_b);
        *out = round_shift(sum, op.shift).clamp(-limit, limit) as i16;
    }
}

pub(crate) fn max_pool(op: &Pool, input: Shape, x: &[i16], output: Shape, out: &mut [i16]) {
    for (pixel, out) in out.chunks_exact_mut(output.channels).enumerate() {
        out.fill(i16::MIN);
        for x in window(op, input, x, output, pixel) {
            // Channel by channel: compilers make vectors of this.
            for (out, x) in out.iter_mut().zip(x) {
                *out = (*out).max(*x);
            }
        }
    }
}

pub(crate) fn average_pool(op: &Pool, input: Shape, x: &[i16], output: Shape, out: &mut [i16]) {
    let n = i64::from(op.size) * i64::from(op.size);
    for (pixel, out) in out.chunks_exact_mut(output.channels).enumerate() {
        for (channel, out) in out.iter_mut().enumerate() {
            let window = window(op, input, x, output, pixel);
            let sum: i64 = window.map(|x| i64::from(x[channel])).sum();
            *out = (2 * sum + n).div_euclid(2 * n) as i16;
        }
    }
}

/// The pixels of a window, each with all its channels.
fn window<'x>(
    op: &Pool,
    input: Shape,
    x: &'x [i16],
    output: Shape,
    pixel: usize,
) -> impl Iterator<Item = &'x [i16]> {
    let (size, stride) = (op.size as usize, op.stride as usize);
    let (top, left) = (pixel / output.width * stride, pixel % output.width * stride);
    (top..top + size).flat_map(move |row| {
        let row = &x[(row * input.width + left) * input.channels..][..size * input.channels];
        row.chunks_exact(input.channels)
    })
}

pub(crate) fn upsample(op: &Upsample, input: Shape, x: &[i16], output: Shape, out: &mut [i16]) {
    let factor = op.factor as usize;
    for (i, out) in out.chunks_exact_mut(output.channels).enumerate() {
        let (row, column) = (i / output.width / factor, i % output.width / factor);
        out.copy_from_slice(&x[(row * input.width + column) * input.channels..][..input.channels]);
    }
}

pub(crate) fn table(op: &Table, x: &[i16], out: &mut [i16]) {
    let zero = op.values.len() as i32 / 2;
    for (out, x) in out.iter_mut().zip(x) {
        *out = op.values[(zero + i32::from(*x)) as usize];
    }
}
