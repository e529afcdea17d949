//! The engine as WebAssembly, in the node's WebAssembly engine with the node's settings for a runtime.

use crate::{
    build, check_cost, models, now,
    pinned::{artefact, digest, pinned},
};
use std::time::Duration;
use ve_ml_engine::{sample::picture, Net};
use wasmtime::{Config, Engine, Instance, Memory, Module, OptLevel, Store, TypedFunc};

struct Guest {
    store: Store<()>,
    instance: Instance,
    net: u32,
    runs: u32,
    spent: Duration,
}

impl Guest {
    fn new() -> Self {
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::SpeedAndSize);
        config.wasm_relaxed_simd(false).wasm_simd(false);
        let engine = Engine::new(&config).expect("the settings are possible");
        let module =
            Module::new(&engine, build::guest("")).expect("the module is valid without SIMD");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])
            .expect("the module needs nothing from its host");
        Self {
            store,
            instance,
            net: 0,
            runs: 0,
            spent: Duration::ZERO,
        }
    }

    fn function<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
    ) -> TypedFunc<P, R> {
        self.instance
            .get_typed_func(&mut self.store, name)
            .expect("the module has this function")
    }

    fn memory_of(&mut self) -> Memory {
        self.instance
            .get_memory(&mut self.store, "memory")
            .expect("the module has a memory")
    }

    fn put(&mut self, bytes: &[u8]) -> (u32, u32) {
        let len = bytes.len() as u32;
        let at = self
            .function::<u32, u32>("reserve")
            .call(&mut self.store, len)
            .expect("there is room");
        self.memory_of()
            .write(&mut self.store, at as usize, bytes)
            .expect("it was reserved");
        (at, len)
    }

    fn load(&mut self, artefact: &[u8]) {
        let (at, len) = self.put(artefact);
        self.net = self
            .function::<(u32, u32), u32>("load")
            .call(&mut self.store, (at, len))
            .expect("it is valid");
    }

    fn run(&mut self, pixels: &[u8]) -> Vec<i16> {
        let (at, len) = self.put(pixels);
        let run = self.function::<(u32, u32, u32), u64>("run");
        let start = now();
        let answer = run
            .call(&mut self.store, (self.net, at, len))
            .expect("the picture has the right size");
        self.spent += now() - start;
        self.runs += 1;
        let mut bytes = vec![0; 2 * (answer as u32) as usize];
        self.memory_of()
            .read(&mut self.store, (answer >> 32) as usize, &mut bytes)
            .expect("inside the memory");
        bytes
            .as_chunks()
            .0
            .iter()
            .map(|b| i16::from_le_bytes(*b))
            .collect()
    }

    fn largest_allocation(&mut self) -> u32 {
        self.function::<(), u32>("largest_allocation")
            .call(&mut self.store, ())
            .expect("it cannot fail")
    }

    fn memory(&mut self) -> usize {
        self.memory_of().data_size(&self.store)
    }

    fn time(&self) -> Duration {
        self.spent / self.runs.max(1)
    }
}

#[test]
fn networks_should_give_the_known_answers_when_run_as_webassembly() {
    for model in models() {
        let artefact = artefact(&model);
        let net = Net::parse(&artefact).expect("a shipped artefact is valid");
        let shape = net.shape(0).expect("a network has an input");
        let mut guest = Guest::new();
        guest.load(&artefact);
        for (_, number, expected) in pinned().iter().filter(|(m, ..)| *m == model) {
            let found = digest(&guest.run(&picture(*number, shape)));
            println!("answer wasmtime {model} {number} {found}");
            assert_eq!(found, *expected, "{model} {number}");
        }
        let (largest, memory) = (guest.largest_allocation(), guest.memory());
        check_cost("wasmtime", &model, guest.time(), largest, memory as u32);
    }
}
