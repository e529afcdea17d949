//! No submission while an earlier one may still be on its way.
//!
//! The file of a handle is not empty from before `sbatch` is run until its answer is known. If the answer never comes, a
//! request may still wait somewhere between here and slurmctld; for a while nobody believes that there is no job.

use std::{fs, io, time::Duration};

use crate::handles::{Handles, Held};

/// How long a request whose sender is gone may take to become a job: twice slurmctld's default `MessageTimeout`, and
/// as long as all `sbatch` together may live that were begun with its own.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(60);

impl Handles {
    /// Whether a submission may be on its way that slurmctld has not seen.
    pub fn may_be_on_its_way(&self, handle: &str) -> io::Result<bool> {
        match fs::metadata(self.path(handle)) {
            Ok(data) => on_its_way(&data),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Held {
    /// Whether an earlier submission may still be on its way.
    pub fn may_be_on_its_way(&self) -> io::Result<bool> {
        on_its_way(&self.file().metadata()?)
    }

    /// From now on requests may be on their way.
    pub fn begin<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> io::Result<()> {
        // A length alone is no content that would have to find its place on the disk; what the first of them waits for
        // brings all of them there.
        for held in all.clone() {
            held.file().set_len(0)?;
            held.file().set_len(1)?;
        }
        for held in all {
            held.file().sync_data()?;
        }
        Ok(())
    }
}

fn on_its_way(data: &fs::Metadata) -> io::Result<bool> {
    // A clock that was set back makes it young again, which only delays.
    let young = data.modified()?.elapsed().is_ok_and(|age| age < ON_ITS_WAY)
        || data.modified()? > std::time::SystemTime::now();
    Ok(data.len() > 0 && young)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn intent_should_be_remembered_when_its_client_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let handles = Handles::open(directory.path()).unwrap();
        assert!(!handles.may_be_on_its_way("a").unwrap());
        let held = handles.take("a").await.unwrap();
        assert!(!held.may_be_on_its_way().unwrap());
        let other = handles.take("b").await.unwrap();
        Held::begin([&held, &other].into_iter()).unwrap();
        drop(held);
        for handle in ["a", "b"] {
            assert!(handles.may_be_on_its_way(handle).unwrap());
        }
        let held = handles.take("a").await.unwrap();
        assert!(held.may_be_on_its_way().unwrap());
        held.remove().unwrap();
        assert!(!handles.may_be_on_its_way("a").unwrap());
    }

    #[tokio::test]
    async fn intent_should_be_young_again_when_it_is_begun_again() {
        let directory = tempfile::tempdir().unwrap();
        let handles = Handles::open(directory.path()).unwrap();
        let held = handles.take("a").await.unwrap();
        Held::begin([&held].into_iter()).unwrap();
        let long_ago = std::time::SystemTime::now() - ON_ITS_WAY * 2;
        held.file().set_modified(long_ago).unwrap();
        assert!(!held.may_be_on_its_way().unwrap());
        Held::begin([&held].into_iter()).unwrap();
        assert!(held.may_be_on_its_way().unwrap());
    }
}
