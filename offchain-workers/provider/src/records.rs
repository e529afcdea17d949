//! The worker's records of jobs: in memory for reading, on disk before anything is done that depends on them.

use crate::{
    local::LocalJob,
    policy::{Outside, StepError},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use ve_store::{Database, Record};
use virtengine_primitives::{AgreementId, ClusterId};

const KIND: &str = "provider-job";
const PAGE: u32 = 500;

type Cache = BTreeMap<AgreementId, Record<LocalJob>>;

/// Records of jobs. Clones share them. The database belongs to this process alone, so what is in memory is what is on
/// disk.
#[derive(Clone)]
pub struct Records {
    database: Database,
    cache: Arc<Mutex<Cache>>,
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
            cache.extend(
                page.into_iter()
                    .map(|record| (record.value.agreement, record)),
            );
        }
        Ok(Self {
            database,
            cache: Arc::new(Mutex::new(cache)),
        })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // The map is changed only by whole insertions and removals: a panic elsewhere leaves nothing half-done in it.
        self.cache
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Records of a cluster's jobs, in order of number.
    pub fn of_cluster(&self, cluster: ClusterId) -> Vec<LocalJob> {
        self.cache()
            .values()
            .filter(|r| r.value.cluster == cluster)
            .map(|r| r.value.clone())
            .collect()
    }

    /// The record of a job.
    pub fn get(&self, agreement: AgreementId) -> Option<LocalJob> {
        self.cache().get(&agreement).map(|r| r.value.clone())
    }

    /// Writes a record; it is on disk when this returns. One job has one writer at a time.
    pub async fn put(&self, job: &LocalJob) -> Result<(), StepError> {
        let known = self.cache().get(&job.agreement).cloned();
        let written = match known {
            Some(mut record) => {
                record.value = job.clone();
                self.database
                    .update(KIND, &mut record)
                    .await
                    .map(|()| record)
            }
            None => self.database.insert(KIND, &id_of(job.agreement), job).await,
        };
        let record = written.map_err(StepError::unanswered(Outside::Store))?;
        self.cache().insert(job.agreement, record);
        Ok(())
    }

    /// Removes a record.
    pub async fn remove(&self, agreement: AgreementId) -> Result<(), StepError> {
        let known = self
            .cache()
            .get(&agreement)
            .map(|r| (r.id.clone(), r.version));
        let Some((id, version)) = known else {
            return Ok(());
        };
        self.database
            .remove(KIND, &id, version)
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
        assert_eq!(records.of_cluster(0).len(), 10);
        assert_eq!(records.of_cluster(1).len(), 1_189);
    }
}
