//! The agent with real unix users: by `sudo`, from a worker that is not root, and over SSH. Making users needs root.

#[path = "../../../../tests/support/sshd.rs"]
mod sshd;

use crate::large::Noise;
use sshd::Sshd;
use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use ve_provider::{
    files::{Agent, AsMember, JobFiles, Wanted, STEP},
    PoolSettings,
};
use ve_slurm::{
    identity::{Identity, PerMember, Pool},
    Scheduler,
};
use ve_templates::PlacedFile;

/// Where a worker that is not root finds all it needs.
const DIRECTORY: &str = "VE_TEST_AGENT";
/// What the worker's program is called here.
const PROGRAM: &str = "ve-agent-test";
const SILENCE: Duration = Duration::from_secs(2);

/// A worker's user, and the member of a pool of one, that it may act as. Removed when dropped.
pub struct Users {
    directory: tempfile::TempDir,
    prefix: String,
    worker: String,
    member: String,
}

pub fn run(program: &str, words: &[&str]) -> Output {
    Command::new(program).args(words).output().unwrap()
}

pub fn must(program: &str, words: &[&str]) {
    let output = run(program, words);
    assert!(output.status.success(), "{program} {words:?}: {output:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether users can be made; says it if not.
pub fn is_root() -> bool {
    let root = run("id", &["-u"]).stdout == b"0\n";
    if !root {
        eprintln!("not run: making users needs root");
    }
    root
}

/// A directory that all users may pass through, with the worker's program in it.
pub fn shared_directory(program: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_virtengine-worker"));
    copy(built, &directory.path().join(program));
    directory
}

impl Users {
    /// `letter` tells those of tests apart that run at the same time.
    pub fn make(letter: char) -> Option<Self> {
        if !is_root() {
            return None;
        }
        let directory = shared_directory(PROGRAM);
        let at = directory.path();
        copy(&std::env::current_exe().unwrap(), &at.join("tests"));
        let prefix = format!("ve{letter}{}-", std::process::id());
        let users = Self {
            worker: format!("{prefix}worker"),
            member: format!("{prefix}000"),
            prefix,
            directory,
        };
        for user in [&users.worker, &users.member] {
            must(
                "useradd",
                &["--system", "--no-create-home", "--shell", "/bin/sh", user],
            );
        }
        let home = users.home();
        let homes = home.parent().unwrap();
        must("install", &["-d", "-m", "711", homes.to_str().unwrap()]);
        let theirs = [
            "-d",
            "-m",
            "700",
            "-o",
            &users.member,
            home.to_str().unwrap(),
        ];
        must("install", &theirs);
        // As `virtengine-worker pool` writes it.
        let rule = format!(
            "Defaults:{0} !use_pty, !requiretty\n{0} ALL=({1}) NOPASSWD: SETENV: ALL\n",
            users.worker, users.member
        );
        fs::write(users.rule(), rule).unwrap();
        fs::set_permissions(users.rule(), fs::Permissions::from_mode(0o440)).unwrap();
        Some(users)
    }

    fn rule(&self) -> PathBuf {
        Path::new("/etc/sudoers.d").join(&self.worker)
    }

    fn home(&self) -> PathBuf {
        home(self.directory.path(), &self.member)
    }

    /// The pool, with jobs that `scheduler` runs. Its agents stop themselves while the second path is there.
    pub fn pool(&self, scheduler: Arc<dyn Scheduler>) -> (PoolSettings, PathBuf) {
        let at = self.directory.path();
        let (program, stop) = (at.join("stopping"), at.join("stop"));
        let script = format!(
            "#!/bin/sh\nif [ -e {} ]; then kill -STOP $$; fi\nexec {} \"$@\"\n",
            stop.display(),
            at.join(PROGRAM).display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let pool = Pool::new(&self.prefix, 1, &at.join("homes"), "ve", None, 10).unwrap();
        let settings = PoolSettings {
            pool,
            agent: Agent::new(program, Vec::new()).with_silence(SILENCE),
            clients: Arc::new(PerMember::new(Box::new(move |_| Ok(scheduler.clone())))),
        };
        (settings, stop)
    }

    /// Runs one of the ignored tests below as the worker's user.
    fn as_worker(&self, test: &str) {
        let directory = self.directory.path().display();
        let output = Command::new("sudo")
            .args(["-n", "-u", &self.worker, "env"])
            .arg(format!("{DIRECTORY}={directory}"))
            .arg(format!("MEMBER={}", self.member))
            .arg(self.directory.path().join("tests"))
            .args(["--exact", test, "--ignored", "--nocapture"])
            .current_dir("/")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{complaint}"
        );
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.rule());
        for user in [&self.worker, &self.member] {
            run("pkill", &["-KILL", "-u", user]);
            // A `sudo` that was stopped with its command, on the other side of SSH, sees now that it has ended.
            run(
                "pkill",
                &["-CONT", "-f", &self.directory.path().to_string_lossy()],
            );
            // Until those are gone.
            let until = Instant::now() + Duration::from_secs(10);
            while !run("userdel", &[user]).status.success() && Instant::now() < until {
                std::thread::yield_now();
            }
        }
    }
}

fn home(directory: &Path, member: &str) -> PathBuf {
    directory.join("homes").join(member)
}

/// A member, and the way to its files.
struct Bed {
    member: Identity,
    home: PathBuf,
    agent: Agent,
}

impl Bed {
    fn new(directory: &Path, member: &str, reach: Vec<OsString>) -> Self {
        Self {
            member: Identity {
                user: member.to_owned(),
                account: member.to_owned(),
                qos: None,
            },
            home: home(directory, member),
            agent: Agent::new(directory.join(PROGRAM), reach),
        }
    }

    /// That of the worker's user.
    fn of_worker() -> Self {
        let variable = |name: &str| std::env::var(name).expect("run by another test only");
        Self::new(
            Path::new(&variable(DIRECTORY)),
            &variable("MEMBER"),
            Vec::new(),
        )
    }

    /// The same, for agents of whom silence is expected.
    fn impatient(&self) -> Self {
        Self {
            member: self.member.clone(),
            home: self.home.clone(),
            agent: self.agent.clone().with_silence(SILENCE),
        }
    }

    fn files(&self) -> AsMember {
        self.files_until(None)
    }

    fn files_until(&self, until: Option<Instant>) -> AsMember {
        AsMember::new(
            self.agent.clone(),
            self.member.clone(),
            self.home.join("job"),
            until,
        )
    }

    /// A job that does something all the time.
    fn hunter(&self, what: &str) -> Child {
        self.as_member(&["sh", "-c", &format!("while :; do {what}; done")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Ends it.
    fn end(&self, mut hunter: Child) {
        let kill = ["pkill", "-KILL", "-u", &self.member.user, "sh"];
        assert!(self.as_member(&kill).status().unwrap().success());
        hunter.wait().unwrap();
    }

    /// What a job can do: it runs as the member.
    fn as_member(&self, words: &[&str]) -> Command {
        let mut command = Command::new("sudo");
        command
            .args(["-n", "-u", &self.member.user, "--"])
            .args(words);
        command
    }

    /// Agents that are there, and the states that they are in.
    fn agents(&self) -> String {
        let all = run("ps", &["-o", "user:32=,stat=", "-C", PROGRAM]);
        String::from_utf8(all.stdout)
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(user, _)| *user == self.member.user)
            .map(|(_, state)| state.trim().to_owned() + " ")
            .collect()
    }

    /// Everything that is asked of an agent, once.
    fn exercise(&self) {
        let files = self.files();
        assert!(self.agent.is_empty(&self.member, &self.home).unwrap());
        let script = PlacedFile {
            path: "work/script".into(),
            bytes: b"hello".to_vec(),
            executable: true,
        };
        files.lay_out(&["work/in", "logs"], &[script]).unwrap();
        assert!(!self.agent.is_empty(&self.member, &self.home).unwrap());
        assert_eq!(files.length("work/script").unwrap(), Some(5));
        assert_eq!(files.length("work/nothing").unwrap(), None);

        // A long file, cut off in the middle; then it is gone on with.
        let length = 3 * STEP + 11;
        let (mut put, from) = files.put("work/in/a", length, "a", false).unwrap();
        assert_eq!(from, 0);
        io::copy(&mut Noise::default().take(2 * STEP + 99), &mut put).unwrap();
        drop(put);
        assert_eq!(files.length("work/in/a").unwrap(), None);
        self.finish(&files, length, 2 * STEP);

        let walk = files.walk("work").unwrap();
        let found: Vec<_> = walk
            .files
            .iter()
            .map(|f| (f.path.as_str(), f.length))
            .collect();
        assert_eq!(found, [("in/a", length), ("script", 5)]);
        let told = self
            .agent
            .output(&self.member, &["id".into(), "-un".into()]);
        assert_eq!(told.unwrap().trim(), self.member.user);
        files.remove().unwrap();
        assert!(self.agent.is_empty(&self.member, &self.home).unwrap());
        self.agent.clear(&self.member, &self.home).unwrap();
        assert_eq!(self.agents(), "");
    }

    /// Writes the rest of a long file of noise, and reads it again.
    fn finish(&self, files: &AsMember, length: u64, expected: u64) {
        let (mut put, from) = files.put("work/in/a", length, "a", false).unwrap();
        assert_eq!(from, expected);
        let mut noise = Noise::default();
        io::copy(&mut (&mut noise).take(from), &mut io::sink()).unwrap();
        io::copy(&mut noise.take(length - from), &mut put).unwrap();
        put.commit().unwrap();
        let wanted = [Wanted {
            path: "work/in/a".into(),
            offset: 0,
            most: u64::MAX,
        }];
        let (mut read, mut whole) = (Vec::new(), Vec::new());
        let take =
            &mut |_, content: io::Result<&mut dyn Read>| content?.read_to_end(&mut read).map(drop);
        files.read(&wanted, take).unwrap();
        Noise::default()
            .take(length)
            .read_to_end(&mut whole)
            .unwrap();
        assert!(read == whole);
    }
}

fn soon(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn agent_should_do_all_that_is_asked_and_no_more_than_wait_when_jobs_stop_it() {
    if let Some(users) = Users::make('a') {
        users.as_worker("agent::worker_exercises_an_agent");
        users.as_worker("agent::worker_meets_an_agent_that_is_stopped");
        users.as_worker("agent::worker_meets_a_job_that_stops_every_agent");
        users.as_worker("agent::worker_meets_a_job_that_lets_agents_do_very_little");
    }
}

#[test]
#[ignore = "run by agent_should_do_all_that_is_asked_and_no_more_than_wait_when_jobs_stop_it as the worker's user"]
fn worker_exercises_an_agent() {
    Bed::of_worker().exercise();
}

#[test]
#[ignore = "run by agent_should_do_all_that_is_asked_and_no_more_than_wait_when_jobs_stop_it as the worker's user"]
fn worker_meets_an_agent_that_is_stopped() {
    let patient = Bed::of_worker();
    let bed = patient.impatient();
    let files = bed.files();
    patient.files().lay_out(&["work/in"], &[]).unwrap();
    let length = 3 * STEP;
    let (mut put, _) = files.put("work/in/a", length, "a", false).unwrap();
    let mut noise = Noise::default();
    io::copy(&mut (&mut noise).take(STEP + (1 << 20)), &mut put).unwrap();
    let stop = ["pkill", "-STOP", "-x", PROGRAM];
    assert!(bed.as_member(&stop).status().unwrap().success());
    soon("it is stopped", || bed.agents().starts_with('T'));
    let begun = Instant::now();
    let error = io::copy(&mut noise.take(length), &mut put).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains(&bed.member.user), "{error}");
    drop(put);
    assert!(begun.elapsed() < Duration::from_secs(20));
    // It belongs to another user, and its parent to root; they are gone all the same.
    soon("it is gone", || bed.agents().is_empty());
    let asked_again = || match files.length("work/in/a") {
        Ok(none) => none.is_none(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            false
        }
    };
    soon("it is asked again", asked_again);
    patient.finish(&patient.files(), length, STEP);
    patient.agent.clear(&bed.member, &bed.home).unwrap();
}

#[test]
#[ignore = "run by agent_should_do_all_that_is_asked_and_no_more_than_wait_when_jobs_stop_it as the worker's user"]
fn worker_meets_a_job_that_stops_every_agent() {
    let patient = Bed::of_worker();
    patient.files().lay_out(&["work"], &[]).unwrap();
    let bed = patient.impatient();
    let files = bed.files();
    let hunter = bed.hunter(&format!("pkill -STOP -x {PROGRAM}"));
    let (mut silent, mut refused) = (0, 0);
    let until = Instant::now() + Duration::from_secs(120);
    while silent < 3 || refused < 3 {
        assert!(Instant::now() < until, "{silent} and {refused}");
        let asked = Instant::now();
        let put = files
            .put("work/a", 1 << 20, "a", true)
            .and_then(|(mut put, _)| {
                soon("it is found", || bed.agents().contains('T'));
                put.write_all(&vec![0; 1 << 20])?;
                put.commit()
            });
        match put {
            Err(error) if error.to_string().contains("is asked again in") => {
                assert!(asked.elapsed() < SILENCE, "{:?}", asked.elapsed());
                refused += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                assert!(
                    asked.elapsed() < Duration::from_secs(40),
                    "{:?}",
                    asked.elapsed()
                );
                silent += 1;
            }
            // What was found was one that is left of an earlier try.
            Ok(()) => {}
        }
        let agents = bed.agents();
        assert!(agents.split_whitespace().count() <= 5, "{agents}");
    }
    // Who clears the member ends the hunter too, once; then nothing is left of either.
    bed.end(hunter);
    soon("it is cleared", || {
        bed.agent.clear(&bed.member, &bed.home).is_ok()
    });
    soon("nothing is left", || bed.agents().is_empty());
}

#[test]
#[ignore = "run by agent_should_do_all_that_is_asked_and_no_more_than_wait_when_jobs_stop_it as the worker's user"]
fn worker_meets_a_job_that_lets_agents_do_very_little() {
    let patient = Bed::of_worker();
    patient.files().lay_out(&["work"], &[]).unwrap();
    let bed = patient.impatient();
    let hunter = bed.hunter(&format!(
        "pkill -STOP -x {PROGRAM}; sleep 0.5; pkill -CONT -x {PROGRAM}; sleep 0.01"
    ));
    let begun = Instant::now();
    let until = begun + SILENCE * 3;
    let files = bed.files_until(Some(until));
    let length = 1 << 34;
    let (mut put, _) = files.put("work/a", length, "a", true).unwrap();
    let error = io::copy(&mut Noise::default().take(length), &mut put).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(Instant::now() >= until, "it was never silent for long");
    drop(put);
    assert!(begun.elapsed() < SILENCE * 3 + Duration::from_secs(20));
    bed.end(hunter);
    soon("it is cleared", || {
        bed.agent.clear(&bed.member, &bed.home).is_ok()
    });
}

#[test]
fn agent_should_serve_over_ssh_where_the_hosts_key_is_the_pinned_one() {
    let Some(users) = Users::make('s') else {
        return;
    };
    let sshd = Sshd::start(&users.directory.path().join("ssh"));
    let bed = |known_hosts: &str| {
        let login = sshd.ssh(known_hosts).login(&[]);
        let reach = login.into_iter().map(OsString::from).collect();
        Bed::new(users.directory.path(), &users.member, reach)
    };
    let wrong = bed("wrong");
    let refused = wrong
        .agent
        .is_empty(&wrong.member, &wrong.home)
        .unwrap_err();
    assert!(
        refused.to_string().contains("Host key verification failed"),
        "{refused}"
    );
    let bed = bed("known");
    bed.exercise();
    // Stopped on the other side: nothing of it is waited for here either.
    bed.files().lay_out(&["work"], &[]).unwrap();
    let silent = bed.impatient().files();
    let (mut put, _) = silent.put("work/a", STEP, "a", false).unwrap();
    let stop = ["pkill", "-STOP", "-x", PROGRAM];
    assert!(bed.as_member(&stop).status().unwrap().success());
    // More than SSH itself keeps on its way.
    let error = io::copy(&mut Noise::default().take(STEP), &mut put).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    let begun = Instant::now();
    drop(put);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
