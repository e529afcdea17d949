//! Runs one command on the cluster: here or over SSH, as the worker's user or another, always bounded.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{killpg, Signal},
    unistd::Pid,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::Semaphore,
};

use super::parse::separator;
use crate::{scheduler::SubmitError, slurm::wrapper::quoted};

/// Most that a command may print. Ten thousand jobs are 5 MB.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;
/// Most of what a command complains about that is kept; of several, of all together.
const MAX_COMPLAINT: u64 = 64 * 1024;
/// Where `sudo` and OpenSSH are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Commands at once.
const AT_ONCE: usize = 8;
/// How long after the first one the last of several programs may begin.
const BEGUN_WITHIN: Duration = Duration::from_secs(5);
/// Status of what died of SIGKILL. `timeout` dies of the signal that it sends.
const KILLED: i32 = 128 + 9;
/// What a command's own limit is exceeded by before its process is given up.
const GRACE: Duration = Duration::from_secs(5);

/// A machine on which SLURM's commands work, reached with OpenSSH. Its host key must be known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// Name or address.
    pub host: String,
    /// Port, usually 22.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// File of the private key, without a passphrase.
    pub key: PathBuf,
    /// File in OpenSSH's `known_hosts` format with the host's key, and no other file is asked
    /// (`ssh-keyscan HOST > FILE`, then compare the fingerprint with the administrator's).
    pub known_hosts: PathBuf,
}

impl Ssh {
    /// The command that logs in, and never asks anybody; what is appended is run there, by a shell. `more`: further options,
    /// as `Name=value`.
    pub fn login(&self, more: &[String]) -> Vec<String> {
        let options = [
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            format!("UserKnownHostsFile={}", self.known_hosts.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            format!("IdentityFile={}", self.key.display()),
            "PasswordAuthentication=no".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ClearAllForwardings=yes".to_owned(),
            "ConnectTimeout=10".to_owned(),
            "ServerAliveInterval=5".to_owned(),
            "ServerAliveCountMax=3".to_owned(),
        ];
        let mut words = ["ssh", "-F", "/dev/null"].map(str::to_owned).to_vec();
        for option in options.iter().chain(more) {
            words.extend(["-o".to_owned(), option.clone()]);
        }
        words.extend(["-p".to_owned(), self.port.to_string()]);
        words.extend(["-l".to_owned(), self.user.clone()]);
        words.extend(["-T".to_owned(), "--".to_owned(), self.host.clone()]);
        words
    }
}

/// How commands reach the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Over SSH; `None`: on this machine.
    pub ssh: Option<Ssh>,
    /// Unix user who owns the jobs. Everything is asked as this user, who sees his own jobs whatever the cluster hides.
    pub user: String,
    /// Whether `sudo -n -u USER` is needed to be that user; what allows it is part of [`crate::identity`]'s set-up.
    pub sudo: bool,
    /// SLURM's configuration, where it is not in its usual place.
    pub slurm_conf: Option<PathBuf>,
    /// Where SLURM's commands are.
    pub path: String,
    /// Longest that one command may take.
    pub limit: Duration,
}

impl Access {
    /// Commands on this machine, as this process's user.
    pub fn here(user: impl Into<String>) -> Self {
        Self {
            ssh: None,
            user: user.into(),
            sudo: false,
            slurm_conf: None,
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            limit: Duration::from_secs(30),
        }
    }
}

/// What a command said before it ended by itself.
#[derive(Debug)]
pub(super) struct Said {
    pub ok: bool,
    pub out: String,
    pub complaint: String,
}

/// Why a command gave no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was not begun.
    NotRun(String),
    /// It was begun; what it did is not known.
    Lost(String),
}

impl From<Trouble> for SubmitError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotRun(why) => Self::Unavailable(why),
            Trouble::Lost(why) => Self::Unknown(why),
        }
    }
}

