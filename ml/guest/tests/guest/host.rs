//! A module in the node's WebAssembly engine, with the node's settings for a runtime: no SIMD. The tests of `ml/pipeline` use
//! this file, too.

use wasmtime::{
    Config, Engine, Instance, Memory, Module, OptLevel, Result, Store, WasmParams, WasmResults,
};

pub struct Host {
    store: Store<()>,
    instance: Instance,
}

impl Host {
    pub fn new(module: &[u8]) -> Self {
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::SpeedAndSize);
        config.wasm_relaxed_simd(false).wasm_simd(false);
        let engine = Engine::new(&config).expect("the settings are possible");
        let module = Module::new(&engine, module).expect("the module is valid without SIMD");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[])
            .expect("the module needs nothing from its host");
        Self { store, instance }
    }

    /// Calls a function; an error if it traps.
    pub fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, parameters: P) -> Result<R> {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)
            .expect("the module has this function");
        function.call(&mut self.store, parameters)
    }

    /// Address and length of bytes that the module may keep.
    pub fn put(&mut self, bytes: &[u8]) -> (u32, u32) {
        let len = bytes.len() as u32;
        let at: u32 = self.call("reserve", len).expect("there is room");
        self.memory_of()
            .write(&mut self.store, at as usize, bytes)
            .expect("it was reserved");
        (at, len)
    }

    /// What an answer points at: elements of `size` bytes.
    pub fn read(&mut self, answer: u64, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size * (answer as u32) as usize];
        self.memory_of()
            .read(&mut self.store, (answer >> 32) as usize, &mut bytes)
            .expect("inside the memory");
        bytes
    }

    /// Bytes of the module's memory, which never shrinks.
    pub fn memory(&mut self) -> usize {
        self.memory_of().data_size(&self.store)
    }

    fn memory_of(&mut self) -> Memory {
        self.instance
            .get_memory(&mut self.store, "memory")
            .expect("the module has a memory")
    }
}
