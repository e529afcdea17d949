//! Ways into this binary for processes that the tests start. In an ordinary test run they do nothing.

use std::{ffi::OsString, fs, path::PathBuf};

use ve_slurm::{
    local::unobserved, shim, LocalConfig, LocalScheduler, Scheduler, SchedulerJobId, SubmitSpec,
};

use crate::bed::{dying_at, full_while, shim_command, slow};

/// What follows a word on the command line.
fn after(word: &str) -> Option<Vec<OsString>> {
    let mut args = std::env::args_os();
    args.find(|arg| arg == word)?;
    Some(args.collect())
}

/// `shim <order> <job directory> …`, where the order is `slow`, `die=<step>` or `full=<file>`.
#[test]
fn shim() {
    let Some(args) = after("shim") else { return };
    let (order, rest) = args.split_first().expect("an order");
    let order = order.to_string_lossy();
    let observer = match order.split_once('=') {
        Some(("die", step)) => dying_at(step),
        Some(("full", path)) => full_while(PathBuf::from(path)),
        _ if order == "slow" => slow(),
        _ => unobserved(),
    };
    std::process::exit(shim::main_observed(rest.to_vec(), observer));
}

/// `client <operation> <step to die at> <state> <spec>`.
#[test]
fn client() {
    let Some(args) = after("client") else { return };
    let [operation, step, state, spec] = args.as_slice() else {
        panic!("four arguments");
    };
    let spec: SubmitSpec = serde_json::from_slice(&fs::read(spec).expect("spec")).expect("decodes");
    let mut config = LocalConfig::new(state, "unused");
    config.kill_grace = std::time::Duration::from_millis(400);
    config.capacity.cpus = 4;
    config.capacity.memory_mib = 4096;
    config.shim = shim_command("live");
    let client =
        LocalScheduler::open_observed(config, dying_at(&step.to_string_lossy())).expect("opens");
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let id = SchedulerJobId(spec.handle.clone());
    let done = runtime.block_on(async {
        match operation.to_str() {
            Some("submit") => client.submit(&spec).await.is_ok(),
            Some("cancel") => client.cancel(&id).await.is_ok(),
            Some("forget") => client.forget(&id).await.is_ok(),
            _ => false,
        }
    });
    std::process::exit(if done { 0 } else { 1 });
}
