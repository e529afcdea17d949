//! A small model file, made here, through the whole conversion: the integers must say what the floats say.

use crate::random::Random;
use prost::Message;
use ve_ml_engine::{Execution, Net};
use ve_ml_training::{
    float::Float,
    network::Network,
    onnx::{AttributeProto, GraphProto, ModelProto, NodeProto, Onnx, TensorProto, ValueInfoProto},
    quantise::{quantise, Ranges},
};

struct File {
    graph: GraphProto,
    random: Random,
}

impl File {
    fn new() -> Self {
        let name = |name: &str| ValueInfoProto { name: name.into() };
        // Like real files, this one lists a weight that exists only in quantised form among its inputs.
        let graph = GraphProto {
            input: vec![name("unused_weight"), name("data")],
            output: vec![name("probability"), name("embedding")],
            ..Default::default()
        };
        Self {
            graph,
            random: Random(11),
        }
    }

    fn floats(&mut self, name: &str, dims: &[i64], values: impl Fn(f32) -> f32) {
        let n = dims.iter().product::<i64>();
        let values: Vec<f32> = (0..n)
            .map(|_| values(self.random.range(-1000, 1000) as f32 / 1000.0))
            .collect();
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = TensorProto {
            dims: dims.into(),
            data_type: 1,
            name: name.into(),
            raw_data,
            ..Default::default()
        };
        self.graph.initializer.push(tensor);
    }

    fn bytes(&mut self, name: &str, dims: &[i64], from: i64, to: i64) {
        let n = dims.iter().product::<i64>();
        let raw_data = (0..n).map(|_| self.random.range(from, to) as u8).collect();
        let tensor = TensorProto {
            dims: dims.into(),
            data_type: 3,
            name: name.into(),
            raw_data,
            ..Default::default()
        };
        self.graph.initializer.push(tensor);
    }

    fn integers(&mut self, name: &str, values: &[i64]) {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims = vec![values.len() as i64];
        self.graph.initializer.push(TensorProto {
            dims,
            data_type: 7,
            name: name.into(),
            raw_data,
            ..Default::default()
        });
    }

    fn node(
        &mut self,
        op_type: &str,
        input: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        let input = input.iter().map(|i| i.to_string()).collect();
        self.graph.node.push(NodeProto {
            input,
            output: vec![output.into()],
            op_type: op_type.into(),
            attribute,
        });
    }

    fn batch_normalisation(&mut self, read: &str, name: &str, channels: i64) {
        for (part, offset) in [("gamma", 1.2), ("beta", 0.0), ("mean", 0.0), ("var", 1.5)] {
            self.floats(&format!("{name}_{part}"), &[channels], |v| v + offset);
        }
        let parts = ["gamma", "beta", "mean", "var"].map(|part| format!("{name}_{part}"));
        let inputs: Vec<&str> = std::iter::once(read)
            .chain(parts.iter().map(String::as_str))
            .collect();
        self.node("BatchNormalization", &inputs, name, vec![]);
    }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        ints: ints.into(),
        ..Default::default()
    }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        i,
        ..Default::default()
    }
}

fn conv(padding: i64, stride: i64, groups: i64) -> Vec<AttributeProto> {
    vec![
        ints("pads", &[padding; 4]),
        ints("strides", &[stride; 2]),
        ints("dilations", &[1, 1]),
        int("group", groups),
    ]
}