impl Trouble {
    pub fn text(self) -> String {
        match self {
            Self::NotRun(text) | Self::Lost(text) => text,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Runner {
    access: Access,
    /// Where the sockets of shared connections are.
    connections: PathBuf,
    turns: Arc<Semaphore>,
}

impl Runner {
    /// `connections`: a directory of the worker's own, needed if the cluster is reached over SSH.
    pub fn new(access: Access, connections: PathBuf) -> Self {
        Self {
            access,
            connections,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    pub fn user(&self) -> &str {
        &self.access.user
    }

    pub fn is_remote(&self) -> bool {
        self.access.ssh.is_some()
    }

    /// Runs a program of SLURM's with nothing in its environment but what is given.
    pub async fn run(
        &self,
        environment: &[(&str, &str)],
        words: &[String],
        input: &[u8],
    ) -> Result<Said, Trouble> {
        let program = words.first().map_or("", String::as_str);
        let argv = self.argv(environment, Stop::Kill, words);
        let ended = self.converse(program, argv, input).await?;
        match ended.code {
            None | Some(KILLED) => Err(self.silent(program)),
            Some(code) => Ok(Said {
                ok: code == 0,
                out: ended.out,
                complaint: ended.complaint,
            }),
        }
    }

    /// Runs programs in one session on the cluster, each with its words and its input, one after the other until one
    /// fails: for a short program most of the time is spent on becoming another user. All of them together have the time
    /// that one may take, and none is begun later than [`BEGUN_WITHIN`] after the first.
    ///
    /// One answer for each that was begun, in order, and at least one; the others were not begun. An error is all of theirs.
    pub async fn run_each(
        &self,
        programs: &[(Vec<String>, &str)],
    ) -> Result<Vec<Result<Said, Trouble>>, Trouble> {
        let program = programs.first().and_then(|(words, _)| words.first());
        let program = program.map_or("", String::as_str);
        let mark = separator();
        let words = ["bash", "-c", "eval \"$(cat)\""].map(str::to_owned);
        let argv = self.argv(&[], Stop::Ask, &words);
        let text = session(programs, &mark);
        let ended = self.converse(program, argv, text.as_bytes()).await?;
        let mut answers = answers(&ended, &mark);
        let more = answers.len() < programs.len();
        if more && (ended.code != Some(0) || answers.is_empty()) {
            answers.push(Err(self.silent(program)));
        }
        Ok(answers)
    }

    fn silent(&self, program: &str) -> Trouble {
        let limit = self.access.limit.as_secs();
        Trouble::Lost(format!("{program} did not end within {limit} s"))
    }

    /// Starts a process, talks with it and waits for its end. An error also if it could not become what it was to be, or
    /// its connection broke.
    async fn converse(
        &self,
        program: &str,
        argv: Vec<String>,
        input: &[u8],
    ) -> Result<Ended, Trouble> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(Trouble::NotRun("the worker stops".to_owned()));
        };
        let limit = self.access.limit;
        let mut child = command(&argv)
            .spawn()
            .map_err(|error| Trouble::NotRun(format!("{program} could not be run: {error}")))?;
        // Dropped before the child: until then nobody else can have its number.
        let begun = self.begun(&child);
        let talk = async {
            let (stdin, stdout, stderr) =
                (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let write = async {
                if let Some(mut stdin) = stdin {
                    // Whoever does not read it says why.
                    let _ = stdin.write_all(input).await;
                }
            };
            let (mut out, mut complaint) = (Vec::new(), Vec::new());
            let read_out = async {
                match stdout {
                    Some(stdout) => stdout.take(MAX_OUTPUT + 1).read_to_end(&mut out).await,
                    None => Ok(0),
                }
            };
            let read_complaint = async {
                let Some(mut stderr) = stderr else { return };
                let _ = (&mut stderr)
                    .take(MAX_COMPLAINT)
                    .read_to_end(&mut complaint)
                    .await;
                let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
            };
            let ((), read, ()) = tokio::join!(write, read_out, read_complaint);
            let status = match read {
                Ok(count) if count as u64 > MAX_OUTPUT => None,
                Ok(_) => child.wait().await.ok(),
                Err(_) => None,
            };
            (status, out, complaint)
        };
        let (status, out, complaint) = tokio::time::timeout(limit.saturating_add(GRACE), talk)
            .await
            .map_err(|_| self.silent(program))?;
        let status = status
            .ok_or_else(|| Trouble::Lost(format!("{program} said more than anybody can read")))?;
        begun.ended();
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        match status.code() {
            Some(255) if self.is_remote() => Err(not_connected(complaint)),
            Some(126 | 127) => Err(Trouble::NotRun(complaint)),
            Some(1) if only_sudo(&complaint) => Err(Trouble::NotRun(complaint)),
            code => Ok(Ended {
                code,
                // Names and comments that are no UTF-8 are not ours.
                out: String::from_utf8_lossy(&out).into_owned(),
                complaint,
            }),
        }
    }

    fn begun(&self, child: &Child) -> Begun {
        let access = &self.access;
        // Over SSH they are not here: there `timeout` ends them, and the connection is shared.
        let here = child.id().filter(|_| access.ssh.is_none());
        Begun {
            group: here.and_then(|id| i32::try_from(id).ok()),
            other: access.sudo.then(|| access.user.clone()),
        }
    }

    /// `[ssh … HOST] [sudo -n -u USER --] env -i NAME=VALUE… timeout SECONDS PROGRAM ARGUMENT…`, all of it in one process group.
    fn argv(&self, environment: &[(&str, &str)], stop: Stop, words: &[String]) -> Vec<String> {
        let access = &self.access;
        let mut argv: Vec<String> = Vec::new();
        if access.sudo {
            argv.extend(["sudo", "-n", "-u", access.user.as_str(), "--"].map(str::to_owned));
        }
        argv.extend(["/usr/bin/env".to_owned(), "-i".to_owned()]);
        argv.push(format!("PATH={}", access.path));
        argv.push("LC_ALL=C".to_owned());
        if let Some(conf) = &access.slurm_conf {
            argv.push(format!("SLURM_CONF={}", conf.display()));
        }
        argv.extend(environment.iter().map(|(k, v)| format!("{k}={v}")));
        argv.extend(["timeout", "--foreground"].map(str::to_owned));
        argv.extend(stop.options().map(str::to_owned));
        argv.push(access.limit.as_secs().max(1).to_string());
        argv.extend(words.iter().cloned());
        let Some(ssh) = &access.ssh else {
            return argv;
        };
        let remote: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
        let mut argv = ssh.login(&[
            "ControlMaster=auto".to_owned(),
            format!("ControlPath={}/%C", self.connections.display()),
            "ControlPersist=60".to_owned(),
        ]);
        argv.push(remote.join(" "));
        argv
    }
}

/// What becomes of a program whose time is up.
#[derive(Clone, Copy)]
enum Stop {
    /// It is killed.
    Kill,
    /// It is asked to end, and killed if it does not.
    Ask,
}

impl Stop {
    /// As options of `timeout`.
    fn options(self) -> [&'static str; 2] {
        match self {
            Self::Kill => ["-s", "KILL"],
            Self::Ask => ["-k", "2"],
        }
    }
}

/// A process that ended by itself.
struct Ended {
    /// `None`: a signal ended it.
    code: Option<i32>,
    out: String,
    complaint: String,
}

fn command(argv: &[String]) -> Command {
    let mut command = Command::new(found(argv.first().map_or("", String::as_str)));
    command
        .args(argv.iter().skip(1))
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// A program on [`PATH`]. To look for it itself, the standard library would fork, and copy what this process has in memory.
fn found(program: &str) -> PathBuf {
    let mut all = PATH.split(':').map(|dir| Path::new(dir).join(program));
    all.find(|path| path.exists())
        .unwrap_or_else(|| program.into())
}

/// A program for `bash` that runs others one after the other. After each it marks both outputs, the standard one with the
/// status as well. When its time is up it takes the one with it that runs.
fn session(programs: &[(Vec<String>, &str)], mark: &str) -> String {
    let (word, seconds) = (quoted(mark), BEGUN_WITHIN.as_secs());
    let mut text = format!(
        "trap 'kill -s KILL $!; exit 1' TERM\n\
         ended() {{\n\
         \x20 wait $!; local status=$?\n\
         \x20 echo {word} >&2; echo {word} $status\n\
         \x20 [ $status = 0 ] && [ $SECONDS -lt {seconds} ] || exit 0\n\
         }}\n"
    );
    for (words, input) in programs {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let _ = write!(text, "{} <<{word} &\n{input}", words.join(" "));
        if !input.ends_with('\n') {
            text.push('\n');
        }
        let _ = writeln!(text, "{mark}\nended");
    }
    text
}

/// What was said by those that a [`session`] saw end.
fn answers(ended: &Ended, mark: &str) -> Vec<Result<Said, Trouble>> {
    let mut complaints = ended.complaint.split(mark);
    let mut rest = ended.out.as_str();
    let mut answers = Vec::new();
    while let Some((out, after)) = rest.split_once(mark) {
        let (status, after) = after.split_once('\n').unwrap_or((after, ""));
        rest = after;
        let complaint = complaints.next().unwrap_or_default().trim().to_owned();
        answers.push(match status.trim().parse() {
            Ok(126 | 127) => Err(Trouble::NotRun(complaint)),
            Ok(KILLED) | Err(_) => Err(Trouble::Lost("it was killed".to_owned())),
            Ok(code) => Ok(Said {
                ok: code == 0,
                out: out.to_owned(),
                complaint,
            }),
        });
    }
    answers
}

/// The processes of a command on this machine: they end with whoever waits for it, not only when their time is up.
struct Begun {
    /// Their process group; `None` when there is nothing left to end.
    group: Option<i32>,
    /// The user whose they are, if another.
    other: Option<String>,
}

impl Begun {
    fn ended(mut self) {
        self.group = None;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(group) = self.group else { return };
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        // sudo and what it runs are not this user's to kill, unless this is root.
        let Some(user) = self
            .other
            .as_deref()
            .filter(|_| !nix::unistd::geteuid().is_root())
        else {
            return;
        };
        let killer = std::process::Command::new(found("sudo"))
            .args(["-n", "-u", user, "--", "kill", "-KILL", "--"])
            .arg(format!("-{group}"))
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        // Perhaps there is no runtime any more that could wait for it.
        if let Ok(mut killer) = killer {
            std::thread::spawn(move || killer.wait());
        }
    }
}

/// Whether nobody but sudo complained: then nothing was run.
fn only_sudo(complaint: &str) -> bool {
    !complaint.is_empty() && complaint.lines().all(|line| line.starts_with("sudo: "))
}

/// What OpenSSH says before it has run anything. Everything else may come after.
fn not_connected(complaint: String) -> Trouble {
    let before = [
        "Could not resolve hostname",
        "connect to host",
        "Host key verification failed",
        "Permission denied (",
        "kex_exchange_identification",
        "no such identity",
    ];
    if before.iter().any(|text| complaint.contains(text)) {
        Trouble::NotRun(format!("the cluster is not reached over SSH: {complaint}"))
    } else {
        Trouble::Lost(format!(
            "the connection to the cluster was lost: {complaint}"
        ))
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
