//! The agent: does what the worker asks with the files of a member of the pool, as that member.
//!
//! `virtengine-worker agent ROOT OPERATION ...` is started once for each request, by `sudo -u MEMBER`. It never works as
//! root. A job of the same user may do to the files, and even to the agent, what it likes: nothing here has rights that
//! the job has not.

use super::{
    layout::{lay_out_all, LayOut},
    wire::{answer, working},
    Direct, JobFiles, Put, Wanted, AFRESH,
};
use crate::beneath::{is_plain, Walk};
use nix::sys::{signal, stat};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::Path,
    process::Command,
    sync::mpsc,
    time::Duration,
};

/// Most bytes of paths in the answer to one walk: more would only fill the worker's memory.
const MOST_PATHS: usize = 8 << 20;
/// Longest request.
const MOST_REQUEST: u64 = 64 << 20;
/// How often an agent says that it is still at work: much more often than silence is taken for one that was stopped.
const BEAT: Duration = Duration::from_secs(5);

/// Runs one request, its arguments without the program's name. Returns the exit status: 0 when it was answered, whatever
/// the answer says.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if nix::unistd::geteuid().is_root() {
        eprintln!("the agent never works as root; it is started as a member of the identity pool");
        return 2;
    }
    // Nobody of the same user looks into the memory of this process.
    let _ = nix::sys::prctl::set_dumpable(false);
    stat::umask(stat::Mode::from_bits_truncate(0o077));
    let mut out = io::BufWriter::new(io::stdout());
    match request(&arguments, &mut out) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("agent: {error}");
            1
        }
    }
}

/// `Err` only if the answer could not be given.
fn request(arguments: &[OsString], out: &mut dyn Write) -> io::Result<()> {
    let words: Option<Vec<&str>> = arguments.iter().map(|a| a.to_str()).collect();
    let words = words.unwrap_or_default();
    let (root, operation) = match words.as_slice() {
        [root, operation @ ..] if Path::new(root).is_absolute() => (Path::new(root), operation),
        _ => return answer(out, Err(refused("ROOT must be an absolute path")), nothing),
    };
    let plain = |paths: &[&str]| match paths.iter().all(|path| is_plain(path)) {
        true => Ok(()),
        false => Err(refused("the path leaves its directory")),
    };
    let files = Direct::new(root);
    match operation {
        ["lay-out"] => {
            let wanted = LayOut::read(&mut io::stdin().lock().take(MOST_REQUEST))?;
            let done = beating(|| lay_out_all(root, &wanted));
            done.into_iter()
                .try_for_each(|done| answer(out, done, nothing))
        }
        ["length", path] => {
            let length = plain(&[path]).and_then(|()| beating(|| files.length(path)));
            answer(out, length, json)
        }
        ["put", path, mark, whence, length] => {
            let begun = plain(&[path, mark]).and_then(|()| {
                let length = number(length)?;
                let afresh = *whence == AFRESH;
                let (put, at) = beating(|| files.put(path, length, mark, afresh))?;
                Ok((put, at, length))
            });
            match begun {
                Ok((put, at, length)) => {
                    answer(out, Ok(at), json)?;
                    answer(out, take(put, length.saturating_sub(at)), nothing)
                }
                Err(error) => answer(out, Err(error), nothing),
            }
        }
        ["read"] => read(&files, out),
        ["walk", path] => {
            let walk = plain(&[path]).and_then(|()| beating(|| files.walk(path)));
            answer(out, walk.map(short), json)
        }
        ["remove"] => answer(out, beating(|| remove(&[root])), nothing),
        ["is-empty"] => {
            let empty = std::fs::read_dir(root).map(|mut all| all.next().is_none());
            answer(out, empty, json)
        }
        ["clear"] => answer(out, beating(|| clear(root)), nothing),
        _ => answer(out, Err(refused("no such operation")), nothing),
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why.to_owned())
}

fn nothing((): (), _: &mut dyn Write) -> io::Result<()> {
    Ok(())
}

fn json<T: serde::Serialize>(value: T, to: &mut dyn Write) -> io::Result<()> {
    let bytes = serde_json::to_vec(&value).map_err(io::Error::other)?;
    to.write_all(&bytes)
}

/// Does what may take a while, and says meanwhile that it does.
fn beating<T>(work: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(BEAT) {
                if working(&mut io::stdout()).is_err() {
                    return;
                }
            }
        });
        let result = work();
        drop(done);
        result
    })
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

/// Takes exactly the announced bytes and one more, which says that they are good.
fn take(mut put: Box<dyn Put>, length: u64) -> io::Result<()> {
    let mut from = io::stdin().lock();
    io::copy(&mut (&mut from).take(length), &mut put)?;
    from.read_exact(&mut [0])?;
    beating(|| put.commit())
}

fn read(files: &Direct, out: &mut dyn Write) -> io::Result<()> {
    let request = io::stdin().lock().take(MOST_REQUEST);
    let wanted: Vec<Wanted> = serde_json::from_reader(request).map_err(io::Error::other)?;
    let copy = |content: &mut dyn Read, to: &mut dyn Write| io::copy(content, to).map(drop);
    let mut answered = false;
    let done = files.read(&wanted, &mut |_, content| {
        answered = true;
        answer(out, content, copy)
    });
    match done {
        // The directory itself cannot be opened: said of everything in it.
        Err(error) if !answered => wanted.iter().try_for_each(|_| {
            let same = match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => refused(&error.to_string()),
            };
            answer(out, Err(same), nothing)
        }),
        done => done,
    }
}

/// Leaves out what would make the answer too long.
fn short(mut walk: Walk) -> Walk {
    let mut left = MOST_PATHS;
    let mut room = |path: &str| match left.checked_sub(path.len()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let before = walk.files.len() + walk.skipped.len();
    walk.files.retain(|entry| room(&entry.path));
    walk.skipped.retain(|(path, _)| room(path));
    if walk.files.len() + walk.skipped.len() < before {
        walk.skipped.push((String::new(), "too many files".into()));
    }
    walk
}

/// Removes directories with all that is in them. A job may have locked and nested them as it liked: `chmod` and `rm` know
/// how to deal with that, and follow no link.
fn remove(paths: &[&Path]) -> io::Result<()> {
    let there = |path: &&&Path| path.symlink_metadata().is_ok();
    let paths: Vec<_> = paths.iter().filter(there).collect();
    if paths.is_empty() {
        return Ok(());
    }
    for command in [&["chmod", "-R", "u+rwX", "--"][..], &["rm", "-rf", "--"]] {
        let (program, options) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let done = Command::new(program)
            .args(options)
            .args(&paths)
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .output()?;
        // What `chmod` could not change `rm` may still remove; what counts is what is left.
        if *program == "rm" && !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            let first = why.lines().next().unwrap_or_default();
            return Err(io::Error::other(format!(
                "not everything could be removed: {first}"
            )));
        }
    }
    Ok(())
}

/// Makes a member as it was in the beginning: no process on this machine, nothing in its directory.
fn clear(home: &Path) -> io::Result<()> {
    // All processes of this user but this one; that there are none is fine.
    let _ = signal::kill(nix::unistd::Pid::from_raw(-1), signal::Signal::SIGKILL);
    let entries: io::Result<Vec<_>> = std::fs::read_dir(home)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let entries = entries?;
    for some in entries.chunks(100) {
        let paths: Vec<&Path> = some.iter().map(|path| path.as_path()).collect();
        remove(&paths)?;
    }
    std::fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}
