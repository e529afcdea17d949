use crate::{
    conv::{Block, Layer},
    error::Error,
    graph::{Graph, Op},
    kernels::Kernels,
    ops,
    prove::{prove, Value, MAX_LIVE},
};
use alloc::{vec, vec::Vec};
use core::mem;

/// Rows, pixels in a row, channels of a pixel; the channels are innermost in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Channels of a pixel.
    pub channels: usize,
}

impl Shape {
    pub(crate) fn new(height: u32, width: u32, channels: u32) -> Self {
        Self {
            height: height as usize,
            width: width as usize,
            channels: channels as usize,
        }
    }

    /// Pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Activations. Saturates, so that it can be asked of shapes that are not proved yet.
    pub fn elements(&self) -> u64 {
        (self.height as u64)
            .saturating_mul(self.width as u64)
            .saturating_mul(self.channels as u64)
    }
}

/// How to run a network. Nothing here changes a bit of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Instruction set.
    pub kernels: Kernels,
    /// Threads; more than one only with the feature `std`.
    pub threads: usize,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            kernels: Kernels::best(),
            threads: 1,
        }
    }
}

/// A network that has been proved and can be run.
pub struct Net<'a> {
    graph: Graph<'a>,
    values: Vec<Value>,
    blocks: Vec<Vec<Block>>,
    /// For each value the last operator that reads it; values that are returned live on.
    last_use: Vec<usize>,
    work: u64,
}

impl<'a> Net<'a> {
    /// Reads an artefact and proves it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::new(Graph::decode(bytes)?)
    }

    /// Proves a graph: shapes fit, no input can overflow an accumulator, memory and time are bounded.
    pub fn new(graph: Graph<'a>) -> Result<Self, Error> {
        let proof = prove(&graph)?;
        let mut last_use = vec![0; proof.values.len()];
        for (op, what) in graph.ops.iter().enumerate() {
            for v in reads(what) {
                last_use[v as usize] = op;
            }
        }
        for v in &graph.outputs {
            last_use[*v as usize] = usize::MAX;
        }
        let net = Self {
            graph,
            values: proof.values,
            blocks: proof.blocks,
            last_use,
            work: proof.work,
        };
        if net.peak_bytes() > MAX_LIVE {
            return Err(Error::Header(
                "the network needs more memory than the runtime can give",
            ));
        }
        Ok(net)
    }

    /// What the artefact says.
    pub fn graph(&self) -> &Graph<'a> {
        &self.graph
    }

    /// Shape of a value (0 is the input, `n` the result of operator `n - 1`).
    pub fn shape(&self, value: u32) -> Option<Shape> {
        self.values.get(value as usize).map(|v| v.shape)
    }

    /// Largest magnitude that a value can have, for any input.
    pub fn bound(&self, value: u32) -> Option<u32> {
        self.values.get(value as usize).map(|v| v.bound)
    }

    /// Multiply-accumulates of one run.
    pub fn macs(&self) -> u64 {
        (0..self.graph.ops.len())
            .filter_map(|op| self.layer(op))
            .map(|l| l.macs())
            .sum()
    }

    /// Steps of one run: multiply-accumulates, entries of a pool's windows, elements of other results. Bounded, so that no
    /// artefact can make a run endless.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Most bytes of activations and scratch that are alive at once on one thread; weights are read in place.
    pub fn peak_bytes(&self) -> u64 {
        let bytes = |v: usize| 2 * self.values[v].shape.elements();
        (0..self.graph.ops.len())
            .map(|op| {
                let kept = (0..=op)
                    .filter(|v| self.last_use[*v] >= op)
                    .map(bytes)
                    .sum::<u64>();
                kept + bytes(op + 1) + self.layer(op).map_or(0, |l| l.scratch_bytes())
            })
            .max()
            .unwrap_or_else(|| bytes(0))
    }

    /// Runs the network on a picture (rows, pixels, channels) and returns its outputs in their order.
    pub fn run(&self, pixels: &[u8], how: Execution) -> Result<Vec<Vec<i16>>, Error> {
        let mut returned = Vec::new();
        let mut values = self.execute(pixels, how, |_, _| {})?;
        // No output is named twice.
        for v in &self.graph.outputs {
            returned.push(mem::take(&mut values[*v as usize]));
        }
        Ok(returned)
    }

    /// Runs the network and shows every value, the input first, to `look`. For tests that compare layer by layer.
    pub fn trace(
        &self,
        pixels: &[u8],
        how: Execution,
        look: impl FnMut(u32, &[i16]),
    ) -> Result<(), Error> {
        self.execute(pixels, how, look).map(drop)
    }

    fn execute(
        &self,
        pixels: &[u8],
        how: Execution,
        mut look: impl FnMut(u32, &[i16]),
    ) -> Result<Vec<Vec<i16>>, Error> {
        let expected = self.values[0].shape.elements() as usize;
        if pixels.len() != expected {
            return Err(Error::InputSize {
                expected,
                given: pixels.len(),
            });
        }
        let input = self.graph.input;
        let mut values = vec![Vec::new(); self.values.len()];
        values[0] = pixels
            .iter()
            .map(|p| (i32::from(*p) * input.scale + input.offset) as i16)
            .collect();
        look(0, &values[0]);
        for op in 0..self.graph.ops.len() {
            let mut out = vec![0; self.values[op + 1].shape.elements() as usize];
            self.step(op, &values, &mut out, how);
            look(op as u32 + 1, &out);
            values[op + 1] = out;
            for (v, value) in values.iter_mut().enumerate().take(op + 2) {
                if self.last_use[v] <= op {
                    *value = Vec::new();
                }
            }
        }
        Ok(values)
    }

    fn step(&self, op: usize, values: &[Vec<i16>], out: &mut [i16], how: Execution) {
        let x = |v: u32| values[v as usize].as_slice();
        let shape = |v: u32| self.values[v as usize].shape;
        let output = self.values[op + 1].shape;
        match &self.graph.ops[op] {
            Op::Conv(c) => {
                let layer = Layer {
                    conv: c,
                    blocks: &self.blocks[op],
                    input: shape(c.input),
                    output,
                };
                layer.run(x(c.input), out, how);
            }
            Op::Add(a) => ops::add(a, x(a.a), x(a.b), out),
            Op::MaxPool(p) => ops::max_pool(p, shape(p.input), x(p.input), output, out),
            Op::AveragePool(p) => ops::average_pool(p, shape(p.input), x(p.input), output, out),
            Op::Upsample(u) => ops::upsample(u, shape(u.input), x(u.input), output, out),
            Op::Table(t) => ops::table(t, x(t.input), out),
        }
    }

    fn layer(&self, op: usize) -> Option<Layer<'_>> {
        let Op::Conv(conv) = &self.graph.ops[op] else {
            return None;
        };
        let input = self.values[conv.input as usize].shape;
        Some(Layer {
            conv,
            blocks: &self.blocks[op],
            input,
            output: self.values[op + 1].shape,
        })
    }
}

fn reads(op: &Op) -> impl Iterator<Item = u32> {
    let (a, b) = match op {
        Op::Conv(c) => (c.input, None),
        Op::Add(a) => (a.a, Some(a.b)),
        Op::MaxPool(p) | Op::AveragePool(p) => (p.input, None),
        Op::Upsample(u) => (u.input, None),
        Op::Table(t) => (t.input, None),
    };
    core::iter::once(a).chain(b)
}
