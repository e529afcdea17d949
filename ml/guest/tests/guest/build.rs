//! Builds the guest. The tests of `ml/pipeline` use this file, too.

use std::{env, fs, path::Path, process::Command};

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

/// Builds the guest with features for a target, in a folder of its own below the target directory, whose lock another cargo
/// may hold. Nothing is fetched: what the guest depends on, this test does, too.
pub fn guest(features: &str, target: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guest-{features}"));
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
        .args(["build", "--locked", "--offline", "--quiet", "--release"])
        .args(["--package", "ve-ml-guest", "--features", features])
        .args(["--target", target, "--target-dir"])
        .arg(&folder)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(
        status.success(),
        "building ve-ml-guest failed; `rustup target add {target}` may be missing"
    );
    fs::read(folder.join(target).join("release/ve_ml_guest.wasm")).expect("the module was built")
}
