//! candle, carrying integers in its floats, and the engine give the same bits at every layer.

use crate::random::{graph, Random};
use std::{fs, path::Path};
use ve_ml_engine::{sample::picture, Execution, Net};
use ve_ml_training::exact;

fn compare(net: &Net, pixels: &[u8], what: &str) {
    let reference = exact::trace(net, pixels).expect("candle can run the network");
    let mut seen = 0;
    net.trace(pixels, Execution::default(), |v, value| {
        assert_eq!(value, reference[v as usize], "{what}: value {v}");
        seen += 1;
    })
    .expect("the picture has the right size");
    assert_eq!(seen, reference.len());
}

#[test]
fn candle_should_equal_the_engine_when_networks_are_random() {
    for seed in 0..150 {
        let net = Net::new(graph(seed)).expect("a valid network");
        let pixels = Random(seed).bytes(net.shape(0).unwrap().elements() as usize);
        compare(&net, &pixels, &format!("seed {seed}"));
    }
}

#[test]
fn candle_should_equal_the_engine_when_networks_are_the_shipped_ones() {
    for model in ["yunet", "sface", "mrz"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../models/{model}.veml"));
        let artefact = fs::read(file).expect("the artefact is committed");
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        for number in [2, 4] {
            compare(&net, &picture(number, net.shape(0).unwrap()), model);
        }
    }
}
