//! The directory of one job.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    records::*,
    steps::{Observer, Step},
};
use crate::durable::{read_json, sync_dir, try_lock, write_whole};

/// Bytes set aside so that the last records can still be written when the disk is full.
const RESERVE: usize = 256 * 1024;

/// Paths and records of one job.
#[derive(Clone)]
pub(crate) struct JobDir {
    pub path: PathBuf,
    pub observer: Observer,
}

impl JobDir {
    pub fn new(path: PathBuf, observer: Observer) -> Self {
        Self { path, observer }
    }

    pub fn handle(&self) -> String {
        self.path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    pub fn script(&self) -> PathBuf {
        self.path.join("script")
    }

    pub fn shim_log(&self) -> PathBuf {
        self.path.join("shim.log")
    }

    pub fn lock_path(&self) -> PathBuf {
        self.path.join("lock")
    }

    pub fn attempt_dir(&self, attempt: u32) -> PathBuf {
        self.path.join(format!("a{attempt}"))
    }

    fn task_path(&self, attempt: u32, task: u32, what: &str) -> PathBuf {
        self.attempt_dir(attempt)
            .join(format!("t{task}.{what}.json"))
    }

    /// The job's lock, if nobody holds it. Its holder is the shim, or a client for a moment.
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        try_lock(&self.lock_path(), false)
    }

    /// Fills a fresh directory. It becomes a job by being renamed.
    pub fn create(&self, record: &JobRecord, script: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        (self.observer)(Step::Writing)?;
        fs::DirBuilder::new().mode(0o700).create(&self.path)?;
        File::create(self.lock_path())?.sync_all()?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(self.script())?;
        file.write_all(script)?;
        file.sync_all()?;
        let mut reserve = File::create(self.path.join("reserve"))?;
        reserve.write_all(&vec![0xA5; RESERVE])?;
        reserve.sync_all()?;
        self.put(&self.path.join("job.json"), record)
    }

    pub fn record(&self) -> io::Result<Option<JobRecord>> {
        let record: Option<JobRecord> = read_json(&self.path.join("job.json"))?;
        match record {
            Some(r) if r.layout != LAYOUT => Err(io::Error::other(format!(
                "{}: layout {} is not the one of this version ({LAYOUT})",
                self.path.display(),
                r.layout
            ))),
            other => Ok(other),
        }
    }

    fn put<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()> {
        (self.observer)(Step::Writing)?;
        write_whole(path, &serde_json::to_vec(record)?, true)
    }

    /// Writes a record that must not be lost: gives the reserve back to the disk if that is what it takes.
    fn put_surely<T: Serialize>(&self, path: &Path, record: &T) -> io::Result<()> {
        match self.put(path, record) {
            Ok(()) => Ok(()),
            Err(_) => {
                let _ = fs::remove_file(self.path.join("reserve"));
                self.put(path, record)
            }
        }
    }

    pub fn put_started(&self, attempt: u32, record: &Started) -> io::Result<()> {
        let dir = self.attempt_dir(attempt);
        match fs::create_dir(&dir) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => sync_dir(&self.path)?,
        }
        self.put(&dir.join("started.json"), record)
    }

    pub fn started(&self, attempt: u32) -> io::Result<Option<Started>> {
        read_json(&self.attempt_dir(attempt).join("started.json"))
    }

    /// Number of the last attempt that was started; 0 if none.
    pub fn last_attempt(&self) -> io::Result<u32> {
        let mut last = 0;
        while self.started(last + 1)?.is_some() {
            last += 1;
        }
        Ok(last)
    }

    pub fn put_begin(&self, attempt: u32, task: u32, record: &TaskBegin) -> io::Result<()> {
        self.put(&self.task_path(attempt, task, "begin"), record)
    }

    pub fn begin(&self, attempt: u32, task: u32) -> io::Result<Option<TaskBegin>> {
        read_json(&self.task_path(attempt, task, "begin"))
    }

    pub fn put_process(&self, attempt: u32, task: u32, record: &TaskProcess) -> io::Result<()> {
        let path = self.task_path(attempt, task, "pid");
        write_whole(&path, &serde_json::to_vec(record)?, false)
    }

    pub fn process(&self, attempt: u32, task: u32) -> io::Result<Option<TaskProcess>> {
        read_json(&self.task_path(attempt, task, "pid"))
    }

    pub fn put_task_end(&self, attempt: u32, task: u32, record: &TaskEnd) -> io::Result<()> {
        self.put_surely(&self.task_path(attempt, task, "end"), record)
    }

    pub fn task_end(&self, attempt: u32, task: u32) -> io::Result<Option<TaskEnd>> {
        read_json(&self.task_path(attempt, task, "end"))
    }

    pub fn put_beat(&self, attempt: u32, record: &Beat) -> io::Result<()> {
        let path = self.attempt_dir(attempt).join("beat.json");
        write_whole(&path, &serde_json::to_vec(record)?, false)
    }

    /// The last sign of life; none after a crash that tore it is as good as none at all.
    pub fn beat(&self, attempt: u32) -> Option<Beat> {
        read_json(&self.attempt_dir(attempt).join("beat.json"))
            .ok()
            .flatten()
    }

    pub fn put_attempt_end(&self, attempt: u32, record: &AttemptEnd) -> io::Result<()> {
        self.put_surely(&self.attempt_dir(attempt).join("ended.json"), record)
    }

    pub fn attempt_end(&self, attempt: u32) -> io::Result<Option<AttemptEnd>> {
        read_json(&self.attempt_dir(attempt).join("ended.json"))
    }

    pub fn put_cancel(&self, record: &CancelRequest) -> io::Result<()> {
        self.put_surely(&self.path.join("cancel.json"), record)
    }

    pub fn cancel(&self) -> io::Result<Option<CancelRequest>> {
        read_json(&self.path.join("cancel.json"))
    }

    pub fn put_job_end(&self, record: &JobEnded) -> io::Result<()> {
        self.put_surely(&self.path.join("end.json"), record)
    }

    pub fn job_end(&self) -> io::Result<Option<JobEnded>> {
        read_json(&self.path.join("end.json"))
    }
}
