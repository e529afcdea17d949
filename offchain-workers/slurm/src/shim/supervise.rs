//! Runs one attempt of a job to its end.

use std::{
    collections::{HashMap, VecDeque},
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        prctl::set_child_subreaper,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        stat::{umask, Mode},
    },
    unistd::setsid,
};

use super::{say_ready, SELF};
use crate::{
    durable::lock_within,
    local::{
        clock,
        dir::JobDir,
        processes::{self, Process},
        records::*,
        rows, Step,
    },
    types::{EndState, WarningSignal},
};

/// A client that looks at the job holds its lock for a moment; another shim holds it as long as the job runs.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at ends, deadlines and wishes.
const PERIOD: Duration = Duration::from_millis(20);
/// Between two looks at memory and processes.
const MEASURE_EVERY: Duration = Duration::from_millis(50);
/// Between two signs of life.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Between two tries to write a record.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// How long killed processes may take to disappear.
const KILL_PATIENCE: Duration = Duration::from_secs(2);

/// A task with a process.
struct Running {
    task: u32,
    child: Child,
    begin: TaskBegin,
    budget_ms: u64,
    warned: bool,
    stop: Option<Stop>,
}

/// A task that is being ended.
struct Stop {
    state: EndState,
    detail: String,
    /// When the polite request was sent; `None` if it is to be killed at once.
    asked: Option<Instant>,
    killed: bool,
}

/// The supervisor of one attempt.
struct Supervisor {
    dir: JobDir,
    prefix: Vec<OsString>,
    record: JobRecord,
    attempt: u32,
    pending: VecDeque<(u32, u64)>,
    running: Vec<Running>,
    /// Ends that could not be written yet.
    unwritten: Vec<(u32, TaskEnd)>,
    /// The task of every process seen so far, so that an orphan is still known for what it is.
    known: HashMap<(i32, u64), u32>,
    retry_at: Instant,
}

/// Entry of the supervising process.
pub(super) fn run(dir: JobDir, prefix: Vec<OsString>, attempt: u32) -> io::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    let _ = setsid();
    set_child_subreaper(true)?;
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.add(Signal::SIGINT);
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;

    let Some(_lock) = lock_within(&dir.lock_path(), LOCK_PATIENCE)? else {
        // Another shim runs this job: that is what the client wanted.
        say_ready();
        return Ok(());
    };
    (dir.observer)(Step::Locked)?;
    let record = dir
        .record()?
        .ok_or_else(|| io::Error::other("the job's record is gone"))?;
    // Under the lock: nobody else starts it, and nobody declares it lost.
    let due = dir.last_attempt()?.saturating_add(1);
    let previous_is_over = due == 1 || dir.attempt_end(due - 1)?.is_some();
    if attempt != due || !previous_is_over || dir.cancel()?.is_some() || dir.job_end()?.is_some() {
        say_ready();
        return Ok(());
    }
    let mut pending = VecDeque::new();
    for task in 0..record.spec.array_tasks {
        if let Some(budget) = rows::budget_ms(&dir, &record, task, due - 1)? {
            pending.push_back((task, budget));
        }
    }
    let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    let started = Started {
        pid,
        start_ticks: processes::read(pid).map_or(0, |p| p.start_ticks),
        boot_id: clock::boot_id(),
        wall_ms: clock::wall_ms(),
        boot_ms: clock::boot_ms(),
    };
    dir.put_started(attempt, &started)?;
    (dir.observer)(Step::Started)?;
    say_ready();
    let mut supervisor = Supervisor {
        dir,
        prefix,
        record,
        attempt,
        pending,
        running: Vec::new(),
        unwritten: Vec::new(),
        known: HashMap::new(),
        retry_at: Instant::now(),
    };
    let over = supervisor.run(&signals)?;
    supervisor.finish(over)
}

impl Supervisor {
    fn run(&mut self, signals: &SignalFd) -> io::Result<Over> {
        let mut measure_at = Instant::now();
        let mut beat_at = Instant::now();
        let (mut shutdown, mut cancelled) = (false, false);
        loop {
            if !shutdown && matches!(signals.read_signal(), Ok(Some(_))) {
                shutdown = true;
                self.stop_all(EndState::NodeFailure, "the machine is going down");
            }
            // A record that cannot be read is taken as a wish that is not there yet: it is read again.
            if !cancelled && matches!(self.dir.cancel(), Ok(Some(_))) {
                cancelled = true;
                self.stop_all(EndState::Cancelled, "");
            }
            self.collect()?;
            if !shutdown && !cancelled {
                self.start_due();
            }
            if self.running.is_empty()
                && self.unwritten.is_empty()
                && (self.pending.is_empty() || shutdown || cancelled)
            {
                return Ok(if shutdown && !cancelled {
                    Over::Lost
                } else {
                    Over::Finished
                });
            }
            self.enforce_time();
            let now = Instant::now();
            if now >= measure_at {
                measure_at = now + MEASURE_EVERY;
                self.measure();
            }
            if now >= beat_at {
                beat_at = now + BEAT_EVERY;
                let beat = Beat {
                    wall_ms: clock::wall_ms(),
                    boot_ms: clock::boot_ms(),
                };
                // Only bounds the guess about when a shim died.
                let _ = self.dir.put_beat(self.attempt, &beat);
            }
            std::thread::sleep(PERIOD);
        }
    }