/// Normalised input; convolution from quantised weights, batch normalisation, PReLU; depthwise with stride, ReLU; a branch
/// that is pooled, enlarged and added; a table; batch normalisation before a fully connected layer.
fn file() -> Vec<u8> {
    let mut f = File::new();
    f.floats("half", &[1], |_| 127.5);
    f.floats("factor", &[1], |_| 1.0 / 128.0);
    f.node("Sub", &["data", "half"], "centred", vec![]);
    f.node("Mul", &["centred", "factor"], "normal", vec![]);
    f.bytes("q", &[6, 27], -127, 127);
    f.floats("q_scale", &[6, 2], |v| 0.002 + v.abs() * 0.002);
    f.bytes("q_zero", &[6, 2], -3, 3);
    f.integers("q_shape", &[6, 3, 3, 3]);
    f.node(
        "DequantizeLinear",
        &["q", "q_scale", "q_zero"],
        "w1_flat",
        vec![int("axis", 1), int("block_size", 14)],
    );
    f.node("Reshape", &["w1_flat", "q_shape"], "w1", vec![]);
    f.node("Conv", &["normal", "w1"], "c1", conv(1, 1, 1));
    f.batch_normalisation("c1", "b1", 6);
    f.floats("slope", &[6, 1, 1], |v| v);
    f.node("PRelu", &["b1", "slope"], "a1", vec![]);
    f.floats("w2", &[6, 1, 3, 3], |v| v);
    f.floats("bias2", &[6], |v| v);
    f.node("Conv", &["a1", "w2", "bias2"], "c2", conv(1, 2, 6));
    f.node("Relu", &["c2"], "a2", vec![]);
    f.node(
        "MaxPool",
        &["a2"],
        "pooled",
        vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
    );
    let mut resize = vec![];
    for (name, text) in [
        ("mode", "nearest"),
        ("nearest_mode", "floor"),
        ("coordinate_transformation_mode", "asymmetric"),
    ] {
        resize.push(AttributeProto {
            name: name.into(),
            s: text.into(),
            ..Default::default()
        });
    }
    let scales = [1.0f32, 1.0, 2.0, 2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let scales = TensorProto {
        dims: vec![4],
        data_type: 1,
        name: "twice".into(),
        raw_data: scales,
        ..Default::default()
    };
    f.graph.initializer.push(scales);
    f.node("Resize", &["pooled", "", "twice"], "enlarged", resize);
    f.node("Add", &["a2", "enlarged"], "sum", vec![]);
    f.floats("w3", &[1, 6, 1, 1], |v| v);
    f.node("Conv", &["sum", "w3"], "c3", conv(0, 1, 1));
    f.node(
        "Transpose",
        &["c3"],
        "turned",
        vec![ints("perm", &[0, 2, 3, 1])],
    );
    f.node("Sigmoid", &["turned"], "probability", vec![]);
    f.batch_normalisation("sum", "b2", 6);
    f.node("Flatten", &["b2"], "flat", vec![]);
    f.floats("w4", &[5, 6 * 4 * 6], |v| v);
    f.floats("bias4", &[5], |v| v);
    f.node(
        "Gemm",
        &["flat", "w4", "bias4"],
        "fc",
        vec![int("transB", 1)],
    );
    f.batch_normalisation("fc", "embedding", 5);
    ModelProto {
        graph: Some(f.graph),
    }
    .encode_to_vec()
}

#[test]
fn conversion_should_keep_what_the_network_says_when_it_becomes_integers() {
    let onnx = Onnx::read(&file()).expect("the file can be read");
    let network = Network::from_onnx(&onnx, 8, 12).expect("every operator is supported");
    let float = Float::new(&network).unwrap();
    let pixels = |seed: u64| Random(seed).bytes(8 * 12 * 3);
    let mut ranges = Ranges::new();
    for seed in 0..8 {
        float.calibrate(&pixels(seed), &mut ranges).unwrap();
    }
    let quantised = quantise(&network, &ranges, 4095).expect("it can be quantised");
    let artefact = quantised.graph.encode();
    let net = Net::parse(&artefact).expect("the engine accepts it");
    for seed in 0..8 {
        let floats = float.run(&pixels(seed), |_, _| Ok(())).unwrap();
        let integers = net.run(&pixels(seed), Execution::default()).unwrap();
        for ((name, bits), (floats, integers)) in
            quantised.outputs.iter().zip(floats.iter().zip(&integers))
        {
            assert_eq!(floats.len(), integers.len(), "{name}");
            let largest = floats.iter().fold(0.0, |max: f64, f| max.max(f.abs()));
            for (float, integer) in floats.iter().zip(integers) {
                let real = f64::from(*integer) / 2f64.powi(*bits);
                assert!(
                    (real - float).abs() <= 0.03 * largest,
                    "{name}: {real} for {float}, of at most {largest}"
                );
            }
        }
    }
}

#[test]
fn conversion_should_refuse_when_a_range_is_missing() {
    let onnx = Onnx::read(&file()).unwrap();
    let network = Network::from_onnx(&onnx, 8, 12).unwrap();
    let error = quantise(&network, &Ranges::new(), 1023)
        .err()
        .expect("refused");
    assert!(format!("{error:#}").contains("not calibrated"), "{error:#}");
}

#[test]
fn file_should_be_refused_when_it_is_cut() {
    let file = file();
    for len in (0..file.len()).step_by(97) {
        if let Ok(onnx) = Onnx::read(&file[..len]) {
            assert!(Network::from_onnx(&onnx, 8, 12).is_err(), "cut to {len}");
        }
    }
}
