//! Files that only a member of the pool may touch: everything goes through an agent that runs as it.

use super::{wire::listen, JobFiles, Put, Taker, Wanted, PROGRAM};
use crate::beneath::{is_plain, Walk};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use ve_slurm::identity::Identity;

/// Most bytes of the answer to a walk.
const MOST_WALK: u64 = 64 << 20;
/// Most bytes of what a failed start of an agent says.
const MOST_COMPLAINT: u64 = 2 << 10;

/// How agents are started.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The worker's program on the machine where members' directories can be reached.
    pub program: PathBuf,
    /// The command that reaches that machine, as `ssh HOST`; empty if it is this one.
    pub reach: Vec<OsString>,
}

impl Agent {
    /// A command that runs `words` as a member.
    fn command(&self, member: &Identity, words: impl IntoIterator<Item = OsString>) -> Command {
        let become_member = ["sudo", "-n", "-u", &member.user, "--"].map(OsString::from);
        let words: Vec<OsString> = become_member.into_iter().chain(words).collect();
        if let Some((program, options)) = self.reach.split_first() {
            // The other side hands one line to a shell.
            let quote = |word: &OsString| ve_templates::quote(&word.to_string_lossy());
            let line: Vec<_> = words.iter().map(quote).collect();
            let mut command = Command::new(program);
            command.args(options).arg(line.join(" "));
            return command;
        }
        let mut command = Command::new("sudo");
        command.args(words.iter().skip(1)).current_dir("/");
        command
    }

    /// Runs a short command as a member, and returns what it prints.
    pub fn output(&self, member: &Identity, words: &[String]) -> io::Result<String> {
        let output = self
            .command(member, words.iter().map(OsString::from))
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let words = words.join(" ");
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("{words}: {}", why.trim())));
        }
        String::from_utf8(output.stdout).map_err(io::Error::other)
    }

    /// Starts an agent.
    fn ask(&self, member: &Identity, root: &Path, operation: &[&str]) -> io::Result<Asked> {
        let program = [self.program.clone().into(), "agent".into(), root.into()];
        let words = program
            .into_iter()
            .chain(operation.iter().map(OsString::from));
        let mut child = self
            .command(member, words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::other(format!("starting an agent as {}: {error}", member.user))
            })?;
        let piped = || io::Error::other("the agent has no pipes");
        Ok(Asked {
            stdin: Some(child.stdin.take().ok_or_else(piped)?),
            stdout: child.stdout.take().ok_or_else(piped)?,
            child: Ended(child),
            user: member.user.clone(),
        })
    }

    /// Whether the directory of a member is empty.
    pub fn is_empty(&self, member: &Identity, home: &Path) -> io::Result<bool> {
        self.ask(member, home, &["is-empty"])?.json()
    }

    /// Ends what a member still runs on the machine, and removes all that is in its directory.
    pub fn clear(&self, member: &Identity, home: &Path) -> io::Result<()> {
        self.ask(member, home, &["clear"])?.done()
    }
}

/// A request under way. Fields are dropped in this order: an agent whose pipes are closed ends.
struct Asked {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    child: Ended,
    user: String,
}

/// A process that is waited for.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.stderr.take());
        let _ = self.0.wait();
    }
}

impl Asked {
    /// What to say when there is no answer: the words of whoever refused, `sudo` most of the time.
    fn unanswered(&mut self, error: io::Error) -> io::Error {
        self.stdin = None;
        let mut complaint = Vec::new();
        if let Some(stderr) = self.child.0.stderr.take() {
            let _ = stderr.take(MOST_COMPLAINT).read_to_end(&mut complaint);
        }
        let words = String::from_utf8_lossy(&complaint);
        let words = match words.trim() {
            "" => error.to_string(),
            words => words.to_owned(),
        };
        let user = &self.user;
        io::Error::other(format!(
            "no agent as {user} ({words}); `virtengine-worker check` says what is missing"
        ))
    }

