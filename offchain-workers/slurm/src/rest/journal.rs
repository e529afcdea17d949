//! What was asked of slurmctld, on disk before it is asked.
//!
//! A new job reaches accounting only some seconds after slurmctld took it, and slurmrestd has no way to look for a name
//! in slurmctld other than to list every job. So each handle has a file here, written before the job is submitted and
//! again with its id. All clients of a cluster on a machine name the same directory.
//!
//! ```text
//! <state>/handles/<handle>.submit   when it was handed over, and as which job: its last whole line of JSON
//!         jobs/<job>.json           exit codes of its tasks that accounting will not tell
//! ```

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::shape::Exit;
use crate::{
    durable::{read_json, sync_dir, write_whole},
    handles::{Handles, Held},
    slurm::SlurmJobId,
    types::UnixMs,
};

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

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    root: PathBuf,
    handles: Handles,
}

impl Journal {
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("jobs"))?;
        Ok(Self {
            root: root.to_owned(),
            handles: Handles::open(&root.join("handles"))?,
        })
    }

    fn job(&self, job: u32) -> PathBuf {
        self.root.join("jobs").join(format!("{job}.json"))
    }

    /// Waits for other clients that are about the same handle.
    pub async fn take(&self, handle: &str) -> io::Result<Held> {
        self.handles.take(handle).await
    }

    /// What is known of a handle.
    pub fn intent(&self, handle: &str) -> io::Result<Option<Intent>> {
        let path = self.handles.path(handle);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(damaged(&path, error)),
        };
        // What comes after the last end of a line was being written when its writer died.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let last = whole.lines().next_back().filter(|line| !line.is_empty());
        last.map(serde_json::from_str)
            .transpose()
            .map_err(|error| damaged(&path, error))
    }

    /// Notes that a job is about to be handed over. On the disk when it returns.
    pub fn begin(&self, held: &Held, at: UnixMs) -> io::Result<()> {
        append(held, &Intent { at, job: None })?;
        held.file().sync_data()?;
        sync_dir(&self.root.join("handles"))
    }

    /// Notes as which job. Should this be lost with the power, it is looked for.
    pub fn taken(&self, held: &Held, at: UnixMs, job: u32) -> io::Result<()> {
        append(held, &Intent { at, job: Some(job) })
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
            .is_none_or(|intent| intent.job.is_none_or(|job| job == id.job))
        {
            self.handles.remove(&id.handle)?;
        }
        match fs::remove_file(self.job(id.job)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

/// On a line of its own, whatever was not written to its end before.
fn append(held: &Held, intent: &Intent) -> io::Result<()> {
    let line = format!("\n{}\n", serde_json::to_string(intent)?);
    held.file().write_all(line.as_bytes())
}

fn damaged(path: &Path, error: impl std::fmt::Display) -> io::Error {
    let why = format!("{}: {error}", path.display());
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Whole or not at all, and on the disk when it returns.
fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    write_whole(path, &serde_json::to_vec(value)?, true)
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

    #[tokio::test]
    async fn intent_should_be_found_by_others_when_it_was_noted() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.intent("ve-1").unwrap(), None);
        let held = journal.take("ve-1").await.unwrap();
        assert_eq!(journal.intent("ve-1").unwrap(), None);
        journal.begin(&held, 5).unwrap();
        let other = Journal::open(dir.path()).unwrap();
        let mut intent = Intent { at: 5, job: None };
        assert_eq!(other.intent("ve-1").unwrap(), Some(intent.clone()));
        intent.job = Some(7);
        journal.taken(&held, 5, 7).unwrap();
        drop(held);
        assert_eq!(other.intent("ve-1").unwrap(), Some(intent));
        // The number may be another job's by now.
        journal.forget(&id(8)).unwrap();
        assert!(journal.intent("ve-1").unwrap().is_some());
        journal.forget(&id(7)).unwrap();
        journal.forget(&id(7)).unwrap();
        assert_eq!(journal.intent("ve-1").unwrap(), None);
    }

    #[tokio::test]
    async fn intent_should_be_the_last_whole_one_when_a_writer_died_at_any_byte() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        let held = journal.take("ve-1").await.unwrap();
        journal.begin(&held, 5).unwrap();
        let before = held.file().metadata().unwrap().len();
        journal.taken(&held, 5, 7).unwrap();
        let after = held.file().metadata().unwrap().len();
        let first = Intent { at: 5, job: None };
        let second = |at| Intent { at, job: Some(7) };
        assert_eq!(journal.intent("ve-1").unwrap(), Some(second(5)));
        for length in (before..after).rev() {
            held.file().set_len(length).unwrap();
            assert_eq!(
                journal.intent("ve-1").unwrap(),
                Some(first.clone()),
                "{length}"
            );
            journal.taken(&held, 6, 7).unwrap();
            assert_eq!(journal.intent("ve-1").unwrap(), Some(second(6)), "{length}");
        }
        for length in 0..before {
            held.file().set_len(length).unwrap();
            assert_eq!(journal.intent("ve-1").unwrap(), None, "{length}");
        }
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
    fn damage_should_be_an_error_when_a_file_is_not_ours() {
        let dir = TempDir::new().unwrap();
        let journal = Journal::open(dir.path()).unwrap();
        fs::write(dir.path().join("handles/ve-1.submit"), "{\n").unwrap();
        assert!(journal.intent("ve-1").is_err());
    }
}
