//! The process that becomes the script.

use std::{
    fs,
    io::{self, Write},
    os::unix::process::{parent_id, CommandExt},
    process::Command,
    time::Duration,
};

use nix::{
    sys::{
        prctl::set_pdeathsig,
        resource::{setrlimit, Resource},
        signal::{SigSet, Signal},
    },
    unistd::setsid,
};

use crate::local::dir::JobDir;

/// How often a script is tried that somebody still has open for writing.
const BUSY_TRIES: u32 = 20;

/// Sets the limits and becomes the script. Returns only if that failed.
///
/// The environment was set by the supervisor, as were the directory and the streams.
pub(super) fn become_script(dir: &JobDir, attempt: u32, task: u32, parent: u32) -> io::Error {
    match prepare(dir, parent) {
        Ok(()) => {}
        Err(error) => return error,
    }
    let mut tries = 0;
    loop {
        let error = Command::new(dir.script()).exec();
        tries += 1;
        if error.kind() != io::ErrorKind::ExecutableFileBusy || tries >= BUSY_TRIES {
            return io::Error::new(
                error.kind(),
                format!(
                    "the script could not be run ({error}); does its first line name an interpreter that exists? \
                     (attempt {attempt}, task {task})"
                ),
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn prepare(dir: &JobDir, parent: u32) -> io::Result<()> {
    // If the supervisor dies, so does the script, whatever it ignores.
    set_pdeathsig(Signal::SIGKILL)?;
    if parent_id() != parent {
        return Err(io::Error::other("the supervising process is gone"));
    }
    setsid()?;
    // The supervisor reads its signals from a descriptor and blocks them for that; a mask survives becoming a script,
    // which would then never hear of a polite request.
    SigSet::all().thread_unblock()?;
    let record = dir
        .record()?
        .ok_or_else(|| io::Error::other("the job's record is gone"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if let Some(limit) = record.spec.max_file_bytes {
        setrlimit(Resource::RLIMIT_FSIZE, limit, limit)?;
    }
    // When the machine itself runs out of memory, this goes before the worker does. Refused in some containers.
    if let Ok(mut file) = fs::OpenOptions::new()
        .write(true)
        .open("/proc/self/oom_score_adj")
    {
        let _ = file.write_all(b"500");
    }
    Ok(())
}
