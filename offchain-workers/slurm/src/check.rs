//! What is wrong with a specification by itself, whatever the scheduler.

use std::path::Path;

use crate::types::SubmitSpec;

/// Longest handle in bytes.
pub const MAX_HANDLE: usize = 64;
/// Longest wall time in seconds: a year.
pub const MAX_WALLTIME_S: u64 = 366 * 24 * 3600;

/// Whether `handle` can be the handle of a job: 1 to 64 bytes out of `a-z A-Z 0-9 - _`, the first a letter or digit.
pub fn is_handle(handle: &str) -> bool {
    handle.len() <= MAX_HANDLE
        && handle
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric())
        && handle
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl SubmitSpec {
    /// Checks what can be checked without a scheduler or a file system. The error names the field and the remedy.
    pub fn check(&self) -> Result<(), String> {
        if !is_handle(&self.handle) {
            return Err(format!(
                "handle must be 1 to {MAX_HANDLE} letters, digits, `-` or `_` and begin with a letter or digit"
            ));
        }
        absolute("work_dir", &self.work_dir)?;
        if !self.script.starts_with("#!") {
            return Err("script must begin with #! and an interpreter".into());
        }
        absolute("stdout", &self.stdout)?;
        absolute("stderr", &self.stderr)?;
        if self.cpus == 0 {
            return Err("cpus must be at least 1".into());
        }
        if self.nodes == 0 || self.nodes > self.cpus {
            return Err(
                "nodes must be at least 1 and at most cpus: every node gives one processor or more"
                    .into(),
            );
        }
        if self.memory_mib == 0 {
            return Err("memory_mib must be at least 1".into());
        }
        if self.walltime_s == 0 || self.walltime_s > MAX_WALLTIME_S {
            return Err(format!("walltime_s must be 1 to {MAX_WALLTIME_S} seconds"));
        }
        if self.array_tasks == 0 {
            return Err("array_tasks must be at least 1; 1 is a plain job".into());
        }
        if self.max_processes == Some(0) {
            return Err("max_processes must be at least 1: the script itself is a process".into());
        }
        if self.array_tasks > 1 {
            for (field, path) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
                if !path.to_string_lossy().contains("%a") {
                    return Err(format!(
                        "{field} must contain %a, so that the tasks of an array do not write into one file"
                    ));
                }
            }
        }
        for (key, value) in &self.environment {
            if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
                return Err(format!(
                    "environment: {key:?} is not a name, or its value contains a zero byte"
                ));
            }
            if key.starts_with("VE_") {
                return Err(format!(
                    "environment: {key} is set by the scheduler; use a name that does not begin with VE_"
                ));
            }
        }
        Ok(())
    }
}

fn absolute(field: &str, path: &Path) -> Result<(), String> {
    if path.is_absolute() && !path.as_os_str().as_encoded_bytes().contains(&0) {
        Ok(())
    } else {
        Err(format!("{field} must be an absolute path"))
    }
}
