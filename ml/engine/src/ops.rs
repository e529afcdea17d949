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
    windows(op, input, x, output, out, |window, out| {
        *out = window.max().unwrap_or_default()
    });
}

pub(crate) fn average_pool(op: &Pool, input: Shape, x: &[i16], output: Shape, out: &mut [i16]) {
    let n = i64::from(op.size) * i64::from(op.size);
    windows(op, input, x, output, out, |window, out| {
        let sum: i64 = window.map(i64::from).sum();
        *out = (2 * sum + n).div_euclid(2 * n) as i16;
    });
}

fn windows(
    op: &Pool,
    input: Shape,
    x: &[i16],
    output: Shape,
    out: &mut [i16],
    fold: impl Fn(&mut dyn Iterator<Item = i16>, &mut i16),
) {
    let (size, stride) = (op.size as usize, op.stride as usize);
    for (i, out) in out.iter_mut().enumerate() {
        let (pixel, channel) = (i / output.channels, i % output.channels);
        let (top, left) = (pixel / output.width * stride, pixel % output.width * stride);
        let mut window = (0..size * size).map(|tap| {
            x[((top + tap / size) * input.width + left + tap % size) * input.channels + channel]
        });
        fold(&mut window, out);
    }
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
