//! The networks and the scorer in the node's own executor, with the settings that a node starts with.

use crate::{
    build, check_cost, models, now,
    pinned::{artefact, digest, pinned},
};
use sc_executor::{
    error::Result, with_externalities_safe, Externalities, WasmExecutor,
    DEFAULT_HEAP_ALLOC_STRATEGY,
};
use sp_core::traits::{RuntimeCode, WrappedRuntimeCode};
use sp_io::{SubstrateHostFunctions, TestExternalities};
use std::time::Duration;
use ve_ml_engine::{sample::picture, Net};
use ve_ml_score::{assess, sample::evidence, Weights};

/// What a call answers, and what it costs.
struct Call {
    answer: Vec<u8>,
    /// Bytes of the largest allocation, which may be the input's, and of all memory that the allocator ever touched.
    largest: u32,
    memory: u32,
    time: Duration,
}

fn call(
    function: &'static str,
    executor: &WasmExecutor<SubstrateHostFunctions>,
    code: &RuntimeCode,
    ext: &mut dyn Externalities,
    input: &[u8],
) -> Result<Call> {
    let start = now();
    let (output, stats) = executor.with_instance(
        code,
        ext,
        DEFAULT_HEAP_ALLOC_STRATEGY,
        |_, mut instance, _, mut ext| {
            let called = with_externalities_safe(&mut **ext, move || {
                instance.call_with_allocation_stats(function, input)
            });
            called.map(|(output, stats)| output.map(|output| (output, stats)))
        },
    )?;
    let time = now() - start;
    let (largest, answer) = output
        .split_first_chunk()
        .expect("the guest answers more than its memory");
    let stats = stats.expect("the executor counts allocations");
    Ok(Call {
        answer: answer.to_vec(),
        largest: u32::from_le_bytes(*largest).max(input.len() as u32),
        memory: stats.address_space_used,
        time,
    })
}

/// Calls the guest in the node's executor, with the settings that the node's service makes of the defaults of its command line.
fn in_the_node(act: impl FnOnce(&mut dyn FnMut(&'static str, &[u8]) -> Call)) {
    let wasm = WrappedRuntimeCode(build::guest("runtime", "wasm32v1-none").into());
    let code = RuntimeCode {
        code_fetcher: &wasm,
        heap_pages: None,
        hash: b"guest".to_vec(),
    };
    let executor = WasmExecutor::builder()
        .with_onchain_heap_alloc_strategy(DEFAULT_HEAP_ALLOC_STRATEGY)
        .with_offchain_heap_alloc_strategy(DEFAULT_HEAP_ALLOC_STRATEGY)
        .with_max_runtime_instances(8)
        .with_runtime_cache_size(2)
        .build();
    let mut externalities = TestExternalities::default();
    let mut ext = externalities.ext();
    act(&mut |function, input| {
        call(function, &executor, &code, &mut ext, input).expect("the guest does not trap")
    });
}

fn check_costs(name: &str, mut calls: Vec<Call>) {
    // The first call compiles the guest, as a node compiles a new runtime.
    calls.sort_by_key(|call| call.time);
    let largest = calls.iter().map(|c| c.largest).max().unwrap_or(0);
    let memory = calls.iter().map(|c| c.memory).max().unwrap_or(0);
    let middle = calls[calls.len() / 2].time;
    check_cost("sc-executor", name, middle, largest, memory);
}

#[test]
fn networks_should_give_the_known_answers_when_run_in_the_nodes_executor() {
    in_the_node(|call| {
        for model in models() {
            let artefact = artefact(&model);
            let net = Net::parse(&artefact).expect("a shipped artefact is valid");
            let shape = net.shape(0).expect("a network has an input");
            let mut calls = Vec::new();
            for (_, number, expected) in pinned().iter().filter(|(m, ..)| *m == model) {
                let len = (artefact.len() as u32).to_le_bytes();
                let input = [&len[..], &artefact, &picture(*number, shape)].concat();
                let call = call("run", &input);
                let activations = call.answer.as_chunks().0.iter();
                let activations: Vec<_> = activations.map(|b| i16::from_le_bytes(*b)).collect();
                let found = digest(&activations);
                println!("answer sc-executor {model} {number} {found}");
                assert_eq!(found, *expected, "{model} {number}");
                calls.push(call);
            }
            check_costs(&model, calls);
        }
    });
}

#[test]
fn scorer_should_answer_as_here_when_run_in_the_nodes_executor() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/score.weights");
    let bytes = std::fs::read(shipped).expect("the shipped weights");
    let weights = Weights::parse(&bytes).expect("valid weights");
    in_the_node(|call| {
        let mut calls = Vec::new();
        for number in 0..500 {
            let (features, scopes) = evidence(number);
            let scopes_bits = scopes.bits().to_le_bytes();
            let call = call(
                "score",
                &[&bytes[..], &features.to_bytes(), &scopes_bits].concat(),
            );
            let here = assess(&weights, &features, scopes);
            let mut expected = vec![here.score];
            expected.extend(here.lines.iter().map(|line| line.points));
            let limits = here.caps.iter();
            expected.extend(limits.flat_map(|cap| [cap.reason.code(), cap.most]));
            assert_eq!(call.answer, expected, "sample {number}");
            calls.push(call);
        }
        check_costs("score", calls);
    });
}
