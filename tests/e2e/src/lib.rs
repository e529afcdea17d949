//! Real processes for end-to-end tests: nodes, workers and the `ve` client, each in a directory of its own that is
//! removed when the test passes and kept (its path printed) when it fails.

use anyhow::{ensure, Context, Result};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

mod dir;
pub mod load;
mod market;
mod node;
#[path = "../../support/ports.rs"]
mod ports;
mod process;
mod seed;
pub mod slurm;
mod spec;

pub use dir::TestDir;
pub use market::{units, Market, MarketOptions, CLUSTER_CPUS};
pub use node::{rpc, Node};
pub use ports::free_ports;
pub use process::Process;
pub use seed::Seed;

/// How long a step that normally takes seconds may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at something that is waited for: most looks are a process.
const PAUSE: Duration = Duration::from_millis(400);

/// A binary of this workspace, built beside the test or binary that asks.
pub fn binary(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a program knows its own path");
    // Tests lie in target/<profile>/deps, binaries in target/<profile>.
    let dir = exe
        .ancestors()
        .skip(1)
        .find(|d| !d.ends_with("deps"))
        .expect("a program lies in a folder");
    let path = dir.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/e2e is two levels deep")
        .into()
}

/// Runs a script of the repository with the binaries of this build and returns what it printed.
pub fn run_script(words: &[&str], environment: &[(&str, &str)]) -> Result<String> {
    let ve = binary("ve");
    let bin = ve.parent().context("a binary lies in a folder")?;
    let output = Command::new("bash")
        .args(words)
        .current_dir(repository())
        .env("VE_BIN", bin)
        .envs(environment.iter().copied())
        .output()?;
    ensure!(output.status.success(), "{}", described(&output));
    Ok(String::from_utf8(output.stdout)?)
}

/// One port as [`free_ports`] gives them.
pub fn free_port() -> u16 {
    free_ports(1)
}

/// Waits until `probe` gives a value; the last refusal is part of the error.
pub async fn eventually<T>(
    what: &str,
    patience: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + patience;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(e) if Instant::now() >= end => {
                return Err(e.context(format!("waited {patience:?} for {what}")))
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// An error unless a command ended with this exit status and printed these words.
pub fn ensure_exit(output: &Output, code: i32, words: &str) -> Result<()> {
    let text = described(output);
    ensure!(
        output.status.code() == Some(code) && text.contains(words),
        "expected exit {code} and {words:?}: {text}"
    );
    Ok(())
}

/// What a command printed, with its exit status.
pub fn described(output: &Output) -> String {
    format!(
        "exit {:?}\n--- stdout\n{}\n--- stderr\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
