//! What must hold before a network may run: shapes fit, sums cannot overflow, memory and time are bounded.

use crate::{
    conv::{depth, Block},
    error::Error,
    graph::{packed_len, Add, Conv, Graph, Op, Pool, Table, Upsample, LANES},
    net::Shape,
    requant::{MAX_LIMIT, MAX_MULTIPLIER, MAX_SHIFT},
};
use alloc::{vec, vec::Vec};

/// Largest single value, in activations: 16 MiB, half of what the runtime's allocator gives at once.
pub(crate) const MAX_ELEMENTS: u64 = 8 << 20;
/// Bytes of all values that are alive together.
pub(crate) const MAX_LIVE: u64 = 64 << 20;
/// Steps of one run; see [`crate::Net::work`]. The plain kernels need about two seconds for so many, as WebAssembly.
const MAX_WORK: u64 = 1 << 32;
/// Weights of one output channel.
const MAX_DEPTH: u64 = 1 << 18;
/// Products are exact in a double up to here.
const EXACT: u128 = 1 << 53;

/// A value: its shape, and the largest magnitude that any input can give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub shape: Shape,
    pub bound: u32,
}

/// The values of a graph, the requantisation of its convolutions (empty for other operators), and the steps of a run.
pub(crate) struct Proof {
    pub values: Vec<Value>,
    pub blocks: Vec<Vec<Block>>,
    pub work: u64,
}

pub(crate) fn prove(graph: &Graph) -> Result<Proof, Error> {
    let mut values = vec![input(graph)?];
    let mut blocks = Vec::with_capacity(graph.ops.len());
    let mut work = 0u64;
    for (op, what) in graph.ops.iter().enumerate() {
        let at = At {
            op,
            values: &values,
        };
        let mut requant = Vec::new();
        let value = match what {
            Op::Conv(c) => {
                requant = vec![Block::EMPTY; c.bias.len().div_ceil(LANES)];
                at.conv(c, &mut requant)?
            }
            Op::Add(a) => at.add(a)?,
            Op::MaxPool(p) | Op::AveragePool(p) => at.pool(p)?,
            Op::Upsample(u) => at.upsample(u)?,
            Op::Table(t) => at.table(t)?,
        };
        at.check(
            value.shape.elements() <= MAX_ELEMENTS,
            "the result is too large",
        )?;
        work = work.saturating_add(value.shape.elements().saturating_mul(at.steps(what)));
        at.check(work <= MAX_WORK, "the network takes too long to run")?;
        values.push(value);
        blocks.push(requant);
    }
    let mut named = graph.outputs.iter().enumerate();
    if named.any(|(i, v)| graph.outputs[..i].contains(v)) {
        return Err(Error::Header("an output is named twice"));
    }
    if graph.outputs.is_empty() || graph.outputs.iter().any(|v| *v as usize >= values.len()) {
        return Err(Error::Header(
            "an output is not a value of the network, or there is none",
        ));
    }
    Ok(Proof {
        values,
        blocks,
        work,
    })
}

fn input(graph: &Graph) -> Result<Value, Error> {
    let i = graph.input;
    let shape = Shape::new(i.height, i.width, i.channels);
    if shape.elements() == 0 || shape.elements() > MAX_ELEMENTS {
        return Err(Error::Header("the input is empty or too large"));
    }
    let (darkest, brightest) = (
        i64::from(i.offset),
        255 * i64::from(i.scale) + i64::from(i.offset),
    );
    let bound = darkest.unsigned_abs().max(brightest.unsigned_abs());
    if bound > u64::from(MAX_LIMIT) {
        return Err(Error::Header("pixels would not fit an activation"));
    }
    Ok(Value {
        shape,
        bound: bound as u32,
    })
}

struct At<'v> {
    op: usize,
    values: &'v [Value],
}

