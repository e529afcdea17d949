//! The artefact file.
//!
//! Everything is little-endian and every section begins at a multiple of four bytes, padded with zeros. A network has
//! exactly one encoding, so its hash identifies it.
//!
//! ```text
//! header   "VEML", version = 1, height, width, channels, scale, offset, operators, outputs      nine words
//!          outputs: one word each
//! operator kind, then
//!   1 conv     input, channels, kernel height, kernel width, stride, padding, depthwise, limit, bytes of weights
//!              bias, positive, negative: one word for each channel; shift: one byte for each; weights (see `Weights`)
//!   2 add      a, b, scale a, scale b, shift, limit
//!   3 max      input, size, stride
//!   4 average  input, size, stride
//!   5 upsample input, factor
//!   6 table    input, entries; the entries, two bytes each
//! ```

use crate::{
    error::Error,
    graph::{Add, Conv, Graph, Input, Op, Pool, Table, Upsample, Weights},
};
use alloc::{borrow::Cow, vec::Vec};

const MAGIC: &[u8; 4] = b"VEML";
const VERSION: u32 = 1;
/// More operators than any network here has, and few enough that reading them cannot take long.
const MAX_OPS: u32 = 1024;

impl<'a> Graph<'a> {
    /// Reads an artefact. Weights stay where they are; nothing is allocated that the bytes do not pay for.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut r = Reader(bytes);
        if r.take(4)? != MAGIC {
            return Err(Error::NotAnArtefact);
        }
        match r.word()? {
            VERSION => {}
            other => return Err(Error::Version(other)),
        }
        let input = Input {
            height: r.word()?,
            width: r.word()?,
            channels: r.word()?,
            scale: r.int()?,
            offset: r.int()?,
        };
        let (ops, outputs) = (r.word()?, r.word()?);
        if ops > MAX_OPS || outputs > MAX_OPS {
            return Err(Error::Header(
                "more operators or outputs than a network can have",
            ));
        }
        let outputs = (0..outputs).map(|_| r.word()).collect::<Result<_, _>>()?;
        let ops = (0..ops)
            .map(|op| r.op(op as usize))
            .collect::<Result<_, _>>()?;
        if !r.0.is_empty() {
            return Err(Error::NotCanonical);
        }
        Ok(Self {
            input,
            ops,
            outputs,
        })
    }

    /// Writes the artefact. Proves nothing: an exporter checks the result with [`crate::Net::parse`].
    pub fn encode(&self) -> Vec<u8> {
        let Input {
            height,
            width,
            channels,
            scale,
            offset,
        } = self.input;
        let mut w = Writer(MAGIC.to_vec());
        w.words(&[
            VERSION,
            height,
            width,
            channels,
            scale as u32,
            offset as u32,
        ]);
        w.words(&[self.ops.len() as u32, self.outputs.len() as u32]);
        w.words(&self.outputs);
        for op in &self.ops {
            w.op(op);
        }
        w.0
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Error::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn word(&mut self) -> Result<u32, Error> {
        let bytes = self.take(4)?;
        Ok(bytes.try_into().map_or(0, u32::from_le_bytes))
    }

    fn int(&mut self) -> Result<i32, Error> {
        self.word().map(|w| w as i32)
    }

    /// `n` items of `size` bytes, and the zeros up to the next word.
    fn section(&mut self, n: u32, size: u64) -> Result<&'a [u8], Error> {
        let len = u64::from(n) * size;
        let bytes = self.take(usize::try_from(len).map_err(|_| Error::Truncated)?)?;
        let padding = self.take((len.next_multiple_of(4) - len) as usize)?;
        if padding.iter().any(|b| *b != 0) {
            return Err(Error::NotCanonical);
        }
        Ok(bytes)
    }

    fn ints(&mut self, n: u32) -> Result<Vec<i32>, Error> {
        Ok(self
            .section(n, 4)?
            .as_chunks()
            .0
            .iter()
            .map(|b| i32::from_le_bytes(*b))
            .collect())
    }

    fn op(&mut self, op: usize) -> Result<Op<'a>, Error> {
        Ok(match self.word()? {
            1 => Op::Conv(self.conv(op)?),
            2 => Op::Add(Add {
                a: self.word()?,
                b: self.word()?,
                scale_a: self.int()?,
                scale_b: self.int()?,
                shift: self.word()?,
                limit: self.word()?,
            }),
            3 => Op::MaxPool(self.pool()?),
            4 => Op::AveragePool(self.pool()?),
            5 => Op::Upsample(Upsample {
                input: self.word()?,
                factor: self.word()?,
            }),
            6 => {
                let (input, n) = (self.word()?, self.word()?);
                let values = self
                    .section(n, 2)?
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| i16::from_le_bytes(*b))
                    .collect();
                Op::Table(Table { input, values })
            }
            _ => {
                return Err(Error::Op {
                    op,
                    reason: "no operator has this number",
                })
            }
        })
    }

    fn conv(&mut self, op: usize) -> Result<Conv<'a>, Error> {
        let input = self.word()?;
        let channels = self.word()?;
        let (kernel_height, kernel_width) = (self.word()?, self.word()?);
        let (stride, padding) = (self.word()?, self.word()?);
        let depthwise = match self.word()? {
            0 => false,
            1 => true,
            _ => {
                return Err(Error::Op {
                    op,
                    reason: "depthwise is neither 0 nor 1",
                })
            }
        };
        let limit = self.word()?;
        let weights = self.word()?;
        Ok(Conv {
            input,
            channels,
            kernel_height,
            kernel_width,
            stride,
            padding,
            depthwise,
            limit,
            bias: self.ints(channels)?,
            positive: self.ints(channels)?,
            negative: self.ints(channels)?,
            shift: self.section(channels, 1)?.to_vec(),
            weights: Weights(Cow::Borrowed(self.section(weights, 1)?)),
        })
    }

    fn pool(&mut self) -> Result<Pool, Error> {
        Ok(Pool {
            input: self.word()?,
            size: self.word()?,
            stride: self.word()?,
        })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn words(&mut self, words: &[u32]) {
        self.0.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    }

    fn ints(&mut self, ints: &[i32]) {
        self.0.extend(ints.iter().flat_map(|w| w.to_le_bytes()));
    }

    fn pad(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Conv(c) => {
                self.words(&[
                    1,
                    c.input,
                    c.channels,
                    c.kernel_height,
                    c.kernel_width,
                    c.stride,
                    c.padding,
                ]);
                self.words(&[c.depthwise.into(), c.limit, c.weights.0.len() as u32]);
                self.ints(&c.bias);
                self.ints(&c.positive);
                self.ints(&c.negative);
                self.0.extend(&c.shift);
                self.pad();
                self.0.extend(c.weights.0.iter());
                self.pad();
            }
            Op::Add(a) => self.words(&[
                2,
                a.a,
                a.b,
                a.scale_a as u32,
                a.scale_b as u32,
                a.shift,
                a.limit,
            ]),
            Op::MaxPool(p) => self.words(&[3, p.input, p.size, p.stride]),
            Op::AveragePool(p) => self.words(&[4, p.input, p.size, p.stride]),
            Op::Upsample(u) => self.words(&[5, u.input, u.factor]),
            Op::Table(t) => {
                self.words(&[6, t.input, t.values.len() as u32]);
                self.0.extend(t.values.iter().flat_map(|v| v.to_le_bytes()));
                self.pad();
            }
        }
    }
}
