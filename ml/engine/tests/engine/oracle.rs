//! What a network means, written down from the documentation of its operators, as simply and slowly as possible.

use ve_ml_engine::{Conv, Graph, Net, Op, Shape};

/// All values of a run.
pub fn run(graph: &Graph, pixels: &[u8]) -> Vec<Vec<i16>> {
    let net = Net::new(graph.clone()).expect("a valid network");
    let input = graph.input;
    let mut values = vec![pixels
        .iter()
        .map(|p| (i32::from(*p) * input.scale + input.offset) as i16)
        .collect::<Vec<_>>()];
    for (i, op) in graph.ops.iter().enumerate() {
        let (shape, out) = (
            |v: u32| net.shape(v).unwrap(),
            net.shape(i as u32 + 1).unwrap(),
        );
        let at = |v: u32, y: usize, x: usize, c: usize| {
            i128::from(values[v as usize][(y * shape(v).width + x) * shape(v).channels + c])
        };
        let mut result = Vec::new();
        for y in 0..out.height {
            for x in 0..out.width {
                for c in 0..out.channels {
                    result.push(match op {
                        Op::Conv(conv) => convolve(
                            conv,
                            shape(conv.input),
                            |y, x, c| at(conv.input, y, x, c),
                            y,
                            x,
                            c,
                        ),
                        Op::Add(a) => {
                            let sum = at(a.a, y, x, c) * i128::from(a.scale_a)
                                + at(a.b, y, x, c) * i128::from(a.scale_b);
                            clamp(halves_up(sum, a.shift), a.limit)
                        }
                        Op::MaxPool(p) => window(p.size, p.stride, y, x)
                            .map(|(y, x)| at(p.input, y, x, c))
                            .max()
                            .unwrap(),
                        Op::AveragePool(p) => {
                            let sum: i128 = window(p.size, p.stride, y, x)
                                .map(|(y, x)| at(p.input, y, x, c))
                                .sum();
                            let n = i128::from(p.size * p.size);
                            (2 * sum + n).div_euclid(2 * n)
                        }
                        Op::Upsample(u) => {
                            at(u.input, y / u.factor as usize, x / u.factor as usize, c)
                        }
                        Op::Table(t) => {
                            let middle = (t.values.len() / 2) as i128;
                            i128::from(t.values[(at(t.input, y, x, c) + middle) as usize])
                        }
                    } as i16);
                }
            }
        }
        values.push(result);
    }
    values
}

fn window(size: u32, stride: u32, y: usize, x: usize) -> impl Iterator<Item = (usize, usize)> {
    let (size, stride) = (size as usize, stride as usize);
    (0..size).flat_map(move |ky| (0..size).map(move |kx| (y * stride + ky, x * stride + kx)))
}

fn convolve(
    conv: &Conv,
    input: Shape,
    at: impl Fn(usize, usize, usize) -> i128,
    y: usize,
    x: usize,
    channel: usize,
) -> i128 {
    let (height, width) = (conv.kernel_height as usize, conv.kernel_width as usize);
    let channels = if conv.depthwise { 1 } else { input.channels };
    let mut acc = i128::from(conv.bias[channel]);
    for ky in 0..height {
        for kx in 0..width {
            let row = (y * conv.stride as usize + ky).checked_sub(conv.padding as usize);
            let column = (x * conv.stride as usize + kx).checked_sub(conv.padding as usize);
            let (Some(row), Some(column)) = (row, column) else {
                continue;
            };
            if row >= input.height || column >= input.width {
                continue;
            }
            for c in 0..channels {
                let depth = (ky * width + kx) * channels + c;
                let weight = conv.weights.get(height * width * channels, channel, depth);
                acc +=
                    at(row, column, if conv.depthwise { channel } else { c }) * i128::from(weight);
            }
        }
    }
    let m = if acc < 0 {
        conv.negative[channel]
    } else {
        conv.positive[channel]
    };
    clamp(
        halves_up(acc * i128::from(m), u32::from(conv.shift[channel])),
        conv.limit,
    )
}

/// Division by a power of two, halves rounded up.
fn halves_up(value: i128, shift: u32) -> i128 {
    (value * 2 + (1 << shift)).div_euclid(2 << shift)
}

fn clamp(value: i128, limit: u32) -> i128 {
    value.clamp(-i128::from(limit), i128::from(limit))
}