    /// Starts tasks while there is room. A failure to note the start leaves the task in the queue.
    fn start_due(&mut self) {
        let room = usize::try_from(self.record.parallel).unwrap_or(1).max(1);
        while self.running.len() < room && Instant::now() >= self.retry_at {
            let Some((task, budget_ms)) = self.pending.pop_front() else {
                return;
            };
            let begin = TaskBegin {
                wall_ms: clock::wall_ms(),
                boot_ms: clock::boot_ms(),
            };
            if let Err(error) = self.dir.put_begin(self.attempt, task, &begin) {
                eprintln!("shim: task {task} waits, its start cannot be recorded: {error}");
                self.pending.push_front((task, budget_ms));
                self.retry_at = Instant::now() + RETRY_EVERY;
                return;
            }
            match (self.dir.observer)(Step::TaskBegun).and_then(|()| self.spawn(task)) {
                Ok(child) => {
                    let pid = i32::try_from(child.id()).unwrap_or(0);
                    // Without it, a later client finds left-overs by their environment only.
                    let _ = self
                        .dir
                        .put_process(self.attempt, task, &TaskProcess { pid });
                    let _ = (self.dir.observer)(Step::TaskSpawned);
                    self.running.push(Running {
                        task,
                        child,
                        begin,
                        budget_ms,
                        warned: false,
                        stop: None,
                    });
                }
                Err(error) => {
                    let end = TaskEnd {
                        wall_ms: clock::wall_ms(),
                        elapsed_ms: 0,
                        state: EndState::BootFailure,
                        detail: format!("its first process could not be started: {error}"),
                    };
                    self.record_end(task, end);
                }
            }
        }
    }

    fn spawn(&self, task: u32) -> io::Result<Child> {
        let spec = &self.record.spec;
        let stdout = self.open_output(&spec.stdout, task, self.attempt > 1)?;
        let stderr = if spec.stderr == spec.stdout {
            stdout.try_clone()?
        } else {
            self.open_output(&spec.stderr, task, self.attempt > 1)?
        };
        Command::new(SELF)
            .arg0("ve-shim-task")
            .args(&self.prefix)
            .arg(&self.dir.path)
            .args(["task", &self.attempt.to_string(), &task.to_string()])
            .arg(std::process::id().to_string())
            .env_clear()
            .envs(&spec.environment)
            .env("VE_HANDLE", &spec.handle)
            .env("VE_TASK", task.to_string())
            .env("VE_TASKS", spec.array_tasks.to_string())
            .env("VE_ATTEMPT", self.attempt.to_string())
            .env("VE_CPUS", spec.cpus.to_string())
            .env("VE_MEMORY_MIB", spec.memory_mib.to_string())
            .env("VE_RUN", &self.record.run)
            .current_dir(&spec.work_dir)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
    }

    fn open_output(&self, path: &Path, task: u32, keep: bool) -> io::Result<File> {
        let path = PathBuf::from(path.to_string_lossy().replace("%a", &task.to_string()));
        if !keep {
            // Emptied first, then appended to: both streams may share a file.
            OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .open(&path)?;
        }
        OpenOptions::new().create(true).append(true).open(&path)
    }

    /// Notes the ends of tasks whose script has ended.
    fn collect(&mut self) -> io::Result<()> {
        let mut index = 0;
        while let Some(running) = self.running.get_mut(index) {
            match running.child.try_wait()? {
                None => index += 1,
                Some(status) => {
                    let elapsed_ms = clock::boot_ms().saturating_sub(running.begin.boot_ms);
                    let running = self.running.swap_remove(index);
                    let _ = (self.dir.observer)(Step::TaskExited);
                    self.kill_task(running.task, running.child.id());
                    let end = conclude(&running, status, elapsed_ms, &self.record);
                    self.record_end(running.task, end);
                }
            }
        }
        if !self.unwritten.is_empty() && Instant::now() >= self.retry_at {
            for (task, end) in std::mem::take(&mut self.unwritten) {
                self.record_end(task, end);
            }
        }
        Ok(())
    }

