//! Small random networks that pass the proof, from a seed.

use ve_ml_engine::{Add, Conv, Graph, Input, Net, Op, Pool, Shape, Table, Upsample, Weights};

/// SplitMix64: reproducible, and good enough to vary shapes and weights.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of `from..=to`.
    pub fn range(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % (to - from + 1) as u64) as i64
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}

/// A network of one to five operators of every kind.
pub fn graph(seed: u64) -> Graph<'static> {
    let mut r = Random(seed);
    let scale = r.range(1, 3) as i32;
    let mut graph = Graph {
        input: Input {
            height: r.range(1, 12) as u32,
            width: r.range(1, 12) as u32,
            channels: [1, 2, 3, 10, 16, 17, 32][r.range(0, 6) as usize],
            scale,
            offset: -(r.range(0, 255) as i32),
        },
        ops: Vec::new(),
        outputs: vec![0],
    };
    let n = r.range(1, 5);
    while (graph.ops.len() as i64) < n {
        let net = Net::new(graph.clone()).expect("the network so far is valid");
        let value = r.range(0, graph.ops.len() as i64) as u32;
        let shape = net.shape(value).unwrap();
        let bound = net.bound(value).unwrap();
        let small = shape.height.min(shape.width) as i64;
        let op = match r.range(0, 9) {
            0 => Op::Add(Add {
                a: value,
                b: value,
                scale_a: r.range(-5000, 5000) as i32,
                scale_b: r.range(-5000, 5000) as i32,
                shift: r.range(1, 20) as u32,
                limit: r.range(1, 2000) as u32,
            }),
            1 => Op::MaxPool(pool(&mut r, value, small)),
            2 => Op::AveragePool(pool(&mut r, value, small)),
            3 if small <= 12 => Op::Upsample(Upsample {
                input: value,
                factor: r.range(1, 3) as u32,
            }),
            4 => Op::Table(Table {
                input: value,
                values: (0..=2 * bound)
                    .map(|_| r.range(-3000, 3000) as i16)
                    .collect(),
            }),
            _ => Op::Conv(conv(&mut r, value, shape, bound)),
        };
        graph.ops.push(op);
    }
    graph.outputs = vec![n as u32, r.range(0, n) as u32];
    graph.outputs.dedup();
    graph
}

fn pool(r: &mut Random, input: u32, small: i64) -> Pool {
    Pool {
        input,
        size: r.range(1, small.min(3)) as u32,
        stride: r.range(1, 2) as u32,
    }
}

pub fn conv(r: &mut Random, input: u32, shape: Shape, bound: u32) -> Conv<'static> {
    let depthwise = r.range(0, 2) == 0;
    let channels = if depthwise {
        shape.channels as u32
    } else {
        [1, 4, 15, 16, 33][r.range(0, 4) as usize]
    };
    // A kernel as large as its input, as in a fully connected layer, unless the proof would refuse it.
    let whole = r.range(0, 4) == 0 && shape.elements() * 128 * u64::from(bound) < 1 << 30;
    let side = |r: &mut Random, size: usize| match whole {
        true => size as u32,
        false => r.range(1, size.min(3) as i64) as u32,
    };
    let (kernel_height, kernel_width) = (side(r, shape.height), side(r, shape.width));
    let padding = match whole {
        true => 0,
        false => r.range(0, i64::from(kernel_height.min(kernel_width)) - 1) as u32,
    };
    let depth =
        (kernel_height * kernel_width) as usize * if depthwise { 1 } else { shape.channels };
    let weights: Vec<i8> = (0..channels as usize * depth)
        .map(|_| r.next() as i8)
        .collect();
    let limit = r.range(1, 2000) as u32;
    let mut conv = Conv {
        input,
        channels,
        kernel_height,
        kernel_width,
        stride: r.range(1, 2) as u32,
        padding,
        depthwise,
        limit,
        bias: Vec::new(),
        positive: Vec::new(),
        negative: Vec::new(),
        shift: Vec::new(),
        weights: Weights::pack(channels as usize, depth, |c, d| weights[c * depth + d]),
    };
    for channel in weights.chunks(depth) {
        let bias = r.range(-100_000, 100_000);
        let sum: u64 = channel.iter().map(|w| u64::from(w.unsigned_abs())).sum();
        let most = sum * u64::from(bound) + bias.unsigned_abs();
        let (positive, negative) = (r.range(-(1 << 22), 1 << 22), r.range(-(1 << 22), 1 << 22));
        let product =
            u128::from(most) * u128::from(positive.unsigned_abs().max(negative.unsigned_abs()));
        // The largest sum ends between the limit and thirty-two times the limit, so that some results are clamped.
        let shift =
            (product / u128::from(limit)).checked_ilog2().unwrap_or(0) as i64 - r.range(0, 5);
        conv.bias.push(bias as i32);
        conv.positive.push(positive as i32);
        conv.negative.push(negative as i32);
        conv.shift.push(shift.clamp(1, 52) as u8);
    }
    conv
}
