//! A directory for one test.

use anyhow::Result;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// A directory for one test, removed at its end with every process that still runs in it; kept and named when the test
/// panics, when it was told to be kept, or when `VE_KEEP` is set.
pub struct TestDir {
    path: PathBuf,
    keep: AtomicBool,
}

impl TestDir {
    /// Makes it.
    pub fn new(name: &str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("virtengine-{name}-"))
            .tempdir()?;
        Ok(Self {
            path: dir.keep(),
            keep: AtomicBool::new(std::env::var_os("VE_KEEP").is_some()),
        })
    }

    /// Something failed: it is kept for a look.
    pub fn keep(&self) {
        self.keep.store(true, Ordering::Relaxed);
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        end_what_runs_in(&self.path);
        if std::thread::panicking() || self.keep.load(Ordering::Relaxed) {
            eprintln!("kept for a look: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Jobs outlive their worker on purpose; they shall not outlive the test.
fn end_what_runs_in(dir: &Path) {
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let inside = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
        let named = String::from_utf8_lossy(&arguments).contains(&*dir.to_string_lossy());
        if inside || named {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL);
        }
    }
}