    /// Makes an end durable, now or as soon as the disk takes it.
    fn record_end(&mut self, task: u32, end: TaskEnd) {
        match self.dir.put_task_end(self.attempt, task, &end) {
            Ok(()) => {
                let _ = (self.dir.observer)(Step::TaskRecorded);
            }
            Err(error) => {
                eprintln!("shim: the end of task {task} cannot be recorded yet: {error}");
                self.unwritten.push((task, end));
                self.retry_at = Instant::now() + RETRY_EVERY;
            }
        }
    }

    /// Sends warnings, polite requests and hard kills when they are due.
    fn enforce_time(&mut self) {
        let grace = Duration::from_millis(self.record.kill_grace_ms);
        let warning = self.record.spec.warning;
        let mut signals: Vec<(u32, u32, Signal)> = Vec::new();
        for running in &mut self.running {
            let elapsed = clock::boot_ms().saturating_sub(running.begin.boot_ms);
            if running.stop.is_none() && elapsed >= running.budget_ms {
                running.stop = Some(Stop {
                    state: EndState::TimedOut,
                    detail: String::new(),
                    asked: Some(Instant::now()),
                    killed: false,
                });
                signals.push((running.task, running.child.id(), Signal::SIGTERM));
            }
            if let (Some(warning), false, None) = (warning, running.warned, &running.stop) {
                let before = u64::from(warning.seconds_before).saturating_mul(1000);
                if elapsed >= running.budget_ms.saturating_sub(before) {
                    running.warned = true;
                    if let Some(process) = i32::try_from(running.child.id())
                        .ok()
                        .and_then(processes::read)
                    {
                        processes::signal(&process, native(warning.signal));
                    }
                }
            }
            if let Some(stop) = &mut running.stop {
                let overdue = stop.asked.is_none_or(|at| at.elapsed() >= grace);
                if overdue && !stop.killed {
                    stop.killed = true;
                    signals.push((running.task, running.child.id(), Signal::SIGKILL));
                }
            }
        }
        for (task, leader, signal) in signals {
            self.signal_task(task, leader, signal);
        }
    }

    /// Ends all running tasks politely; those that are being ended already keep their reason.
    fn stop_all(&mut self, state: EndState, detail: &str) {
        let mut stopped = Vec::new();
        for running in &mut self.running {
            if running.stop.is_none() {
                running.stop = Some(Stop {
                    state: state.clone(),
                    detail: detail.to_owned(),
                    asked: Some(Instant::now()),
                    killed: false,
                });
                stopped.push((running.task, running.child.id()));
            }
        }
        for (task, leader) in stopped {
            self.signal_task(task, leader, Signal::SIGTERM);
        }
    }

    /// Looks at memory and process count of every task, and reaps adopted orphans.
    fn measure(&mut self) {
        let Ok(found) = processes::descendants(self_pid()) else {
            return;
        };
        let groups = self.by_task(&found);
        let limit_kib = self.record.spec.memory_mib.saturating_mul(1024);
        let most = self.record.spec.max_processes;
        for running in &mut self.running {
            let Some(members) = groups.get(&running.task) else {
                continue;
            };
            if running.stop.as_ref().is_some_and(|stop| stop.killed) {
                continue;
            }
            let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
            let kib = members
                .iter()
                .map(|p| processes::resident_kib(p.pid))
                .fold(0u64, u64::saturating_add);
            let verdict = if kib > limit_kib {
                let detail = format!(
                    "{} MiB resident, {} allowed",
                    kib / 1024,
                    self.record.spec.memory_mib
                );
                Some((EndState::OutOfMemory, detail))
            } else {
                most.filter(|most| count > *most).map(|most| {
                    let detail = format!("{count} processes, {most} allowed");
                    (EndState::Failed { exit_code: 137 }, detail)
                })
            };
            if let Some((state, detail)) = verdict {
                // Killed by `enforce_time` in the same turn of the loop or the next.
                match &mut running.stop {
                    // Being ended already: that stays the reason, but there is no more time to be polite.
                    Some(stop) => stop.asked = None,
                    None => {
                        running.stop = Some(Stop {
                            state,
                            detail,
                            asked: None,
                            killed: false,
                        });
                    }
                }
            }
        }
        self.enforce_time();
    }

    /// Sorts live processes by task. Remembers where each belongs, for when its parent is gone.
    fn by_task(&mut self, found: &[Process]) -> HashMap<u32, Vec<Process>> {
        let leaders: HashMap<i32, u32> = self
            .running
            .iter()
            .filter_map(|r| Some((i32::try_from(r.child.id()).ok()?, r.task)))
            .collect();
        let by_pid: HashMap<i32, &Process> = found.iter().map(|p| (p.pid, p)).collect();
        let me = self_pid();
        let mut groups: HashMap<u32, Vec<Process>> = HashMap::new();
        for process in found {
            if process.zombie {
                // Scripts are waited for by `collect`; everything else that became our child is an orphan.
                if process.parent == me && !leaders.contains_key(&process.pid) {
                    processes::reap(process.pid);
                }
                continue;
            }
            let key = (process.pid, process.start_ticks);
            let task = self
                .known
                .get(&key)
                .copied()
                .or_else(|| ancestor_task(process, &by_pid, &leaders))
                .or_else(|| leaders.get(&process.session).copied())
                .or_else(|| processes::variable(process.pid, "VE_TASK")?.parse().ok());
            if let Some(task) = task {
                self.known.insert(key, task);
                groups.entry(task).or_default().push(process.clone());
            }
        }
        self.known
            .retain(|(pid, ticks), _| by_pid.get(pid).is_some_and(|p| p.start_ticks == *ticks));
        groups
    }

