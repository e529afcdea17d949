//! Ways to damage an artefact: its bytes, or what they say.

use crate::random::{graph, Random};
use ve_ml_engine::{Graph, Op, Weights};

/// Where fields are looked at for overflow.
const EXTREMES: [u32; 14] = [
    0,
    1,
    2,
    16,
    255,
    0x7fff,
    0x8000,
    0xffff,
    1 << 20,
    1 << 22,
    1 << 23,
    0x7fff_ffff,
    0x8000_0000,
    u32::MAX,
];

/// A good artefact.
pub fn artefact(r: &mut Random) -> Vec<u8> {
    graph(r.next()).encode()
}

fn at(r: &mut Random, len: usize) -> usize {
    r.range(0, len.max(1) as i64 - 1) as usize
}

fn extreme(r: &mut Random) -> u32 {
    EXTREMES[at(r, EXTREMES.len())]
}

/// Changes, cuts, repeats and splices bytes.
pub fn bytes(mut bytes: Vec<u8>, r: &mut Random) -> Vec<u8> {
    for _ in 0..r.range(1, 4) {
        // Headers are few among the weights: aim at them half of the time.
        let reach = if r.range(0, 1) == 0 {
            bytes.len().min(160)
        } else {
            bytes.len()
        };
        let place = at(r, reach);
        let word = place / 4 * 4;
        match r.range(0, 6) {
            0 if place < bytes.len() => bytes[place] = r.next() as u8,
            1 if place < bytes.len() => bytes[place] ^= 1 << r.range(0, 7),
            2 | 3 if word + 4 <= bytes.len() => {
                bytes[word..word + 4].copy_from_slice(&extreme(r).to_le_bytes());
            }
            4 => bytes.truncate(place),
            5 => {
                let part = bytes[word.min(bytes.len())..].to_vec();
                let part = &part[..part.len().min(4 * r.range(1, 40) as usize)];
                bytes.splice(word..word, part.iter().copied());
            }
            _ => {
                let other = artefact(r);
                bytes.truncate(word);
                bytes.extend(&other[at(r, other.len()) / 4 * 4..]);
            }
        }
    }
    bytes
}

/// Changes what a network says, and writes it down as a good artefact would be.
pub fn fields(r: &mut Random) -> Vec<u8> {
    let mut graph = graph(r.next());
    for _ in 0..r.range(1, 3) {
        field(&mut graph, r);
    }
    graph.encode()
}

/// A value that is near the present one, or extreme.
fn other(r: &mut Random, now: u32) -> u32 {
    match r.range(0, 3) {
        0 => now.wrapping_add(1),
        1 => now.wrapping_sub(1),
        2 => now.wrapping_mul(1 << r.range(1, 12)),
        _ => extreme(r),
    }
}

fn change(r: &mut Random, field: &mut u32) {
    *field = other(r, *field);
}

fn change_signed(r: &mut Random, field: &mut i32) {
    *field = other(r, *field as u32) as i32;
}

fn field(graph: &mut Graph<'static>, r: &mut Random) {
    let ops = graph.ops.len();
    match r.range(0, 11) {
        0 => change(r, &mut graph.input.height),
        1 => change(r, &mut graph.input.width),
        2 => change(r, &mut graph.input.channels),
        3 => change_signed(r, &mut graph.input.scale),
        4 => {
            let output = other(r, ops as u32);
            graph.outputs.push(output);
        }
        5 => {
            // The same operator again, as often as an artefact may have it.
            let op = graph.ops[at(r, ops)].clone();
            let n = [1, 10, 1100][at(r, 3)];
            graph.ops.extend(core::iter::repeat_n(op, n));
        }
        _ => {
            let op = at(r, ops);
            operator(&mut graph.ops[op], r);
        }
    }
}

fn operator(op: &mut Op<'static>, r: &mut Random) {
    match op {
        Op::Conv(c) => match r.range(0, 12) {
            0 => change(r, &mut c.input),
            1 => change(r, &mut c.kernel_height),
            2 => change(r, &mut c.kernel_width),
            3 => change(r, &mut c.stride),
            4 => change(r, &mut c.padding),
            5 => c.depthwise = !c.depthwise,
            6 => change(r, &mut c.limit),
            7 => {
                let channel = at(r, c.bias.len());
                c.bias
                    .iter_mut()
                    .skip(channel)
                    .take(1)
                    .for_each(|b| change_signed(r, b));
            }
            8 => {
                let channel = at(r, c.positive.len());
                c.positive
                    .iter_mut()
                    .skip(channel)
                    .take(1)
                    .for_each(|m| change_signed(r, m));
            }
            9 => {
                let channel = at(r, c.negative.len());
                c.negative
                    .iter_mut()
                    .skip(channel)
                    .take(1)
                    .for_each(|m| change_signed(r, m));
            }
            10 => {
                let channel = at(r, c.shift.len());
                c.shift
                    .iter_mut()
                    .skip(channel)
                    .take(1)
                    .for_each(|s| *s = r.next() as u8);
            }
            11 => {
                // The heaviest weights that there are: sums as large as the proof allows, or larger.
                let depth = r.range(1, 600) as usize;
                let channels = c.channels.min(64) as usize;
                c.weights = Weights::pack(channels, depth, |_, _| -128);
            }
            _ => {
                // One channel, a large kernel: more work for its bytes than anything else.
                let side = r.range(1, 40) as u32;
                (c.kernel_height, c.kernel_width, c.padding) = (side, side, side - 1);
                c.weights = Weights::pack(
                    c.channels.min(64) as usize,
                    (side * side) as usize,
                    |_, d| d as i8,
                );
            }
        },
        Op::Add(a) => match r.range(0, 5) {
            0 => change(r, &mut a.a),
            1 => change(r, &mut a.b),
            2 => change_signed(r, &mut a.scale_a),
            3 => change_signed(r, &mut a.scale_b),
            4 => change(r, &mut a.shift),
            _ => change(r, &mut a.limit),
        },
        Op::MaxPool(p) | Op::AveragePool(p) => match r.range(0, 2) {
            0 => change(r, &mut p.input),
            1 => change(r, &mut p.size),
            _ => change(r, &mut p.stride),
        },
        Op::Upsample(u) => match r.range(0, 1) {
            0 => change(r, &mut u.input),
            _ => change(r, &mut u.factor),
        },
        Op::Table(t) => match r.range(0, 2) {
            0 => change(r, &mut t.input),
            1 => t.values.push(i16::MIN),
            _ => t.values.fill(r.next() as i16),
        },
    }
}
