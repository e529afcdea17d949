//! Files that only a member of the pool may touch: everything goes through an agent that runs as it.

use super::{
    exchange::{conclude, end, ends_within, Pipe, GRACE},
    layout::{requests, LayOut, LayOuts},
    members::Members,
    wire::listen,
    JobFiles, Put, Taker, Wanted, AFRESH, STEP,
};
use crate::beneath::{is_plain, Walk};
use std::{
    ffi::OsString,
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use ve_slurm::identity::Identity;
use ve_templates::PlacedFile;

/// Longest time for which an agent may do nothing: it says every few seconds that it is at work. A job of the same user can
/// stop it, and must not hold up a step of the worker for ever.
pub const SILENCE: Duration = Duration::from_secs(60);
/// Most bytes of the answer to a walk.
const MOST_WALK: u64 = 64 << 20;
/// Most bytes that a short command prints.
const MOST_OUTPUT: u64 = 64 << 20;
/// Most bytes of what a failed start of an agent says.
const MOST_COMPLAINT: u64 = 2 << 10;

/// How agents are started. Clones share what they know of members that fell silent.
#[derive(Clone, Debug)]
pub struct Agent {
    program: PathBuf,
    reach: Vec<OsString>,
    silence: Duration,
    members: Arc<Members>,
    lay_outs: Arc<LayOuts>,
}

impl Agent {
    /// `program`: the worker's own on the machine where members' directories can be reached; `reach`: the command that
    /// reaches that machine, as `ssh HOST`, empty if it is this one.
    pub fn new(program: PathBuf, reach: Vec<OsString>) -> Self {
        Self {
            program,
            reach,
            silence: SILENCE,
            members: Arc::default(),
            lay_outs: Arc::default(),
        }
    }

    /// The same with another limit than [`SILENCE`].
    pub fn with_silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

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

    /// Starts something as a member. `until`: when it is not waited for any more, even if it is at work.
    fn start(
        &self,
        member: &Identity,
        words: impl IntoIterator<Item = OsString>,
        until: Option<Instant>,
    ) -> io::Result<Asked> {
        self.members.ask(&member.user)?;
        let mut child = self
            .command(member, words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| {
                io::Error::other(format!("starting an agent as {}: {error}", member.user))
            })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let child = Ended {
            child: Some(child),
            silent: false,
            killed: false,
            agent: self.clone(),
            user: member.user.clone(),
        };
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("the agent has no pipes"));
        };
        Ok(Asked {
            stdin: Some(Pipe::new(stdin, self.silence, until)?),
            stdout: Pipe::new(stdout, self.silence, until)?,
            stderr: Pipe::new(stderr, self.silence, until)?,
            child,
        })
    }

    /// Runs a short command as a member, for as long as an agent may be silent at most, and returns what it prints.
    pub fn output(&self, member: &Identity, words: &[String]) -> io::Result<String> {
        let until = Instant::now() + self.silence;
        let mut asked = self.start(member, words.iter().map(OsString::from), Some(until))?;
        asked.stdin = None;
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        let read = (&mut asked.stdout)
            .take(MOST_OUTPUT)
            .read_to_end(&mut output)
            .and_then(|_| asked.complaint(&mut complaint))
            .and_then(|()| asked.child.status(until));
        let status = asked.judged(read)?;
        if !status.success() {
            let words = words.join(" ");
            let why = String::from_utf8_lossy(&complaint);
            return Err(io::Error::other(format!("{words}: {}", why.trim())));
        }
        String::from_utf8(output).map_err(io::Error::other)
    }

    /// Starts an agent. Whatever `until` is, it may take as long as it may be silent.
    fn ask(
        &self,
        member: &Identity,
        root: &Path,
        operation: &[&str],
        until: Option<Instant>,
    ) -> io::Result<Asked> {
        let until = until.map(|until| until.max(Instant::now() + self.silence));
        let program = [self.program.clone().into(), "agent".into(), root.into()];
        let words = program
            .into_iter()
            .chain(operation.iter().map(OsString::from));
        self.start(member, words, until)
    }

    /// Lays out directories of jobs in a member's directory: one answer for each.
    fn lay_out(
        &self,
        member: &Identity,
        home: &Path,
        wanted: &[LayOut],
        until: Option<Instant>,
    ) -> Vec<io::Result<()>> {
        let mut answers = Vec::with_capacity(wanted.len());
        for (count, request) in requests(wanted) {
            let asked = self.ask(member, home, &["lay-out"], until);
            let told = asked.and_then(|mut asked| asked.say(&request).map(|()| asked));
            let all = told.and_then(|mut asked| {
                for _ in 0..count {
                    answers.push(asked.one_of_many()?);
                }
                Ok(())
            });
            if let Err(error) = all {
                // Said of all that have no answer of their own.
                let same = || Err(io::Error::new(error.kind(), error.to_string()));
                answers.resize_with(wanted.len(), same);
                break;
            }
        }
        answers
    }

    /// Whether the directory of a member is empty.
    pub fn is_empty(&self, member: &Identity, home: &Path) -> io::Result<bool> {
        self.ask(member, home, &["is-empty"], None)?.json()
    }

    /// Ends what a member still runs on the machine, and removes all that is in its directory.
    pub fn clear(&self, member: &Identity, home: &Path) -> io::Result<()> {
        self.ask(member, home, &["clear"], None)?.done()
    }
}

