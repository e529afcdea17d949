//! On what the figures were taken.

use std::{fs, process::Command};

/// A machine, and what of this repository ran on it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Cargo profile of this binary, and so of those beside it.
    pub profile: String,
    /// Commit, with a `+` if the checkout has changes.
    pub commit: String,
    /// Processes that wanted to run in the minute before: more than a little spoils the figures.
    pub load: String,
}

impl Machine {
    /// This one, now.
    pub fn this() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|l| l.starts_with(name))?.to_string();
            Some(line.split_once(':')?.1.trim().to_string())
        };
        let memory = field(&file("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: u64 = memory
            .split(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        Self {
            processor: field(&file("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kib / 1024,
            profile: profile(),
            commit: commit().unwrap_or_else(|| "unknown".into()),
            load: file("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .into(),
        }
    }
}

/// Cargo calls the folder of profile `dev` `debug`.
fn profile() -> String {
    let exe = std::env::current_exe().unwrap_or_default();
    let folder = exe
        .parent()
        .and_then(|p| p.file_name())
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if folder == "debug" {
        "dev".into()
    } else {
        folder
    }
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| -> Option<String> {
        let output = Command::new("git")
            .arg("-C")
            .arg(virtengine_e2e::repository())
            .args(arguments)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain"])?;
    Some(if changes.is_empty() {
        head
    } else {
        format!("{head}+")
    })
}
