//! One submission of a handle at a time.
//!
//! SLURM takes any number of jobs of one name. So clients of one machine share a directory with a file for each handle that
//! is being submitted, and whoever holds its lock may submit. What is in it is the client's own matter.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::durable::locked;

/// How long to wait for another client that submits the same handle.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// The directory.
#[derive(Clone, Debug)]
pub(crate) struct Handles {
    directory: PathBuf,
}

/// The right to submit a handle, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    path: PathBuf,
}

impl Handles {
    /// Makes the directory if it does not exist.
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// The file of a handle.
    pub fn path(&self, handle: &str) -> PathBuf {
        self.directory.join(format!("{handle}.submit"))
    }

    /// Waits for the right to submit.
    pub async fn take(&self, handle: &str) -> io::Result<Held> {
        let until = Instant::now() + PATIENCE;
        loop {
            let path = self.path(handle);
            let tried = tokio::task::spawn_blocking(move || lock(&path)).await;
            match tried.map_err(io::Error::other)?? {
                Some(held) => return Ok(held),
                None if Instant::now() >= until => {
                    return Err(io::Error::new(
                        io::ErrorKind::WouldBlock,
                        "another client has been submitting it for too long",
                    ))
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Removes what is kept of a handle, unless a client holds it.
    pub fn remove(&self, handle: &str) -> io::Result<()> {
        let path = self.path(handle);
        if !path.exists() {
            return Ok(());
        }
        lock(&path)?.map_or(Ok(()), |held| held.remove())
    }
}

fn lock(path: &Path) -> io::Result<Option<Held>> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    match locked(file)? {
        // Somebody may have removed it meanwhile.
        Some(file) if file.metadata()?.nlink() > 0 => Ok(Some(Held {
            file,
            path: path.to_owned(),
        })),
        _ => Ok(None),
    }
}

impl Held {
    /// Its file, open to append.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Removes the file: nothing has to be remembered. Whoever waits for it makes another.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn handle_should_be_one_clients_when_two_want_it() {
        let directory = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Handles::open(directory.path()).unwrap());
        let held = one.take("a").await.unwrap();
        assert!(lock(&other.path("a")).unwrap().is_none());
        other.remove("a").unwrap();
        assert!(one.path("a").exists(), "it is held");
        other.take("b").await.unwrap();

        // Whoever waits gets a file that the next one sees, although the one that he waited for is gone.
        let waiting = tokio::spawn(async move { other.take("a").await });
        tokio::time::sleep(POLL / 2).await;
        held.remove().unwrap();
        drop(held);
        let held = waiting.await.unwrap().unwrap();
        assert!(lock(&one.path("a")).unwrap().is_none());
        drop(held);
        one.remove("a").unwrap();
        one.remove("a").unwrap();
        assert!(!one.path("a").exists());
    }
}
