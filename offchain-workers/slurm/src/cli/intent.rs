//! One submission of a handle at a time, and none while an earlier one may still be on its way.
//!
//! SLURM takes any number of jobs of one name. So clients of one machine share a directory with a file for each handle: it
//! is locked while a client looks and submits, and it is not empty from before `sbatch` is run until its answer is known. If
//! the answer never comes, a request may still wait somewhere between here and slurmctld; for a while nobody believes
//! that there is no job.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::fcntl::{Flock, FlockArg};

/// How long a request whose sender is gone may take to become a job: twice slurmctld's default `MessageTimeout`, and
/// as long as `sbatch` itself may live.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(60);
/// How long to wait for another client that submits the same handle.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Debug)]
pub(super) struct Intents {
    directory: PathBuf,
}

/// The right to submit a handle.
#[derive(Debug)]
pub(super) struct Intent {
    file: Flock<File>,
}

impl Intents {
    /// Makes the directory if it does not exist.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    fn path(&self, handle: &str) -> PathBuf {
        self.directory.join(format!("{handle}.submit"))
    }

    /// Waits for the right to submit.
    pub async fn take(&self, handle: &str) -> io::Result<Intent> {
        let until = Instant::now() + PATIENCE;
        loop {
            let path = self.path(handle);
            let tried = tokio::task::spawn_blocking(move || lock(&path)).await;
            match tried.map_err(io::Error::other)?? {
                Some(intent) => return Ok(intent),
                None if Instant::now() >= until => {
                    return Err(io::Error::new(
                        io::ErrorKind::WouldBlock,
                        "another client has been submitting it for too long",
                    ))
                }
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Whether a submission may be on its way that slurmctld has not seen.
    pub fn may_be_on_its_way(&self, handle: &str) -> io::Result<bool> {
        match fs::metadata(self.path(handle)) {
            Ok(data) => on_its_way(&data),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what is kept of a handle, unless a client holds it.
    pub fn remove(&self, handle: &str) -> io::Result<()> {
        let path = self.path(handle);
        if !path.exists() {
            return Ok(());
        }
        match lock(&path)? {
            Some(_held) => fs::remove_file(path),
            None => Ok(()),
        }
    }
}

fn on_its_way(data: &fs::Metadata) -> io::Result<bool> {
    // A clock that was set back makes it young again, which only delays.
    let young = data.modified()?.elapsed().is_ok_and(|age| age < ON_ITS_WAY)
        || data.modified()? > std::time::SystemTime::now();
    Ok(data.len() > 0 && young)
}

fn lock(path: &Path) -> io::Result<Option<Intent>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        // Somebody may have removed it meanwhile.
        Ok(file) if file.metadata()?.nlink() == 0 => Ok(None),
        Ok(file) => Ok(Some(Intent { file })),
        Err((_, nix::errno::Errno::EAGAIN)) => Ok(None),
        Err((_, error)) => Err(error.into()),
    }
}

impl Intent {
    /// Whether an earlier submission may still be on its way.
    pub fn may_be_on_its_way(&self) -> io::Result<bool> {
        on_its_way(&self.file.metadata()?)
    }

    /// From now on a request may be on its way.
    pub fn begin(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(b"submitting\n")?;
        self.file.sync_data()
    }

    /// The answer is known.
    pub fn end(&mut self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn intent_should_be_remembered_when_its_client_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let intents = Intents::open(directory.path()).unwrap();
        assert!(!intents.may_be_on_its_way("a").unwrap());
        let mut intent = intents.take("a").await.unwrap();
        assert!(!intent.may_be_on_its_way().unwrap());
        intent.begin().unwrap();
        assert!(lock(&intents.path("a")).unwrap().is_none());
        drop(intent);
        assert!(intents.may_be_on_its_way("a").unwrap());
        let mut intent = intents.take("a").await.unwrap();
        assert!(intent.may_be_on_its_way().unwrap());
        intent.end().unwrap();
        assert!(!intent.may_be_on_its_way().unwrap());
        drop(intent);
        intents.remove("a").unwrap();
        intents.remove("a").unwrap();
        assert!(!intents.path("a").exists());
    }
}
