//! What makes a node start in a second: raw chain specs and compiled runtimes, kept beside the binaries.
//!
//! A node compiles the runtime when it starts, for half a minute of processor time in this profile: once for itself, and
//! once to build the genesis of a spec that is not raw.

use crate::{binary, described};
use anyhow::{ensure, Context, Result};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// Where they are kept. Compiled runtimes have a folder of their own in it, `wasm`: the cache removes what it does not
/// know.
pub fn folder() -> Result<PathBuf> {
    let node = binary("virtengine-node");
    let folder = node
        .parent()
        .context("a binary lies in a folder")?
        .join("e2e");
    fs::create_dir_all(folder.join("wasm"))?;
    Ok(folder)
}

/// The arguments of a node, with the chains of the presets replaced by their raw specs.
pub fn with_raw_spec(arguments: &[&str]) -> Result<Vec<String>> {
    let mut all: Vec<String> = arguments.iter().map(|a| a.to_string()).collect();
    let named = arguments
        .iter()
        .position(|a| *a == "--chain")
        .map(|i| i + 1);
    match named {
        Some(at) => {
            if let Some(name) = all
                .get_mut(at)
                .filter(|n| ["dev", "local"].contains(&&***n))
            {
                *name = raw(name)?;
            }
        }
        None if arguments.contains(&"--dev") => all.extend(["--chain".into(), raw("dev")?]),
        None => {}
    }
    Ok(all)
}

/// Whether `path` was made after the node was built.
fn is_current(path: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    changed(path) > changed(&binary("virtengine-node"))
}

/// Tests are processes that start together: one makes what all need, the others wait.
fn lock(name: &str) -> Result<File> {
    let file = File::create(folder()?.join(name))?;
    file.lock()?;
    Ok(file)
}

/// The raw spec of a preset; exported again when the node is newer.
fn raw(name: &str) -> Result<String> {
    let _alone = lock("spec.lock")?;
    let path = folder()?.join(format!("{name}.json"));
    if !is_current(&path) {
        let output = Command::new(binary("virtengine-node"))
            .args(["export-chain-spec", "--raw", "--chain", name])
            .output()?;
        ensure!(output.status.success(), "{}", described(&output));
        // In one move: killed in the middle, it would leave half a spec.
        let aside = path.with_extension("new");
        fs::write(&aside, output.stdout)?;
        fs::rename(&aside, &path)?;
    }
    Ok(path.to_string_lossy().into())
}

/// The first start of a node of this build, which compiles the runtime. Nobody else starts one before it is over.
pub struct FirstStart {
    done: PathBuf,
    _alone: File,
}

impl FirstStart {
    /// `None` when it is over.
    pub fn take() -> Result<Option<Self>> {
        let alone = lock("compile.lock")?;
        let done = folder()?.join("compiled");
        Ok((!is_current(&done)).then_some(Self {
            done,
            _alone: alone,
        }))
    }

    /// The node answers, so what it compiled is there.
    pub fn over(self) -> Result<()> {
        Ok(fs::write(self.done, "")?)
    }
}
