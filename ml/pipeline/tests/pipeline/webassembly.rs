//! The stages as WebAssembly without SIMD: the known answers, and the bound on memory.

use crate::{
    answers::{check, Machine},
    build::guest,
    host::Host,
    large, pipeline, DETECTOR, EMBEDDER, READER,
};
use std::time::Instant;
use ve_ml_engine::Execution;
use ve_ml_pipeline::{
    stages::{Digest, Stage},
    Picture,
};

fn host() -> Host {
    Host::new(&guest("pipeline", "wasm32-unknown-unknown"))
}

/// The digests that a function answers, given its input's parts; nothing if it traps.
fn ask(host: &mut Host, function: &str, parts: &[&[u8]]) -> Option<Vec<Digest>> {
    let parts = parts.iter().flat_map(|part| {
        let len = (part.len() as u32).to_le_bytes();
        len.into_iter().chain(part.iter().copied())
    });
    let input = host.put(&parts.collect::<Vec<_>>());
    let answer: u64 = host.call(function, input).ok()?;
    let digests = host.read(answer, 1);
    Some(digests.as_chunks().0.to_vec())
}

impl Machine for Host {
    fn decoded(&mut self, file: &[u8]) -> Option<Digest> {
        ask(self, "decoded", &[file])?.first().copied()
    }

    fn outlined(&mut self, picture: &Picture) -> Option<Digest> {
        let [width, height] = [picture.width(), picture.height()].map(|n| (n as u32).to_le_bytes());
        let parts = [&width, &height, picture.rgb()];
        ask(self, "outlined", &parts)?.first().copied()
    }

    fn analysed(&mut self, document: &[u8], selfie: &[u8]) -> [Digest; Stage::ALL.len()] {
        let parts = [&DETECTOR[..], &EMBEDDER, document, selfie];
        let digests = ask(self, "analysed", &parts).expect("valid networks");
        digests.try_into().expect("one digest for each stage")
    }

    fn documented(&mut self, front: &[u8], back: &[u8]) -> [Digest; Stage::ALL.len()] {
        let parts = [&DETECTOR[..], &EMBEDDER, &READER, front, back];
        let digests = ask(self, "documented", &parts).expect("valid networks");
        digests.try_into().expect("one digest for each stage")
    }
}

fn check_memory(host: &mut Host, what: &str) {
    let memory = host.memory();
    println!("{what}: {} KiB of memory", memory >> 10);
    assert!(memory <= 256 << 20, "{what}: {memory} bytes of memory");
}

#[test]
fn pipeline_should_give_the_known_answers_when_run_as_webassembly() {
    let mut host = host();
    check("wasmtime", &mut host);
    check_memory(&mut host, "known answers");
}

#[test]
fn memory_should_stay_below_256_mib_when_the_largest_pictures_are_looked_at_as_webassembly() {
    for (name, file) in large::pictures() {
        // Memory never shrinks, so each picture has one of its own: networks, files and all that the stages need.
        let mut host = host();
        let start = Instant::now();
        let found = host.analysed(&file, &file);
        println!("{name}: looked at three times in {:?}", start.elapsed());
        check_memory(&mut host, name);
        let mut here = pipeline(Execution::default());
        assert_eq!(found, here.analysed(&file, &file), "{name}");
        let (mut host, start) = (self::host(), Instant::now());
        let found = host.documented(&file, &file);
        println!("{name}: read twice in {:?}", start.elapsed());
        check_memory(&mut host, name);
        assert_eq!(found, here.documented(&file, &file), "{name}");
    }
}