/// A request under way. Fields are dropped in this order: an agent whose pipes are closed ends.
struct Asked {
    stdin: Option<Pipe<ChildStdin>>,
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    child: Ended,
}

/// A process that is waited for, though not for ever.
struct Ended {
    /// `None` only when dropped.
    child: Option<Child>,
    silent: bool,
    /// It was ended by a signal before it could answer.
    killed: bool,
    agent: Agent,
    user: String,
}

impl Ended {
    fn status(&mut self, until: Instant) -> io::Result<std::process::ExitStatus> {
        let left = until.saturating_duration_since(Instant::now());
        if let Some(child) = &mut self.child {
            if ends_within(child, left) {
                return child.wait();
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Looks whether it was ended by a signal. Shells, and SSH after them, say so by a status above 128.
    fn look_whether_killed(&mut self) -> bool {
        let by_signal = |status: std::process::ExitStatus| {
            status.signal().is_some() || status.code().is_some_and(|code| code > 128 && code < 255)
        };
        self.killed = self.status(Instant::now() + GRACE).is_ok_and(by_signal);
        self.killed
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let ended = match self.silent {
            true => end(&mut child),
            false => conclude(&mut child),
        };
        if !ended {
            self.agent.members.left(&self.user, child);
        }
    }
}

impl Asked {
    /// Draws the conclusions from how an exchange went.
    fn judged<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        let result = result.map_err(|error| match error.kind() {
            // It was cut off in its answer.
            io::ErrorKind::UnexpectedEof if self.child.look_whether_killed() => {
                io::ErrorKind::TimedOut.into()
            }
            _ => error,
        });
        let Ended { agent, user, .. } = &self.child;
        match result {
            // A time-out of the system, as the agent's file system may have one, has a number.
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() =>
            {
                let ended = self.child.killed;
                let error = agent.members.fell_silent(user, agent.silence, ended);
                self.child.silent = true;
                Err(error)
            }
            result => {
                agent.members.heard(user);
                result
            }
        }
    }

    fn complaint(&mut self, complaint: &mut Vec<u8>) -> io::Result<()> {
        (&mut self.stderr)
            .take(MOST_COMPLAINT)
            .read_to_end(complaint)
            .map(drop)
    }

    /// What to say when there is no answer: the words of whoever refused, `sudo` most of the time.
    fn unanswered(&mut self, error: io::Error) -> io::Error {
        self.stdin = None;
        let mut complaint = Vec::new();
        let read = match error.kind() {
            io::ErrorKind::TimedOut => Err(error),
            _ => self.complaint(&mut complaint).map(|()| error),
        };
        let read = read.and_then(|error| match self.child.look_whether_killed() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(error),
        });
        match self.judged(read) {
            Err(silence) => silence,
            Ok(error) => {
                let words = String::from_utf8_lossy(&complaint);
                let words = match words.trim() {
                    "" => error.to_string(),
                    words => words.to_owned(),
                };
                let user = &self.child.user;
                io::Error::other(format!(
                    "no agent as {user} ({words}); `virtengine-worker check` says what is missing"
                ))
            }
        }
    }

    /// Hears one answer.
    fn answer<T>(&mut self, read: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
        let heard = match listen(&mut self.stdout) {
            Ok(Ok(mut content)) => Ok(read(&mut content)),
            Ok(Err(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        };
        match heard {
            Ok(result) => self.judged(result),
            Err(error) => Err(self.unanswered(error)),
        }
    }

    /// Says all that there is to say of a request.
    fn say(&mut self, request: &[u8]) -> io::Result<()> {
        if let Some(mut stdin) = self.stdin.take() {
            if let Err(error) = stdin.write_all(request) {
                drop(stdin);
                return Err(self.unanswered(error));
            }
        }
        Ok(())
    }

    /// Hears one of several answers without content. `Err` outside: there is none, and none comes.
    fn one_of_many(&mut self) -> io::Result<io::Result<()>> {
        let heard = match listen(&mut self.stdout) {
            Ok(Ok(mut content)) => io::copy(&mut content, &mut io::sink()).map(|_| Ok(())),
            Ok(Err(error)) => Ok(Err(error)),
            Err(error) => Err(error),
        };
        match heard {
            Ok(result) => self.judged(Ok(result)),
            Err(error) => Err(self.unanswered(error)),
        }
    }

    fn done(mut self) -> io::Result<()> {
        self.stdin = None;
        self.answer(|_| Ok(()))
    }

    fn json<T: serde::de::DeserializeOwned>(mut self) -> io::Result<T> {
        self.stdin = None;
        self.answer(json)
    }
}

/// `TimedOut` stays what it is.
fn json<T: serde::de::DeserializeOwned>(content: &mut dyn Read) -> io::Result<T> {
    let content = io::BufReader::new(content.take(MOST_WALK));
    serde_json::from_reader(content).map_err(io::Error::from)
}

/// The files of one job of a member.
pub struct AsMember {
    agent: Agent,
    member: Identity,
    root: PathBuf,
    until: Option<Instant>,
}

impl AsMember {
    /// Files below `root`, which lies in the directory of `member`. `until`: when an agent is not waited for any more, even
    /// one that is at work: a job of the same user can let it do so little that it goes on for ever.
    pub fn new(agent: Agent, member: Identity, root: PathBuf, until: Option<Instant>) -> Self {
        Self {
            agent,
            member,
            root,
            until,
        }
    }

    fn ask(&self, operation: &[&str]) -> io::Result<Asked> {
        let (member, root) = (&self.member, &self.root);
        self.agent.ask(member, root, operation, self.until)
    }
}

impl JobFiles for AsMember {
    fn lay_out(&self, directories: &[&str], files: &[PlacedFile]) -> io::Result<()> {
        let (home, wanted) = LayOut::at(&self.root, directories, files)?;
        let waiting = self.agent.lay_outs.of(&self.member.user);
        let ask = |wanted: Vec<LayOut>| async move {
            // Only threads that may wait come here.
            self.agent.lay_out(&self.member, home, &wanted, self.until)
        };
        let answer = waiting.put(wanted, ask);
        let interrupted = || Err(io::ErrorKind::Interrupted.into());
        futures::executor::block_on(answer).unwrap_or_else(interrupted)
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        self.ask(&["length", path])?.json()
    }

    fn put(
        &self,
        path: &str,
        length: u64,
        mark: &str,
        afresh: bool,
    ) -> io::Result<(Box<dyn Put>, u64)> {
        let whence = if afresh { AFRESH } else { "resume" };
        let mut asked = self.ask(&["put", path, mark, whence, &length.to_string()])?;
        let at: u64 = asked.answer(json)?;
        if !at.is_multiple_of(STEP) || at > length.saturating_sub(1) || (afresh && at > 0) {
            return Err(io::Error::other(format!(
                "an agent as {} says that it has {at} of {length} bytes",
                self.member.user
            )));
        }
        Ok((Box::new(MemberPut { asked }), at))
    }

    fn read(&self, wanted: &[Wanted], take: &mut Taker<'_>) -> io::Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut asked = self.ask(&["read"])?;
        asked.say(&serde_json::to_vec(wanted).map_err(io::Error::other)?)?;
        let mut from = io::BufReader::new(&mut asked.stdout);
        for (n, part) in wanted.iter().enumerate() {
            let taken = match listen(&mut from) {
                // However long the answer is: it is read to its end, and no more of it is used than was wanted.
                Ok(Ok(mut content)) => take(n, Ok(&mut (&mut content).take(part.most)))
                    .and_then(|()| io::copy(&mut content, &mut io::sink()).map(drop)),
                Ok(Err(error)) => take(n, Err(error)),
                Err(error) => {
                    drop(from);
                    return Err(asked.unanswered(error));
                }
            };
            if let Err(error) = taken {
                drop(from);
                return asked.judged(Err(error));
            }
        }
        drop(from);
        asked.judged(Ok(()))
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
    fn stdin(&mut self) -> io::Result<&mut Pipe<ChildStdin>> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.asked.stdin.as_mut().ok_or_else(gone)
    }

    /// An agent that has gone away says why.
    fn explained<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                return self.asked.unanswered(error);
            }
            match listen(&mut self.asked.stdout) {
                Ok(Err(reason)) => reason,
                Err(silence) if silence.kind() == io::ErrorKind::TimedOut => {
                    self.asked.unanswered(silence)
                }
                _ => self.asked.unanswered(error),
            }
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
