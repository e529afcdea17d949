//! The engine as WebAssembly, in the node's WebAssembly engine with the node's settings for a runtime.

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use wasmtime::{Config, Engine, Instance, Memory, Module, OptLevel, Store, TypedFunc};

pub struct Guest {
    store: Store<()>,
    instance: Instance,
    net: u32,
    runs: u32,
    spent: Duration,
}

/// What the cargo or nextest around this test says about its package, and flags that are meant for this machine: the build
/// of another package, for another target, must see neither.
fn is_of_outer_build(name: &str) -> bool {
    let prefixes = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "NEXTEST"];
    let names = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_MAKEFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "MAKEFLAGS",
        "OUT_DIR",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
    ];
    names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Builds `ml/guest`; in a folder of its own below the target directory, whose lock another cargo may hold. Nothing is
/// fetched: the guest depends on the engine, and the engine on nothing.
fn build() -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    // Where the default toolchain lacks the target, the scripts name the one that has it, as for the runtime.
    let mut cargo = match env::var_os("WASM_BUILD_TOOLCHAIN") {
        Some(toolchain) => {
            let mut rustup = Command::new("rustup");
            rustup.arg("run").arg(toolchain).arg("cargo");
            rustup
        }
        None => Command::new(env!("CARGO")),
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_of_outer_build) {
            cargo.env_remove(name);
        }
    }
    let status = cargo
        .args([
            "build",
            "--locked",
            "--offline",
            "--quiet",
            "--release",
            "--package",
            "ve-ml-guest",
        ])
        .args(["--target", "wasm32v1-none", "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(
        status.success(),
        "building ve-ml-guest failed; `rustup target add wasm32v1-none` may be missing"
    );
    fs::read(target.join("wasm32v1-none/release/ve_ml_guest.wasm")).expect("the module was built")
}

impl Guest {
    pub fn new() -> Self {
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::SpeedAndSize);
        config.wasm_relaxed_simd(false).wasm_simd(false);
        let engine = Engine::new(&config).expect("the settings are possible");
        let module = Module::new(&engine, build()).expect("the module is valid without SIMD");
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

    pub fn load(&mut self, artefact: &[u8]) {
        let (at, len) = self.put(artefact);
        self.net = self
            .function::<(u32, u32), u32>("load")
            .call(&mut self.store, (at, len))
            .expect("it is valid");
    }

    pub fn run(&mut self, pixels: &[u8]) -> Vec<i16> {
        let (at, len) = self.put(pixels);
        let run = self.function::<(u32, u32, u32), u64>("run");
        let start = Instant::now();
        let answer = run
            .call(&mut self.store, (self.net, at, len))
            .expect("the picture has the right size");
        self.spent += start.elapsed();
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

    pub fn largest_allocation(&mut self) -> u32 {
        self.function::<(), u32>("largest_allocation")
            .call(&mut self.store, ())
            .expect("it cannot fail")
    }

    pub fn memory(&mut self) -> usize {
        self.memory_of().data_size(&self.store)
    }

    pub fn time(&self) -> Duration {
        self.spent / self.runs.max(1)
    }
}