    /// Sends a signal to all processes of a task.
    fn signal_task(&mut self, task: u32, leader: u32, signal: Signal) {
        let found = processes::all_descendants(self_pid()).unwrap_or_default();
        let groups = self.by_task(&found);
        let members = groups.get(&task).cloned().unwrap_or_default();
        // The script first: it may want to end its children in its own way.
        let leader = i32::try_from(leader).unwrap_or(0);
        for process in members.iter().filter(|p| p.pid == leader) {
            processes::signal(process, signal);
        }
        for process in members.iter().filter(|p| p.pid != leader) {
            processes::signal(process, signal);
        }
    }

    /// Kills what a task left behind when its script ended.
    fn kill_task(&mut self, task: u32, leader: u32) {
        let leader = i32::try_from(leader).unwrap_or(0);
        let until = Instant::now() + KILL_PATIENCE;
        loop {
            let found = processes::all_descendants(self_pid()).unwrap_or_default();
            let alone = self.running.is_empty();
            let groups = self.by_task(&found);
            let mut left: Vec<Process> = groups.get(&task).cloned().unwrap_or_default();
            left.extend(
                found
                    .iter()
                    .filter(|p| p.session == leader && !p.zombie)
                    .cloned(),
            );
            if alone {
                // Whatever is left is of this task or of an earlier one.
                left.extend(found.iter().filter(|p| !p.zombie).cloned());
            }
            if left.is_empty() || Instant::now() >= until {
                return;
            }
            for process in &left {
                processes::signal(process, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes the end of the attempt durable.
    fn finish(&mut self, over: Over) -> io::Result<()> {
        let end = AttemptEnd {
            over,
            wall_ms: clock::wall_ms(),
        };
        while let Err(error) = self.dir.put_attempt_end(self.attempt, &end) {
            eprintln!("shim: the end of the attempt cannot be recorded yet: {error}");
            std::thread::sleep(RETRY_EVERY);
        }
        (self.dir.observer)(Step::AttemptRecorded)
    }
}

fn self_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(0)
}

/// The task of the nearest ancestor that is a script.
fn ancestor_task(
    process: &Process,
    by_pid: &HashMap<i32, &Process>,
    leaders: &HashMap<i32, u32>,
) -> Option<u32> {
    let mut at = process;
    // Bounded: a chain longer than the list would be a loop, which a racy reading can show.
    for _ in 0..=by_pid.len() {
        if let Some(task) = leaders.get(&at.pid) {
            return Some(*task);
        }
        at = by_pid.get(&at.parent)?;
    }
    None
}

fn native(signal: WarningSignal) -> Signal {
    match signal {
        WarningSignal::Usr1 => Signal::SIGUSR1,
        WarningSignal::Usr2 => Signal::SIGUSR2,
        WarningSignal::Int => Signal::SIGINT,
        WarningSignal::Term => Signal::SIGTERM,
    }
}

/// The end of a task out of how its script ended and what was done to it.
fn conclude(running: &Running, status: ExitStatus, elapsed_ms: u64, record: &JobRecord) -> TaskEnd {
    let died_of_warning = running.warned
        && record
            .spec
            .warning
            .is_some_and(|w| status.signal() == Some(native(w.signal) as i32));
    let (state, detail) = match &running.stop {
        Some(stop) => (stop.state.clone(), stop.detail.clone()),
        None if died_of_warning => (
            EndState::TimedOut,
            "the script did not handle its warning signal".to_owned(),
        ),
        None if status.success() => (EndState::Completed, String::new()),
        None => {
            let code = match (status.code(), status.signal()) {
                (Some(code), _) => code,
                (None, Some(signal)) => signal.saturating_add(128),
                (None, None) => 255,
            };
            let exit_code = u16::try_from(code).unwrap_or(255);
            let detail = status
                .signal()
                .and_then(|s| Signal::try_from(s).ok())
                .map(|s| format!("ended by {}", s.as_str()))
                .unwrap_or_default();
            (EndState::Failed { exit_code }, detail)
        }
    };
    TaskEnd {
        wall_ms: clock::wall_ms(),
        elapsed_ms,
        state,
        detail,
    }
}
