//! The worker's records of jobs: in memory for reading, on disk before anything is done that depends on them.

use crate::{
    local::{LocalJob, Submission},
    policy::{Outside, StepError},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};
use ve_store::{Database, Record};
use virtengine_primitives::{AgreementId, ClusterId};

const KIND: &str = "provider-job";
const PAGE: u32 = 500;

/// A record, and the version of it that the database has.
struct Kept {
    version: u64,
    job: LocalJob,
}

type Cache = BTreeMap<AgreementId, Kept>;

/// Records of jobs. Clones share them. The database belongs to this process alone, so what is in memory is what is on
/// disk.
#[derive(Clone)]
pub struct Records {
    database: Database,
    cache: Arc<Mutex<Cache>>,
    admissions: Arc<tokio::sync::Mutex<()>>,
}

fn id_of(agreement: AgreementId) -> String {
    format!("{agreement:020}")
}

impl Records {
    /// Reads all records.
    pub async fn load(database: Database) -> Result<Self, ve_store::Error> {
        let mut cache = Cache::new();
        let mut after = String::new();
        loop {
            let page: Vec<Record<LocalJob>> = database.list(KIND, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id.clone();
            cache.extend(page.into_iter().map(|record| {
                let (version, job) = (record.version, record.value);
                (job.agreement, Kept { version, job })
            }));
        }
        Ok(Self {
            database,
            cache: Arc::new(Mutex::new(cache)),
            admissions: Arc::default(),
        })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // The map is changed only by whole insertions and removals: a panic elsewhere leaves nothing half-done in it.
        self.cache
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The cluster of every job with a record.
    pub(crate) fn clusters(&self) -> HashMap<AgreementId, ClusterId> {
        let cache = self.cache();
        let of = cache.iter().map(|(id, kept)| (*id, kept.job.cluster));
        of.collect()
    }

    /// Number of records by phase.
    pub(crate) fn phases(&self) -> HashMap<&'static str, i64> {
        let mut phases = HashMap::new();
        for kept in self.cache().values() {
            *phases.entry(kept.job.phase()).or_default() += 1;
        }
        phases
    }

    /// Looks at the record of a job, without a copy.
    pub(crate) fn with<T>(
        &self,
        agreement: AgreementId,
        look: impl FnOnce(Option<&LocalJob>) -> T,
    ) -> T {
        look(self.cache().get(&agreement).map(|kept| &kept.job))
    }

    /// Held from a look at the room that is left until what takes it is recorded, so that two jobs do not both take the
    /// last of it.
    pub(crate) async fn admission(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.admissions.lock().await
    }

    /// Bytes that are kept on a cluster for the jobs of a customer, but for one.
    pub(crate) fn room_of(&self, cluster: ClusterId, customer: &[u8; 32], but: AgreementId) -> u64 {
        self.cache()
            .values()
            .map(|kept| &kept.job)
            .filter(|job| job.cluster == cluster && job.agreement != but)
            .filter_map(|job| job.room.as_ref())
            .filter(|room| room.customer == *customer)
            .fold(0, |sum, room| sum.saturating_add(room.bytes))
    }

    /// Jobs whose processes may be running as the same member of a pool. What a job left behind may outlive it, until its
    /// member is cleared; that is after its record has gone.
    pub(crate) fn share_member(&self, job: &LocalJob) -> Vec<AgreementId> {
        let cache = self.cache();
        let others = cache.values().map(|kept| &kept.job).filter(|other| {
            other.agreement != job.agreement
                && (other.cluster, &other.identity) == (job.cluster, &job.identity)
                && other.identity.is_some()
                && other.submission != Submission::None
        });
        others.map(|other| other.agreement).collect()
    }

    /// The record of a job.
    pub fn get(&self, agreement: AgreementId) -> Option<LocalJob> {
        self.with(agreement, |job| job.cloned())
    }

    /// Writes a record; it is on disk when this returns. One job has one writer at a time.
    pub async fn put(&self, job: &LocalJob) -> Result<(), StepError> {
        let id = id_of(job.agreement);
        let known = self.cache().get(&job.agreement).map(|kept| kept.version);
        let written = match known {
            Some(version) => {
                let mut record = Record {
                    id,
                    version,
                    updated: 0,
                    value: job.clone(),
                };
                let updated = self.database.update(KIND, &mut record).await;
                updated.map(|()| record)
            }
            None => self.database.insert(KIND, &id, job).await,
        };
        let record = written.map_err(StepError::unanswered(Outside::Store))?;
        let (version, job) = (record.version, record.value);
        self.cache().insert(job.agreement, Kept { version, job });
        Ok(())
    }

    /// Removes a record.
    pub async fn remove(&self, agreement: AgreementId) -> Result<(), StepError> {
        let known = self.cache().get(&agreement).map(|kept| kept.version);
        let Some(version) = known else {
            return Ok(());
        };
        self.database
            .remove(KIND, &id_of(agreement), version)
            .await
            .map_err(StepError::unanswered(Outside::Store))?;
        self.cache().remove(&agreement);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_should_be_there_again_when_loaded_from_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("worker.db");
        {
            let records = Records::load(Database::open(&path).await.unwrap())
                .await
                .unwrap();
            for agreement in 0..1_200 {
                records
                    .put(&LocalJob::new(agreement, u32::from(agreement > 10)))
                    .await
                    .unwrap();
            }
            let changed = LocalJob {
                staged: true,
                ..LocalJob::new(3, 0)
            };
            records.put(&changed).await.unwrap();
            records.remove(4).await.unwrap();
            records.remove(4).await.unwrap();
        }
        let records = Records::load(Database::open(&path).await.unwrap())
            .await
            .unwrap();
        assert!(records.get(3).unwrap().staged);
        assert_eq!(records.get(4), None);
        let clusters = records.clusters();
        let of = |cluster| clusters.values().filter(|c| **c == cluster).count();
        assert_eq!((of(0), of(1)), (10, 1_189));
        assert_eq!(records.phases()["new"], 1_198);
    }

    #[tokio::test]
    async fn member_should_be_shared_with_every_job_that_may_have_left_processes() {
        let records = Records::load(Database::in_memory().await.unwrap())
            .await
            .unwrap();
        let of = |agreement, cluster, user: &str, submission| LocalJob {
            identity: Some(user.to_owned()),
            submission,
            ..LocalJob::new(agreement, cluster)
        };
        let job = of(1, 0, "vejob000", Submission::Done);
        let elsewhere = of(2, 1, "vejob000", Submission::Done);
        let anothers = of(3, 0, "vejob001", Submission::Done);
        let other = of(4, 0, "vejob000", Submission::None);
        for record in [&job, &elsewhere, &anothers, &other] {
            records.put(record).await.unwrap();
        }
        let none: [AgreementId; 0] = [];
        assert_eq!(records.share_member(&job), none, "none of them ran as it");

        let end = virtengine_primitives::hpc::JobEnd {
            reason: virtengine_primitives::hpc::EndReason::Completed,
            exit_code: 0,
            tasks: Default::default(),
            result: None,
        };
        let intended = of(4, 0, "vejob000", Submission::Intended);
        let done = of(4, 0, "vejob000", Submission::Done);
        let ended = LocalJob {
            end: Some(end),
            retired_at: Some(0),
            ..done.clone()
        };
        for other in [intended, done, ended] {
            records.put(&other).await.unwrap();
            assert_eq!(records.share_member(&job), [4], "{other:?}");
        }
        records.remove(4).await.unwrap();
        assert_eq!(records.share_member(&job), none);
        // Without a pool jobs share nobody.
        assert_eq!(records.share_member(&LocalJob::new(5, 0)), none);
    }
}
