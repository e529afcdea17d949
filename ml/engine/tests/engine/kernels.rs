//! Every instruction set and every number of threads gives what the operators mean.

use crate::{
    oracle,
    random::{conv, graph, Random},
};
use proptest::prelude::*;
use ve_ml_engine::{Execution, Graph, Input, Kernels, Net, Op, Shape};

fn every_execution() -> impl Iterator<Item = Execution> {
    Kernels::available().flat_map(|kernels| [1, 2, 3].map(|threads| Execution { kernels, threads }))
}

fn compare(graph: &Graph, seed: u64) {
    let pixels = (graph.input.height * graph.input.width * graph.input.channels) as usize;
    let pixels = Random(seed).bytes(pixels);
    let meant = oracle::run(graph, &pixels);
    let net = Net::new(graph.clone()).expect("a valid network");
    for how in every_execution() {
        net.trace(&pixels, how, |v, value| {
            assert_eq!(value, meant[v as usize], "value {v}, {how:?}, seed {seed}")
        })
        .expect("the picture has the right size");
        let outputs = net
            .run(&pixels, how)
            .expect("the picture has the right size");
        let expected: Vec<_> = graph
            .outputs
            .iter()
            .map(|v| meant[*v as usize].clone())
            .collect();
        assert_eq!(outputs, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn kernels_should_give_what_the_operators_mean_when_the_network_is_random(seed: u64) {
        compare(&graph(seed), seed);
    }
}

/// Large enough for threads, several tiles and every remainder of a row block.
#[test]
fn kernels_should_give_what_the_operators_mean_when_a_layer_is_large() {
    let shape = Shape {
        height: 37,
        width: 41,
        channels: 48,
    };
    for seed in 0..12 {
        let mut r = Random(seed);
        let input = Input {
            height: 37,
            width: 41,
            channels: 48,
            scale: 4,
            offset: -512,
        };
        let graph = Graph {
            input,
            ops: vec![Op::Conv(conv(&mut r, 0, shape, 512))],
            outputs: vec![1],
        };
        compare(&graph, seed);
    }
}

#[test]
fn net_should_refuse_a_picture_when_it_has_another_size() {
    let net = Net::new(graph(1)).unwrap();
    let expected = net.shape(0).unwrap().elements() as usize;
    let error = net
        .run(&vec![0; expected + 1], Execution::default())
        .unwrap_err();
    assert_eq!(
        error,
        ve_ml_engine::Error::InputSize {
            expected,
            given: expected + 1
        }
    );
}
