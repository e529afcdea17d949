//! The process that stands between the local scheduler and one job.
//!
//! It outlives the client that started it, holds the job's lock as long as it lives, and writes down what happens. An
//! executable gives it a subcommand and hands the rest of the command line to [`main`]. It then runs as three kinds of
//! process, told apart by what follows the job's directory:
//!
//! * `start N`: leaves the client's session, starts the second, waits until attempt N is on record, ends;
//! * `supervise N`: runs attempt N to its end;
//! * `task N M P`: becomes the script of task M, with its limits, as a child of process P.
//!
//! Limits, and what they are worth (own scripts on a development machine; this is no sandbox):
//!
//! | limit | how |
//! |---|---|
//! | time | `CLOCK_BOOTTIME`; `SIGTERM` to all processes of the task, after a grace `SIGKILL` |
//! | memory | sum of the resident memory of the task's processes, looked at every 50 ms, shared pages counted by each; a fast allocation can be over the limit for that long |
//! | file size | `RLIMIT_FSIZE`, per file: the writer gets `SIGXFSZ` |
//! | processes | counted every 50 ms, the task is killed when there are more |
//! | core files | none |
//!
//! Everything a task starts dies with its script: the shim adopts orphans and knows them by session, parent and
//! environment. Should the shim itself be killed, the kernel kills the scripts, and the next client the rest.

mod supervise;
mod task;

use std::{
    ffi::OsString,
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::{
    sys::stat::{umask, Mode},
    unistd::setsid,
};

use crate::local::{dir::JobDir, steps::unobserved, Observer};

/// What the second process says to the first when the attempt is on record, or need not be started.
const READY: &str = "ve-shim-ready";

/// The image that is running, even if the file was replaced since.
const SELF: &str = "/proc/self/exe";

/// Runs one process of the shim to its end and returns its exit status. `args` is the tail of the command line, from
/// the job's directory on. A task does not return: it becomes the script.
///
/// Must be called before the process starts threads of its own that matter: it changes session, mask and limits.
pub fn main(args: impl IntoIterator<Item = OsString>) -> i32 {
    main_observed(args, unobserved())
}

/// The same, with an observer of the steps of the supervising process.
pub fn main_observed(args: impl IntoIterator<Item = OsString>, observer: Observer) -> i32 {
    let args: Vec<OsString> = args.into_iter().collect();
    match dispatch(&args, observer) {
        Ok(()) => 0,
        Err(error) => {
            // Lands in the job's `shim.log`, or in a task's standard error.
            eprintln!("shim: {error}");
            match error.kind() {
                io::ErrorKind::InvalidInput => 64,
                io::ErrorKind::NotFound => 127,
                _ => 126,
            }
        }
    }
}

fn usage() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "this command is used by the local scheduler only: <job directory> start|supervise|task …",
    )
}

fn dispatch(args: &[OsString], observer: Observer) -> io::Result<()> {
    let [directory, verb, numbers @ ..] = args else {
        return Err(usage());
    };
    let numbers: Vec<u32> = numbers
        .iter()
        .map(|n| n.to_str().and_then(|n| n.parse().ok()))
        .collect::<Option<_>>()
        .ok_or_else(usage)?;
    let path = PathBuf::from(directory);
    if !path.is_absolute() {
        return Err(usage());
    }
    let dir = JobDir::new(path, observer);
    // What precedes the arguments given to us is what makes this executable a shim.
    let prefix: Vec<OsString> = {
        let all: Vec<OsString> = std::env::args_os().collect();
        let keep = all.len().saturating_sub(args.len());
        all.into_iter().take(keep).skip(1).collect()
    };
    match (verb.to_str(), numbers.as_slice()) {
        (Some("start"), [attempt]) => start(&dir, &prefix, *attempt),
        (Some("supervise"), [attempt]) => supervise::run(dir, prefix, *attempt),
        (Some("task"), [attempt, task, parent]) => {
            Err(task::become_script(&dir, *attempt, *task, *parent))
        }
        _ => Err(usage()),
    }
}

/// Starts the supervising process outside the client's session, and ends when it is ready.
fn start(dir: &JobDir, prefix: &[OsString], attempt: u32) -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    // Fails only for the leader of a process group, which has a session to itself already.
    let _ = setsid();
    let mut child = Command::new(SELF)
        .arg0("ve-shim")
        .args(prefix)
        .arg(&dir.path)
        .arg("supervise")
        .arg(attempt.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let pipe = child
        .stdout
        .take()
        .ok_or_else(|| io::Error::other("no pipe to the supervising process"))?;
    for line in BufReader::new(pipe).lines() {
        if line?.contains(READY) {
            return Ok(());
        }
    }
    Err(io::Error::other(
        "the supervising process ended before the start was on record",
    ))
}

/// Tells the first process to end.
fn say_ready() {
    let mut out = io::stdout().lock();
    // Nobody listens if the first process was killed; that changes nothing.
    let _ = writeln!(out, "{READY}").and_then(|()| out.flush());
}
