//! The networks in the node's own executor, with the settings that a node starts with.

use crate::{
    build, models, now,
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

/// What a call answers, and what it costs.
struct Call {
    answer: Vec<i16>,
    /// Bytes of the largest allocation, which may be the input's, and of all memory that the allocator ever touched.
    largest: u32,
    memory: u32,
    time: Duration,
}

fn call(
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
                instance.call_with_allocation_stats("run", input)
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
        answer: answer
            .as_chunks()
            .0
            .iter()
            .map(|b| i16::from_le_bytes(*b))
            .collect(),
        largest: u32::from_le_bytes(*largest).max(input.len() as u32),
        memory: stats.address_space_used,
        time,
    })
}

#[test]
fn networks_should_give_the_known_answers_when_run_in_the_nodes_executor() {
    let wasm = WrappedRuntimeCode(build::guest("runtime").into());
    let code = RuntimeCode {
        code_fetcher: &wasm,
        heap_pages: None,
        hash: b"guest".to_vec(),
    };
    // As the node's service builds it from the defaults of its command line.
    let executor = WasmExecutor::<SubstrateHostFunctions>::builder()
        .with_onchain_heap_alloc_strategy(DEFAULT_HEAP_ALLOC_STRATEGY)
        .with_offchain_heap_alloc_strategy(DEFAULT_HEAP_ALLOC_STRATEGY)
        .with_max_runtime_instances(8)
        .with_runtime_cache_size(2)
        .build();
    let mut externalities = TestExternalities::default();
    let mut ext = externalities.ext();
    for model in models() {
        let artefact = artefact(&model);
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        let shape = net.shape(0).expect("a network has an input");
        let mut calls = Vec::new();
        for (_, number, expected) in pinned().iter().filter(|(m, ..)| *m == model) {
            let len = (artefact.len() as u32).to_le_bytes();
            let input = [&len[..], &artefact, &picture(*number, shape)].concat();
            let call = call(&executor, &code, &mut ext, &input).expect("the guest does not trap");
            let found = digest(&call.answer);
            println!("answer sc-executor {model} {number} {found}");
            assert_eq!(found, *expected, "{model} {number}");
            calls.push(call);
        }
        // The first call compiles the guest, as a node compiles a new runtime.
        calls.sort_by_key(|call| call.time);
        let largest = calls.iter().map(|c| c.largest).max().unwrap_or(0);
        let memory = calls.iter().map(|c| c.memory).max().unwrap_or(0);
        println!(
            "cost sc-executor {model} milliseconds {} largest {largest} memory {memory}",
            calls[calls.len() / 2].time.as_millis()
        );
        assert!(
            largest <= 32 << 20,
            "{model}: an allocation of {largest} bytes"
        );
        assert!(memory <= 48 << 20, "{model}: {memory} bytes of memory");
    }
}
