//! The state directory and the operations on it. Everything here blocks.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicU64, Ordering},
        Mutex,
    },
    time::{Duration, Instant},
};

use super::{
    clock,
    dir::JobDir,
    glance::Glances,
    judge::{self, Judged, Phase},
    processes, queue,
    records::{CancelRequest, JobRecord, Marker, LAYOUT},
    rows::{self, Rest},
    steps::{Observer, Step},
    LocalConfig, OpenError,
};
use crate::{
    check::is_handle,
    durable::{lock_within, read_json, sync_dir, try_lock, write_whole},
    scheduler::{ForgetError, QueryError, SubmitError},
    types::{Attempt, Health, Lookup, SchedulerJobId, Status, SubmitSpec},
};

const MARKER: &str = ".ve-local.json";
const SUBMIT_LOCK: &str = ".submit.lock";
const QUEUE_LOCK: &str = ".queue.lock";
/// Begin of the names of directories that are not jobs yet, or no more.
const UNBORN: &str = ".new-";
const GONE: &str = ".gone-";
/// How long a submission waits for others.
const SUBMIT_PATIENCE: Duration = Duration::from_secs(20);
/// Statuses within this time share one look at the queue.
const TICK_EVERY: Duration = Duration::from_millis(50);
/// Looks at a long queue take at most one part in so many of the time.
const TICK_SHARE: u32 = 10;
/// A look at a short queue takes at most this, and may be taken at any time.
const TICK_SHORT: Duration = Duration::from_millis(5);
/// How long `forget` waits for the shim of an ended job to be gone.
const SHIM_EXIT_PATIENCE: Duration = Duration::from_secs(2);
/// Largest script.
const MAX_SCRIPT: usize = 4 * 1024 * 1024;
/// Most tasks of an array.
const MAX_TASKS: u32 = 1000;

/// An open state directory.
pub(super) struct State {
    config: LocalConfig,
    observer: Observer,
    marker: Marker,
    /// When the queue was last looked at, and how long that took.
    last_tick: Mutex<Option<(Instant, Duration)>>,
    glances: Glances,
    /// What the last look at the queue ran into.
    trouble: Mutex<Vec<String>>,
    counter: AtomicU64,
}

