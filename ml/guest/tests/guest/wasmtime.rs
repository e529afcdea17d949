//! The engine as WebAssembly, by itself.

use crate::{
    build, check_cost,
    host::Host,
    models, now,
    pinned::{artefact, digest, pinned},
};
use std::time::Duration;
use ve_ml_engine::{sample::picture, Net};

#[test]
fn networks_should_give_the_known_answers_when_run_as_webassembly() {
    for model in models() {
        let artefact = artefact(&model);
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        let shape = net.shape(0).expect("a network has an input");
        let mut host = Host::new(&build::guest("", "wasm32v1-none"));
        let artefact = host.put(&artefact);
        let net: u32 = host.call("load", artefact).expect("it is valid");
        let (mut runs, mut spent) = (0, Duration::ZERO);
        for (_, number, expected) in pinned().iter().filter(|(m, ..)| *m == model) {
            let (at, len) = host.put(&picture(*number, shape));
            let start = now();
            let answer: u64 = host
                .call("run", (net, at, len))
                .expect("the picture has the right size");
            spent += now() - start;
            runs += 1;
            let bytes = host.read(answer, 2);
            let activations = bytes.as_chunks().0.iter();
            let activations: Vec<_> = activations.map(|b| i16::from_le_bytes(*b)).collect();
            let found = digest(&activations);
            println!("answer wasmtime {model} {number} {found}");
            assert_eq!(found, *expected, "{model} {number}");
        }
        let largest: u32 = host.call("largest_allocation", ()).expect("it cannot fail");
        let memory = host.memory() as u32;
        check_cost("wasmtime", &model, spent / runs.max(1), largest, memory);
    }
}
