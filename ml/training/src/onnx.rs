//! The part of the ONNX file format that the converted networks use, and their constants as doubles.

use anyhow::{bail, ensure, Context, Result};
use prost::Message;
use std::collections::HashMap;

/// A model file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
}

/// A network: nodes in the order of execution.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// Operators.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// Constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// What is fed in; some files list constants here, too.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What is answered.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
}

/// An operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// Names of the values that it reads.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of its results.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// What it does.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
}

/// A setting of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number.
    #[prost(float, tag = "2")]
    pub f: f32,
    /// A whole number.
    #[prost(int64, tag = "3")]
    pub i: i64,
    /// Text.
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    /// Whole numbers.
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
}

/// A constant.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// Shape.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// 1 is `f32`, 3 is `i8`, 7 is `i64`.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Entries, when they are not raw.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Entries, little-endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// A named value.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A constant as doubles; every `f32`, `i8` and small `i64` is exactly a double.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Shape.
    pub dims: Vec<usize>,
    /// Entries, last dimension innermost.
    pub data: Vec<f64>,
}

impl Constant {
    fn read(t: &TensorProto) -> Result<Self> {
        let dims = t
            .dims
            .iter()
            .map(|d| usize::try_from(*d))
            .collect::<Result<Vec<_>, _>>()?;
        let data: Vec<f64> = match t.data_type {
            1 if !t.float_data.is_empty() => t.float_data.iter().map(|f| f64::from(*f)).collect(),
            1 => t
                .raw_data
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from(f32::from_le_bytes(*b)))
                .collect(),
            3 => t.raw_data.iter().map(|b| f64::from(*b as i8)).collect(),
            7 => t
                .raw_data
                .as_chunks()
                .0
                .iter()
                .map(|b| i64::from_le_bytes(*b) as f64)
                .collect(),
            other => bail!("constant {}: element type {other} is not supported", t.name),
        };
        ensure!(
            data.len() == dims.iter().product::<usize>(),
            "constant {}: {} entries for shape {dims:?}",
            t.name,
            data.len()
        );
        Ok(Self { dims, data })
    }
}

impl NodeProto {
    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// A whole number, or its default.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    /// A number, or its default.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    /// Text, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.attribute(name)
            .and_then(|a| std::str::from_utf8(&a.s).ok())
            .unwrap_or_default()
    }

    /// Whole numbers, or as many zeros.
    pub fn ints<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let Some(a) = self.attribute(name) else {
            return Ok([0; N]);
        };
        let ints = a
            .ints
            .iter()
            .map(|i| usize::try_from(*i))
            .collect::<Result<Vec<_>, _>>()?;
        ints.try_into()
            .ok()
            .with_context(|| format!("{}: {name} has another length", self.output[0]))
    }
}

/// A model file, with its constants evaluated: dequantised and reshaped.
pub struct Onnx {
    /// Operators that compute something from the input.
    pub nodes: Vec<NodeProto>,
    /// Constants by name.
    pub constants: HashMap<String, Constant>,
    /// Name of the input.
    pub input: String,
    /// Names of the outputs.
    pub outputs: Vec<String>,
}

impl Onnx {
    /// Reads a file's bytes.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let graph = ModelProto::decode(bytes)
            .context("not an ONNX file")?
            .graph
            .context("the file has no network")?;
        let mut constants = HashMap::new();
        for t in &graph.initializer {
            constants.insert(
                t.name.clone(),
                Constant::read(t).with_context(|| format!("constant {}", t.name))?,
            );
        }
        let fed = graph
            .input
            .iter()
            .find(|i| !constants.contains_key(&i.name) && !is_unused(&graph, &i.name));
        let input = fed.context("the network has no input")?.name.clone();
        let mut nodes = Vec::new();
        for node in graph.node {
            match evaluate(&node, &constants)? {
                Some(constant) => drop(constants.insert(node.output[0].clone(), constant)),
                None => nodes.push(node),
            }
        }
        Ok(Self {
            nodes,
            constants,
            input,
            outputs: graph.output.into_iter().map(|o| o.name).collect(),
        })
    }

    /// A constant that must be there.
    pub fn constant(&self, name: &str) -> Result<&Constant> {
        self.constants
            .get(name)
            .with_context(|| format!("{name} is not a constant"))
    }
}

/// Whether a listed input is only a left-over name, as of weights that have been replaced by quantised ones.
fn is_unused(graph: &GraphProto, name: &str) -> bool {
    !graph.node.iter().any(|n| n.input.iter().any(|i| i == name))
}

/// The value of a node that depends on constants alone.
fn evaluate(node: &NodeProto, constants: &HashMap<String, Constant>) -> Result<Option<Constant>> {
    let inputs: Option<Vec<_>> = node.input.iter().map(|i| constants.get(i)).collect();
    let Some(inputs) = inputs else {
        return Ok(None);
    };
    Ok(match (node.op_type.as_str(), inputs.as_slice()) {
        ("DequantizeLinear", [quantised, scale, zero]) => {
            Some(dequantise(node, quantised, scale, zero)?)
        }
        ("Reshape", [data, shape]) => {
            let dims: Vec<usize> = shape.data.iter().map(|d| *d as usize).collect();
            ensure!(
                data.data.len() == dims.iter().product::<usize>(),
                "{}: another size",
                node.output[0]
            );
            Some(Constant {
                dims,
                data: data.data.clone(),
            })
        }
        _ => None,
    })
}

/// `(q - zero) * scale`, with one scale and zero for each block of entries along an axis. Computed in `f32`, as every
/// runtime of the format does.
fn dequantise(
    node: &NodeProto,
    q: &Constant,
    scale: &Constant,
    zero: &Constant,
) -> Result<Constant> {
    let axis = node.int("axis", 1) as usize;
    let block = node.int("block_size", 0) as usize;
    ensure!(
        axis < q.dims.len() && block > 0,
        "{}: only quantisation by blocks is supported",
        node.output[0]
    );
    let inner: usize = q.dims[axis + 1..].iter().product();
    let blocks = q.dims[axis].div_ceil(block);
    ensure!(
        scale.data.len() == q.data.len() / q.dims[axis] * blocks,
        "{}: another number of scales",
        node.output[0]
    );
    ensure!(
        scale.data.len() == zero.data.len(),
        "{}: another number of zero points",
        node.output[0]
    );
    let dim = q.dims[axis];
    let data = q
        .data
        .iter()
        .enumerate()
        .map(|(i, q)| {
            let (outer, along, within) = (i / inner / dim, i / inner % dim, i % inner);
            let at = (outer * blocks + along / block) * inner + within;
            f64::from((*q - zero.data[at]) as f32 * scale.data[at] as f32)
        })
        .collect();
    Ok(Constant {
        dims: q.dims.clone(),
        data,
    })
}