impl State {
    pub fn open(mut config: LocalConfig, observer: Observer) -> Result<Self, OpenError> {
        let given = config.state_dir.clone();
        let failed = |source| OpenError::Io {
            path: given.clone(),
            source,
        };
        match fs::symlink_metadata(&given) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => make(&given).map_err(failed)?,
            Err(e) => return Err(failed(e)),
        }
        let path = fs::canonicalize(&given).map_err(failed)?;
        let marker: Marker = read_json(&path.join(MARKER))
            .map_err(failed)?
            .ok_or_else(|| OpenError::NotOurs(given.clone()))?;
        if marker.layout != LAYOUT {
            return Err(OpenError::Layout {
                path,
                found: marker.layout,
                known: LAYOUT,
            });
        }
        config.state_dir = path;
        Ok(Self {
            config,
            observer,
            marker,
            last_tick: Mutex::new(None),
            glances: Glances::default(),
            trouble: Mutex::new(Vec::new()),
            counter: AtomicU64::new(0),
        })
    }

    pub fn path(&self) -> &Path {
        &self.config.state_dir
    }

    /// Whether the directory is the one that was opened. Without this, an unmounted file system would look like one
    /// without jobs.
    fn present(&self) -> Result<(), String> {
        match read_json::<Marker>(&self.path().join(MARKER)) {
            Ok(Some(marker)) if marker == self.marker => Ok(()),
            Ok(_) => Err(format!(
                "{} is not the directory that was opened any more; is its file system mounted?",
                self.path().display()
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    fn job(&self, handle: &str) -> JobDir {
        JobDir::new(self.path().join(handle), self.observer.clone())
    }

    /// The job, if it exists. `Ok(None)` only if the directory itself can be relied on.
    fn existing(&self, handle: &str) -> Result<Option<JobDir>, String> {
        self.present()?;
        if !is_handle(handle) {
            return Ok(None);
        }
        let dir = self.job(handle);
        match fs::symlink_metadata(&dir.path) {
            Ok(_) => Ok(Some(dir)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.present()?;
                Ok(None)
            }
            Err(e) => Err(format!("{}: {e}", dir.path.display())),
        }
    }

    fn judge(&self, handle: &str) -> Result<Option<(JobDir, Judged)>, String> {
        self.look(handle, |dir| judge::judge(dir, &self.config.cluster))
    }

    /// Asks about a job that exists; `Ok(None)` only if it certainly does not.
    fn look<T>(
        &self,
        handle: &str,
        ask: impl FnOnce(&JobDir) -> io::Result<Option<T>>,
    ) -> Result<Option<(JobDir, T)>, String> {
        let Some(dir) = self.existing(handle)? else {
            return Ok(None);
        };
        match ask(&dir) {
            Ok(Some(answer)) => Ok(Some((dir, answer))),
            // The directory is there, its record is not: forgotten between two looks, or damaged.
            Ok(None) => match self.existing(handle)? {
                None => Ok(None),
                Some(_) => Err(format!(
                    "{}: the job's record is missing",
                    dir.path.display()
                )),
            },
            Err(error) => match self.existing(handle)? {
                None => Ok(None),
                Some(_) => Err(error.to_string()),
            },
        }
    }

    pub fn health(&self) -> Health {
        if let Err(reason) = self.present() {
            return Health::Unknown(reason);
        }
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let probe = self
            .path()
            .join(format!(".probe-{}-{number}", std::process::id()));
        let written = write_whole(&probe, &[0; 4096], true);
        let _ = fs::remove_file(&probe);
        if let Err(error) = written {
            return Health::Unknown(format!(
                "nothing can be written to {}: {error}",
                self.path().display()
            ));
        }
        self.tick();
        match self.trouble.lock() {
            Ok(trouble) if trouble.is_empty() => Health::Ok,
            Ok(trouble) => Health::Unknown(trouble.join("; ")),
            Err(_) => Health::Unknown("an earlier look at the queue failed".to_owned()),
        }
    }

    pub fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError> {
        spec.check().map_err(SubmitError::Refused)?;
        if spec.identity.is_some() {
            let why =
                "identity: the local scheduler has no users; its jobs run as the worker's own";
            return Err(SubmitError::Refused(why.into()));
        }
        let id = SchedulerJobId(spec.handle.clone());
        // First: a job that exists is not judged by what the machine or the work directory look like now.
        if self
            .existing(&spec.handle)
            .map_err(SubmitError::Unavailable)?
            .is_some()
        {
            return Ok(id);
        }
        let record = self.admit(spec)?;
        let unavailable = |error: io::Error| SubmitError::Unavailable(error.to_string());
        let _lock = lock_within(&self.path().join(SUBMIT_LOCK), SUBMIT_PATIENCE)
            .map_err(unavailable)?
            .ok_or_else(|| {
                SubmitError::Unavailable("another client holds the submission lock".to_owned())
            })?;
        self.sweep();
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let temporary = JobDir::new(
            self.path().join(format!(
                "{UNBORN}{}-{}-{number}",
                spec.handle,
                std::process::id()
            )),
            self.observer.clone(),
        );
        let target = self.path().join(&spec.handle);
        let prepared = temporary
            .create(&record, spec.script.as_bytes())
            .and_then(|()| (self.observer)(Step::Prepared))
            .and_then(|()| sync_dir(&temporary.path));
        if let Err(error) = prepared {
            let _ = fs::remove_dir_all(&temporary.path);
            return Err(unavailable(error));
        }
        // Never replaces a job: a directory is renamed onto another one only if that is empty, which no job is.
        if let Err(error) = fs::rename(&temporary.path, &target) {
            let _ = fs::remove_dir_all(&temporary.path);
            return match self.existing(&spec.handle) {
                Ok(Some(_)) => Ok(id),
                _ => Err(unavailable(error)),
            };
        }
        sync_dir(self.path()).map_err(|e| SubmitError::Unknown(e.to_string()))?;
        (self.observer)(Step::Persisted).map_err(|e| SubmitError::Unknown(e.to_string()))?;
        Ok(id)
    }

    /// What this machine can never run is refused rather than queued for ever.
    fn admit(&self, spec: &SubmitSpec) -> Result<JobRecord, SubmitError> {
        let refused = |text: String| Err(SubmitError::Refused(text));
        if spec.nodes > 1 {
            return refused("nodes must be 1: the local scheduler is one machine".into());
        }
        if spec.gpus > 0 {
            return refused("gpus must be 0: the local scheduler has no accelerators".into());
        }
        if spec.script.len() > MAX_SCRIPT {
            return refused("script must be at most 4 MiB; put data into files".into());
        }
        if spec.array_tasks > MAX_TASKS {
            return refused(format!(
                "array_tasks must be at most {MAX_TASKS} on the local scheduler"
            ));
        }
        let capacity = &self.config.capacity;
        let parallel = queue::parallel(capacity, spec.cpus, spec.memory_mib, spec.array_tasks);
        if parallel == 0 {
            return refused(format!(
                "cpus and memory_mib must fit this machine, which has {} processors and {} MiB for jobs",
                capacity.cpus, capacity.memory_mib
            ));
        }
        if !spec.work_dir.is_dir() {
            return refused(format!(
                "work_dir must be a directory that exists: {}",
                spec.work_dir.display()
            ));
        }
        for (field, path) in [("stdout", &spec.stdout), ("stderr", &spec.stderr)] {
            if !path.parent().is_some_and(Path::is_dir) {
                return refused(format!(
                    "{field} must lie in a directory that exists: {}",
                    path.display()
                ));
            }
        }
        let run = fs::read_to_string("/proc/sys/kernel/random/uuid")
            .map_err(|e| SubmitError::Unavailable(format!("the kernel gave no uuid: {e}")))?;
        Ok(JobRecord {
            layout: LAYOUT,
            submitted: clock::wall_ms(),
            parallel,
            kill_grace_ms: u64::try_from(self.config.kill_grace.as_millis()).unwrap_or(u64::MAX),
            run: run.trim().to_owned(),
            spec: SubmitSpec {
                script: String::new(),
                ..spec.clone()
            },
        })
    }

    /// Removes what clients that died left half made or half removed. The caller holds the submission lock, so nobody
    /// is making anything.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.path()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UNBORN) || name.starts_with(GONE) {
                if let Err(error) = fs::remove_dir_all(entry.path()) {
                    tracing::debug!(%name, %error, "a left-over could not be removed; tried again later");
                }
            }
        }
    }

    pub fn find(&self, handle: &str) -> Lookup {
        match self.existing(handle) {
            Ok(Some(_)) => Lookup::Found(vec![SchedulerJobId(handle.to_owned())]),
            Ok(None) => Lookup::Absent,
            Err(reason) => Lookup::Unknown(reason),
        }
    }

    pub fn status(&self, id: &SchedulerJobId) -> Status {
        self.tick_if_due(TICK_EVERY);
        match self.look(&id.0, |dir| self.glance(dir)) {
            Ok(Some((_, status))) => status,
            Ok(None) => Status::Absent,
            Err(reason) => Status::Unknown(reason),
        }
    }

    /// The same for many: whether this is still the directory that was opened is asked once for all that are there.
    pub fn statuses(&self, ids: &[SchedulerJobId]) -> Vec<Status> {
        self.tick_if_due(TICK_EVERY);
        if let Err(reason) = self.present() {
            return vec![Status::Unknown(reason); ids.len()];
        }
        ids.iter()
            .map(|id| {
                let known = is_handle(&id.0).then(|| self.glance(&self.job(&id.0)));
                match known {
                    Some(Ok(Some(status))) => status,
                    _ => self.status(id),
                }
            })
            .collect()
    }

    fn glance(&self, dir: &JobDir) -> io::Result<Option<Status>> {
        let Some((glance, record)) = self.glances.at(dir, &self.config.cluster)? else {
            return Ok(None);
        };
        Ok(Some(match (glance.phase, record) {
            (Phase::Waiting { .. } | Phase::Starting, _) => Status::Queued,
            (Phase::Ended(state), _) => Status::Ended(state),
            (Phase::Running { attempt }, Some(record)) => Status::Running {
                since: since(dir, &record, attempt)?,
                first: attempt == 1,
            },
            (Phase::Running { .. }, None) => {
                return Err(io::Error::other("a running job was not read"))
            }
        }))
    }

    pub fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError> {
        let (dir, judged) = self
            .judge(&id.0)
            .map_err(QueryError::Unknown)?
            .ok_or(QueryError::Absent)?;
        let unknown = |error: io::Error| QueryError::Unknown(error.to_string());
        if matches!(judged.phase, Phase::Ended(_)) || dir.cancel().map_err(unknown)?.is_some() {
            return Ok(());
        }
        dir.put_cancel(&CancelRequest {
            wall_ms: clock::wall_ms(),
        })
        .map_err(unknown)?;
        (self.observer)(Step::CancelPersisted).map_err(unknown)?;
        // A waiting job ends here and now, which may let the next one start.
        self.advance();
        Ok(())
    }

    pub fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError> {
        let (dir, judged) = self
            .judge(&id.0)
            .map_err(QueryError::Unknown)?
            .ok_or(QueryError::Absent)?;
        let unknown = |error: io::Error| QueryError::Unknown(error.to_string());
        let rest = match judged.phase {
            Phase::Ended(_) => judge::rest(&dir, judged.last).map_err(unknown)?,
            _ => Rest::Open,
        };
        rows::rows(
            &dir,
            &judged.record,
            &self.config.cluster,
            judged.last,
            rest,
        )
        .map_err(unknown)
    }

    pub fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError> {
        let Some((dir, judged)) = self.judge(&id.0).map_err(ForgetError::Unknown)? else {
            return Ok(());
        };
        if !matches!(judged.phase, Phase::Ended(_)) {
            return Err(ForgetError::StillActive);
        }
        let unknown = |error: io::Error| ForgetError::Unknown(error.to_string());
        // The shim does nothing any more, but a lock that is held would outlive the directory.
        let _lock = lock_within(&dir.lock_path(), SHIM_EXIT_PATIENCE).map_err(unknown)?;
        self.reap_shims(&dir, judged.last);
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let away = self
            .path()
            .join(format!("{GONE}{}-{}-{number}", id.0, std::process::id()));
        match fs::rename(&dir.path, &away) {
            Ok(()) => {}
            // Another client was faster.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(unknown(e)),
        }
        sync_dir(self.path()).map_err(unknown)?;
        (self.observer)(Step::Detached).map_err(unknown)?;
        match fs::remove_dir_all(&away) {
            // Not found: swept by a client that submits.
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(unknown(e)),
            _ => Ok(()),
        }
    }

    /// In a container whose first process is this one, dead shims are its children.
    fn reap_shims(&self, dir: &JobDir, last: u32) {
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        for attempt in 1..=last {
            let Ok(Some(started)) = dir.started(attempt) else {
                continue;
            };
            let ours = processes::read(started.pid).is_some_and(|p| {
                p.zombie && p.parent == me && p.start_ticks == started.start_ticks
            });
            if ours && started.boot_id == clock::boot_id() {
                processes::reap(started.pid);
            }
        }
    }

    /// Looks at the queue unless that was done within `every`, or takes too large a part of the time.
    fn tick_if_due(&self, every: Duration) {
        let due = match self.last_tick.lock() {
            Ok(last) => last.is_none_or(|(at, took)| {
                let share = match took {
                    took if took <= TICK_SHORT => Duration::ZERO,
                    took => took.saturating_mul(TICK_SHARE),
                };
                at.elapsed() >= every.max(share)
            }),
            Err(_) => true,
        };
        if due {
            self.tick();
        }
    }

    /// A job was submitted or ended: what fits now is started, at once if the queue is short.
    pub fn advance(&self) {
        self.tick_if_due(Duration::ZERO);
    }

    /// Starts what fits. If another client is at it, that is good enough.
    pub fn tick(&self) {
        let begun = Instant::now();
        let trouble = match self.try_tick() {
            Ok(Some(trouble)) => trouble,
            Ok(None) => return,
            Err(reason) => vec![reason],
        };
        if let Ok(mut last) = self.last_tick.lock() {
            *last = Some((Instant::now(), begun.elapsed()));
        }
        if let Ok(mut slot) = self.trouble.lock() {
            *slot = trouble;
        }
    }

    fn try_tick(&self) -> Result<Option<Vec<String>>, String> {
        self.present()?;
        let failed = |error: io::Error| error.to_string();
        let Some(_lock) = try_lock(&self.path().join(QUEUE_LOCK), true).map_err(failed)? else {
            return Ok(None);
        };
        let mut jobs = Vec::new();
        for entry in fs::read_dir(self.path()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_str().is_some_and(is_handle) {
                jobs.push(JobDir::new(entry.path(), self.observer.clone()));
            }
        }
        Ok(Some(queue::advance(
            &jobs,
            &self.glances,
            &self.config.cluster,
            &self.config.capacity,
            &self.config.shim,
        )))
    }
}

/// Makes a state directory. Two clients may do this at once.
fn make(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".new{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let nonce = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let marker = Marker {
        layout: LAYOUT,
        created: clock::wall_ms(),
        nonce: nonce.trim().to_owned(),
    };
    fs::DirBuilder::new().mode(0o700).create(&temporary)?;
    let made = write_whole(&temporary.join(MARKER), &serde_json::to_vec(&marker)?, true)
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&temporary);
        // The other client was faster.
        return if path.join(MARKER).exists() {
            Ok(())
        } else {
            Err(error)
        };
    }
    sync_dir(&parent)
}

/// Start of the first task of an attempt, or of the attempt itself while none is on record.
fn since(dir: &JobDir, record: &JobRecord, attempt: u32) -> io::Result<u64> {
    for task in 0..record.spec.array_tasks {
        if let Some(begin) = dir.begin(attempt, task)? {
            return Ok(begin.wall_ms);
        }
    }
    Ok(dir
        .started(attempt)?
        .map_or_else(clock::wall_ms, |s| s.wall_ms))
}
