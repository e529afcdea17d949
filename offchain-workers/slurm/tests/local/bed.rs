//! A state directory of its own, clients in this process and in others, and this test binary as the shim.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use nix::{
    sys::signal::{kill, Signal},
    unistd::Pid,
};
use tempfile::TempDir;
use ve_slurm::{
    conformance::Bed,
    local::{Observer, Step},
    Capacity, LocalConfig, LocalScheduler, Scheduler, SchedulerJobId, ShimCommand, SubmitSpec,
};

pub struct LocalBed {
    root: TempDir,
    state: PathBuf,
    counter: AtomicU32,
    pub capacity: Capacity,
}

impl LocalBed {
    pub fn new() -> Self {
        Self::within(TempDir::new().expect("temporary directory"), None)
    }

    /// With the state directory somewhere else.
    pub fn within(root: TempDir, state: Option<PathBuf>) -> Self {
        let state = state.unwrap_or_else(|| root.path().join("state"));
        Self {
            root,
            state,
            counter: AtomicU32::new(0),
            capacity: Capacity {
                cpus: 4,
                memory_mib: 4096,
            },
        }
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn job_dir(&self, spec: &SubmitSpec) -> PathBuf {
        self.state.join(&spec.handle)
    }

    /// Configuration whose shim obeys `order`: see `entry::shim`.
    pub fn config(&self, order: &str) -> LocalConfig {
        LocalConfig {
            capacity: self.capacity,
            kill_grace: Duration::from_millis(400),
            shim: shim_command(order),
            ..LocalConfig::new(&self.state, "unused")
        }
    }

    pub fn local(&self) -> LocalScheduler {
        LocalScheduler::open(self.config("live")).expect("opens")
    }

    /// A client whose shims die at a step.
    pub fn with_shims_that(&self, order: &str) -> LocalScheduler {
        LocalScheduler::open(self.config(order)).expect("opens")
    }

    pub fn observed(&self, observer: Observer) -> LocalScheduler {
        LocalScheduler::open_observed(self.config("live"), observer).expect("opens")
    }

    /// Runs an operation in a process of its own that kills itself at a step. Returns whether it was killed.
    pub fn in_other_process(&self, operation: &str, spec: &SubmitSpec, die: &str) -> bool {
        let file = self
            .root
            .path()
            .join(format!("spec-{}-{die}.json", self.number()));
        fs::write(&file, serde_json::to_vec(spec).expect("encodes")).expect("written");
        let status = Command::new(std::env::current_exe().expect("own path"))
            .args(["--exact", "entry::client", "--nocapture", "--", "client"])
            .args([operation, die])
            .arg(&self.state)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("client process");
        status.signal() == Some(9)
    }

    fn number(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// Pid of the shim of an attempt.
    pub fn shim_pid(&self, spec: &SubmitSpec, attempt: u32) -> i32 {
        let path = self
            .job_dir(spec)
            .join(format!("a{attempt}"))
            .join("started.json");
        let text = fs::read_to_string(path).expect("started");
        let value: serde_json::Value = serde_json::from_str(&text).expect("json");
        i32::try_from(value["pid"].as_i64().expect("pid")).expect("pid")
    }

    pub fn signal_shim(&self, spec: &SubmitSpec, attempt: u32, signal: Signal) {
        kill(Pid::from_raw(self.shim_pid(spec, attempt)), signal).expect("signalled");
    }

    /// Processes of any job of this bed that are alive.
    fn alive(&self) -> Vec<i32> {
        let runs: Vec<String> = fs::read_dir(&self.state)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.path().join("job.json")).ok())
            .filter_map(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
            .filter_map(|job| Some(format!("VE_RUN={}", job["run"].as_str()?)))
            .collect();
        let state = self.state.to_string_lossy().into_owned();
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc").expect("proc").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
                continue;
            };
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let of_job = environment
                .split(|b| *b == 0)
                .any(|v| runs.iter().any(|run| run.as_bytes() == v));
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let is_shim = command.starts_with(b"ve-shim")
                && String::from_utf8_lossy(&command).contains(&state);
            if of_job || is_shim {
                alive.push(pid);
            }
        }
        alive
    }

    /// Nothing of any job is alive, shims included.
    pub fn assert_quiet(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let alive = self.alive();
            if alive.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "still alive: {alive:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How often the script of [`counted`] was begun.
    pub fn runs(&self, spec: &SubmitSpec) -> usize {
        fs::read_to_string(spec.work_dir.join("runs"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// A job that counts its runs.
    pub fn counted(&self, rest: &str) -> SubmitSpec {
        ve_slurm::conformance::job(self, &format!("echo run >> runs; {rest}")).expect("job")
    }
}

impl Drop for LocalBed {
    fn drop(&mut self) {
        // Only a failed test leaves anything.
        for pid in self.alive() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

#[async_trait]
impl Bed for LocalBed {
    async fn client(&self) -> Arc<dyn Scheduler> {
        Arc::new(self.local())
    }

    fn shared_dir(&self) -> PathBuf {
        self.root.path().to_owned()
    }

    fn fresh_handle(&self) -> String {
        format!("ve-0123abcd-{}", 100 + self.number())
    }

    fn unknown_id(&self) -> SchedulerJobId {
        SchedulerJobId("ve-0123abcd-1".into())
    }
}

/// The executable that is made for it or, for other orders than to live, this test binary.
pub fn shim_command(order: &str) -> ShimCommand {
    if order == "live" {
        return ShimCommand {
            program: env!("CARGO_BIN_EXE_ve-shim").into(),
            args: Vec::new(),
        };
    }
    ShimCommand {
        program: std::env::current_exe().expect("own path"),
        args: ["--exact", "entry::shim", "--nocapture", "--", "shim", order]
            .map(Into::into)
            .to_vec(),
    }
}

/// Kills this very process when it gets to a step.
pub fn dying_at(step: &str) -> Observer {
    let step = step.to_owned();
    Arc::new(move |now: Step| {
        if now.name() == step {
            let _ = kill(Pid::this(), Signal::SIGKILL);
        }
        Ok(())
    })
}

/// Takes its time for every record.
pub fn slow() -> Observer {
    Arc::new(|now: Step| {
        if now == Step::Writing {
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(())
    })
}

/// Says that the disk is full as long as a file exists.
pub fn full_while(path: PathBuf) -> Observer {
    Arc::new(move |now: Step| {
        if now == Step::Writing && path.exists() {
            return Err(std::io::Error::from_raw_os_error(
                nix::errno::Errno::ENOSPC as i32,
            ));
        }
        Ok(())
    })
}