impl At<'_> {
    fn check(&self, holds: bool, reason: &'static str) -> Result<(), Error> {
        if holds {
            Ok(())
        } else {
            Err(Error::Op {
                op: self.op,
                reason,
            })
        }
    }

    fn value(&self, id: u32) -> Result<Value, Error> {
        let value = self.values.get(id as usize).copied();
        value.ok_or(Error::Op {
            op: self.op,
            reason: "reads a value that does not exist yet",
        })
    }

    /// Steps for each element of a proved operator's result.
    fn steps(&self, op: &Op) -> u64 {
        match op {
            Op::Conv(c) => self.value(c.input).map_or(0, |x| depth(c, x.shape) as u64),
            Op::MaxPool(p) | Op::AveragePool(p) => u64::from(p.size) * u64::from(p.size),
            Op::Add(_) | Op::Upsample(_) | Op::Table(_) => 1,
        }
    }

    fn conv(&self, c: &Conv, blocks: &mut [Block]) -> Result<Value, Error> {
        let x = self.value(c.input)?;
        let n = c.channels as usize;
        self.check(
            n > 0 && c.stride > 0 && c.kernel_height > 0 && c.kernel_width > 0,
            "a size is zero",
        )?;
        self.check(
            c.padding < c.kernel_height.min(c.kernel_width),
            "the padding is as wide as the kernel",
        )?;
        self.check(
            (1..=MAX_LIMIT).contains(&c.limit),
            "the limit is not an activation",
        )?;
        self.check(
            [
                c.bias.len(),
                c.positive.len(),
                c.negative.len(),
                c.shift.len(),
            ] == [n; 4],
            "an array is missing",
        )?;
        self.check(
            !c.depthwise || n == x.shape.channels,
            "depthwise, with another number of channels",
        )?;
        // Before any multiplication: no kernel is larger than its padded input, and so none is too large to multiply.
        let rows = window(x.shape.height, c.padding, c.kernel_height, c.stride);
        let columns = window(x.shape.width, c.padding, c.kernel_width, c.stride);
        let (Some(rows), Some(columns)) = (rows, columns) else {
            return Err(Error::Op {
                op: self.op,
                reason: "the kernel is larger than the input",
            });
        };
        let per_tap = if c.depthwise {
            1
        } else {
            x.shape.channels as u64
        };
        let depth64 = u64::from(c.kernel_height) * u64::from(c.kernel_width) * per_tap;
        self.check(depth64 <= MAX_DEPTH, "the kernel is too large")?;
        let depth = depth(c, x.shape);
        self.check(
            c.weights.0.len() as u64 == packed_len(n as u64, depth as u64),
            "the weights have another size",
        )?;
        self.requant(c, depth, x.bound, blocks)?;
        Ok(Value {
            shape: Shape::new(rows, columns, c.channels),
            bound: c.limit,
        })
    }

    /// The overflow proof; see [`crate::requant`].
    fn requant(
        &self,
        c: &Conv,
        depth: usize,
        bound: u32,
        blocks: &mut [Block],
    ) -> Result<(), Error> {
        let packed = c.weights.0.as_chunks::<{ 2 * LANES }>().0;
        for (b, (block, weights)) in blocks
            .iter_mut()
            .zip(packed.chunks_exact(depth.div_ceil(2)))
            .enumerate()
        {
            let mut sums = [0u32; LANES];
            for pair in weights {
                for (sum, w) in sums.iter_mut().zip(pair.as_chunks::<2>().0) {
                    *sum += u32::from((w[0] as i8).unsigned_abs())
                        + u32::from((w[1] as i8).unsigned_abs());
                }
            }
            let odd_tail = depth % 2 == 1
                && weights
                    .last()
                    .is_some_and(|pair| pair.iter().skip(1).step_by(2).any(|w| *w != 0));
            self.check(!odd_tail, "a weight lies beyond the kernel")?;
            for (lane, sum) in sums.into_iter().enumerate() {
                let channel = b * LANES + lane;
                if channel >= c.bias.len() {
                    self.check(sum == 0, "a weight lies beyond the last channel")?;
                    continue;
                }
                let (bias, shift) = (c.bias[channel], u32::from(c.shift[channel]));
                let (positive, negative) = (c.positive[channel], c.negative[channel]);
                self.check((1..=MAX_SHIFT).contains(&shift), "a shift is out of range")?;
                let m = positive.unsigned_abs().max(negative.unsigned_abs());
                self.check(m <= MAX_MULTIPLIER as u32, "a multiplier is out of range")?;
                let acc = u128::from(sum) * u128::from(bound) + u128::from(bias.unsigned_abs());
                let product = acc * u128::from(m) + (1 << (shift - 1));
                if acc > i32::MAX as u128 || product > EXACT || product >> shift > i32::MAX as u128
                {
                    return Err(Error::Overflow {
                        op: self.op,
                        channel,
                    });
                }
                block.bias[lane] = bias;
                block.positive[lane] = positive;
                block.negative[lane] = negative;
                block.shift[lane] = shift;
            }
        }
        Ok(())
    }

    fn add(&self, a: &Add) -> Result<Value, Error> {
        let (x, y) = (self.value(a.a)?, self.value(a.b)?);
        self.check(x.shape == y.shape, "adds values of different shapes")?;
        self.check(
            (1..=MAX_LIMIT).contains(&a.limit),
            "the limit is not an activation",
        )?;
        self.check(
            (1..=MAX_SHIFT).contains(&a.shift),
            "a shift is out of range",
        )?;
        let m = a.scale_a.unsigned_abs().max(a.scale_b.unsigned_abs());
        self.check(m <= MAX_MULTIPLIER as u32, "a multiplier is out of range")?;
        Ok(Value {
            shape: x.shape,
            bound: a.limit,
        })
    }

    fn pool(&self, p: &Pool) -> Result<Value, Error> {
        let x = self.value(p.input)?;
        self.check(p.size > 0 && p.stride > 0, "a size is zero")?;
        let rows = window(x.shape.height, 0, p.size, p.stride);
        let columns = window(x.shape.width, 0, p.size, p.stride);
        let (Some(rows), Some(columns)) = (rows, columns) else {
            return Err(Error::Op {
                op: self.op,
                reason: "the window is larger than the input",
            });
        };
        Ok(Value {
            shape: Shape::new(rows, columns, x.shape.channels as u32),
            bound: x.bound,
        })
    }

    fn upsample(&self, u: &Upsample) -> Result<Value, Error> {
        let x = self.value(u.input)?;
        self.check((1..=64).contains(&u.factor), "the factor is out of range")?;
        let Shape {
            height,
            width,
            channels,
        } = x.shape;
        // At most 2^23 times 64: no overflow.
        Ok(Value {
            shape: Shape::new(
                height as u32 * u.factor,
                width as u32 * u.factor,
                channels as u32,
            ),
            bound: x.bound,
        })
    }

    fn table(&self, t: &Table) -> Result<Value, Error> {
        let x = self.value(t.input)?;
        self.check(
            t.values.len() == 2 * x.bound as usize + 1,
            "the table has another number of entries",
        )?;
        let bound = t
            .values
            .iter()
            .map(|v| u32::from(v.unsigned_abs()))
            .max()
            .unwrap_or_default();
        self.check(
            bound <= MAX_LIMIT,
            "an entry has no counterpart of the other sign",
        )?;
        Ok(Value {
            shape: x.shape,
            bound,
        })
    }
}

/// Positions of a window, or nothing when it does not fit once.
fn window(size: usize, padding: u32, kernel: u32, stride: u32) -> Option<u32> {
    let padded = size as u64 + 2 * u64::from(padding);
    let free = padded.checked_sub(u64::from(kernel))?;
    u32::try_from(free / u64::from(stride) + 1).ok()
}
