//! Where many jobs stand, without reading again the records of those that did not change.
//!
//! Whatever happens to a job that waits or has ended makes a file in its directory, which changes the directory's time.
//! Times are as coarse as the file system's clock, so a directory that changed a moment ago is read again.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::MetadataExt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{
    dir::JobDir,
    judge::{judge, Phase},
    records::JobRecord,
};
use crate::types::UnixMs;

/// A change younger than this may be followed by one that the directory's time does not show.
const COARSE: Duration = Duration::from_secs(2);

/// What the queue has to know of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    pub phase: Phase,
    pub submitted: UnixMs,
    /// Processors that it holds while it runs.
    pub cpus: u64,
    /// Memory in MiB that it holds while it runs.
    pub memory_mib: u64,
}

impl Glance {
    fn new(record: &JobRecord, phase: Phase) -> Self {
        let parallel = u64::from(record.parallel);
        Self {
            phase,
            submitted: record.submitted,
            cpus: u64::from(record.spec.cpus).saturating_mul(parallel),
            memory_mib: record.spec.memory_mib.saturating_mul(parallel),
        }
    }
}

/// By what a directory is known to be unchanged.
type Stamp = (u64, i64, i64);

/// What is known of jobs that wait or have ended, by handle.
#[derive(Default)]
pub(crate) struct Glances(Mutex<HashMap<String, (Stamp, Glance)>>);

impl Glances {
    fn known(&self) -> MutexGuard<'_, HashMap<String, (Stamp, Glance)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a job stands, and its record if that had to be read; it always has for one that runs. `None`: there is no
    /// such job.
    pub fn at(
        &self,
        dir: &JobDir,
        cluster: &str,
    ) -> io::Result<Option<(Glance, Option<JobRecord>)>> {
        let handle = dir.handle();
        let begun = SystemTime::now();
        let metadata = match fs::symlink_metadata(&dir.path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.known().remove(&handle);
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        let stamp = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec());
        if let Some((at, glance)) = self.known().get(&handle) {
            if *at == stamp {
                return Ok(Some((glance.clone(), None)));
            }
        }
        let Some(judged) = judge(dir, cluster)? else {
            self.known().remove(&handle);
            return Ok(None);
        };
        let glance = Glance::new(&judged.record, judged.phase);
        let rests = matches!(
            glance.phase,
            Phase::Waiting { attempt: 1 } | Phase::Ended(_)
        );
        let settled = metadata
            .modified()
            .is_ok_and(|at| begun.duration_since(at).is_ok_and(|age| age > COARSE));
        if rests && settled {
            self.known().insert(handle, (stamp, glance.clone()));
        } else {
            self.known().remove(&handle);
        }
        Ok(Some((glance, Some(judged.record))))
    }

    /// Forgets all but these.
    pub fn keep(&self, jobs: &[JobDir]) {
        let mut known = self.known();
        if known.len() > jobs.len() {
            let there: std::collections::HashSet<_> = jobs.iter().map(JobDir::handle).collect();
            known.retain(|handle, _| there.contains(handle));
        }
    }
}
