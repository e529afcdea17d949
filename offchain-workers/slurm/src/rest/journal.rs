//! What was asked of slurmctld, on disk before it is asked.
//!
//! A new job reaches accounting only some seconds after slurmctld took it, and slurmrestd has no way to look for a name
//! in slurmctld other than to list every job. So each handle has a file here, written before the job is submitted and
//! again with its id. All clients of a cluster on a machine name the same directory.
//!
//! ```text
//! <state>/handles/<handle>.json   when it was handed over, and as which job
//!         jobs/<job>.json         exit codes of its tasks that accounting will not tell
//!         locks/<nn>              one client at a time for a handle
//! ```

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::shape::Exit;
use crate::{
    durable::{lock_within, read_json, write_whole},
    slurm::SlurmJobId,
    types::UnixMs,
};

/// Lock files; handles share them, so that none has to be removed.
const LOCKS: u64 = 64;

/// A job that was, or was about to be, handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    /// When that was noted.
    pub at: UnixMs,
    /// Its job, once slurmctld said so.
    pub job: Option<u32>,
}

/// Exit codes of the tasks of a job, by [`exit_key`].
pub(crate) type Exits = BTreeMap<String, Exit>;

/// The key of one attempt at a task: its own job id and its start. Ids begin again when a cluster is set up anew.
pub(crate) fn exit_key(raw: u32, started: u64) -> String {
    format!("{raw}@{started}")
}

/// Holds a handle until it is dropped.
pub(crate) struct Guard(#[allow(dead_code, reason = "its lock goes when it is closed")] File);

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    root: PathBuf,
}

impl Journal {
    pub fn open(root: &Path) -> io::Result<Self> {
        for dir in ["handles", "jobs", "locks"] {
            fs::create_dir_all(root.join(dir))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Waits for other clients that are about the same handle, at most `patience`. Blocks.
    pub fn lock(&self, handle: &str, patience: Duration) -> io::Result<Guard> {
        // FNV-1a: spreads well enough, and is the same in every release.
        let hash = handle.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        let path = self.root.join("locks").join(format!("{:02}", hash % LOCKS));
        let held = lock_within(&path, patience)?;
        held.map(Guard)
            .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "another client is about it"))
    }

    fn handle(&self, handle: &str) -> PathBuf {
        self.root.join("handles").join(format!("{handle}.json"))
    }

    fn job(&self, job: u32) -> PathBuf {
        self.root.join("jobs").join(format!("{job}.json"))
    }

    /// What is known of a handle.
    pub fn intent(&self, handle: &str) -> io::Result<Option<Intent>> {
        read_json(&self.handle(handle))
    }

    /// Notes where a submission stands. On the disk when it returns.
    pub fn note(&self, handle: &str, intent: &Intent) -> io::Result<()> {
        write(&self.handle(handle), intent)
    }

    /// Nothing was created under this handle.
    pub fn withdraw(&self, handle: &str) -> io::Result<()> {
        remove(&self.handle(handle))
    }

    /// Adds exit codes that are not known yet to those that are; what was noted once stays.
    pub fn exits(&self, job: u32, new: &Exits) -> io::Result<Exits> {
        let mut known: Exits = read_json(&self.job(job))?.unwrap_or_default();
        let before = known.len();
        for (key, exit) in new {
            known.entry(key.clone()).or_insert(*exit);
        }
        if known.len() > before {
            write(&self.job(job), &known)?;
        }
        Ok(known)
    }

    /// Removes all that is known of a job.
    pub fn forget(&self, id: &SlurmJobId) -> io::Result<()> {
        if self
            .intent(&id.handle)?
            .is_some_and(|r| r.job == Some(id.job))
        {
            self.withdraw(&id.handle)?;
        }
        remove(&self.job(id.job))
    }
}

/// Whole or not at all, and on the disk when it returns.
fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(value)?, true)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn id(job: u32) -> SlurmJobId {
        SlurmJobId {
            job,
            handle: "ve-1".into(),
        }
    }

    #[test]
    fn intent_should_be_found_by_others_when_it_was_noted() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.intent("ve-1").unwrap(), None);
        let mut intent = Intent { at: 5, job: None };
        journal.note("ve-1", &intent).unwrap();
        let other = Journal::open(dir.path()).unwrap();
        assert_eq!(other.intent("ve-1").unwrap(), Some(intent.clone()));
        intent.job = Some(7);
        other.note("ve-1", &intent).unwrap();
        assert_eq!(journal.intent("ve-1").unwrap(), Some(intent));
        // The number may be another job's by now.
        journal.forget(&id(8)).unwrap();
        assert!(journal.intent("ve-1").unwrap().is_some());
        journal.forget(&id(7)).unwrap();
        journal.forget(&id(7)).unwrap();
        assert_eq!(journal.intent("ve-1").unwrap(), None);
    }

    #[test]
    fn exit_should_stay_when_slurmctld_says_another_later() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let exits = |code| Exits::from([(exit_key(7, 100), Exit { code, signal: 0 })]);
        assert_eq!(journal.exits(7, &Exits::new()).unwrap(), Exits::new());
        assert_eq!(journal.exits(7, &exits(3)).unwrap(), exits(3));
        assert_eq!(journal.exits(7, &exits(0)).unwrap(), exits(3));
        assert_eq!(journal.exits(7, &Exits::new()).unwrap(), exits(3));
    }

    #[test]
    fn handle_should_be_one_clients_when_two_want_it() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let guard = journal.lock("ve-1", Duration::ZERO).unwrap();
        let error = journal
            .lock("ve-1", Duration::from_millis(20))
            .err()
            .unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(guard);
        journal.lock("ve-1", Duration::ZERO).unwrap();
    }

    #[test]
    fn damage_should_be_an_error_when_a_file_is_not_ours() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        fs::write(dir.path().join("handles/ve-1.json"), "{").unwrap();
        assert!(journal.intent("ve-1").is_err());
    }
}