    fn with<T>(mut self, read: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
        self.stdin = None;
        let heard = match listen(&mut self.stdout) {
            Ok(Ok(mut content)) => Ok(read(&mut content)),
            Ok(Err(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        };
        match heard {
            Ok(result) => result,
            Err(error) => Err(self.unanswered(error)),
        }
    }

    fn done(self) -> io::Result<()> {
        self.with(|_| Ok(()))
    }

    fn json<T: serde::de::DeserializeOwned>(self) -> io::Result<T> {
        self.with(|content| {
            serde_json::from_reader(content.take(MOST_WALK)).map_err(io::Error::other)
        })
    }
}

/// The files of one job of a member.
pub struct AsMember {
    agent: Agent,
    member: Identity,
    root: PathBuf,
}

impl AsMember {
    /// Files below `root`, which lies in the directory of `member`.
    pub fn new(agent: Agent, member: Identity, root: PathBuf) -> Self {
        Self {
            agent,
            member,
            root,
        }
    }

    fn ask(&self, operation: &[&str]) -> io::Result<Asked> {
        self.agent.ask(&self.member, &self.root, operation)
    }
}

impl JobFiles for AsMember {
    fn prepare(&self, directories: &[&str]) -> io::Result<()> {
        self.ask(&[&["prepare"], directories].concat())?.done()
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        self.ask(&["length", path])?.json()
    }

    fn put(&self, path: &str, length: u64, executable: bool) -> io::Result<Box<dyn Put>> {
        let kind = if executable { PROGRAM } else { "data" };
        let asked = self.ask(&["put", path, kind, &length.to_string()])?;
        Ok(Box::new(MemberPut { asked }))
    }

    fn read(&self, wanted: &[Wanted], take: &mut Taker<'_>) -> io::Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut asked = self.ask(&["read"])?;
        let request = serde_json::to_vec(wanted).map_err(io::Error::other)?;
        if let Some(mut stdin) = asked.stdin.take() {
            if let Err(error) = stdin.write_all(&request) {
                drop(stdin);
                return Err(asked.unanswered(error));
            }
        }
        let mut from = io::BufReader::new(&mut asked.stdout);
        for (n, part) in wanted.iter().enumerate() {
            match listen(&mut from) {
                Ok(Ok(mut content)) => {
                    // However long the answer is: it is read to its end, and no more of it is used than was wanted.
                    take(n, Ok(&mut (&mut content).take(part.most)))?;
                    io::copy(&mut content, &mut io::sink())?;
                }
                Ok(Err(error)) => take(n, Err(error))?,
                Err(error) => {
                    drop(from);
                    return Err(asked.unanswered(error));
                }
            }
        }
        Ok(())
    }

    fn walk(&self, path: &str) -> io::Result<Walk> {
        let mut walk: Walk = self.ask(&["walk", path])?.json()?;
        // The archive gets these names.
        walk.files.retain(|entry| is_plain(&entry.path));
        walk.files.sort();
        walk.files.dedup_by(|a, b| a.path == b.path);
        Ok(walk)
    }

    fn remove(&self) -> io::Result<()> {
        self.ask(&["remove"])?.done()
    }
}

struct MemberPut {
    asked: Asked,
}

impl MemberPut {
    fn stdin(&mut self) -> io::Result<&mut ChildStdin> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.asked.stdin.as_mut().ok_or_else(gone)
    }

    /// An agent that has gone away says why.
    fn explained<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| match listen(&mut self.asked.stdout) {
            Ok(Err(reason)) => reason,
            _ => self.asked.unanswered(error),
        })
    }
}

impl Write for MemberPut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stdin().and_then(|stdin| stdin.write(bytes));
        self.explained(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Put for MemberPut {
    fn commit(mut self: Box<Self>) -> io::Result<()> {
        let written = self.stdin().and_then(|stdin| stdin.write_all(b"!"));
        self.explained(written)?;
        self.asked.done()
    }
}
