//! The worker's records of jobs: in memory for reading, on disk before anything is done that depends on them.

use crate::{
    local::{LocalJob, Room, Submission},
    policy::{Outside, StepError},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    /// Room of jobs whose record does not have it yet.
    claims: Arc<Mutex<Claims>>,
}

/// By job: on which cluster, and what.
type Claims = HashMap<AgreementId, (ClusterId, Room)>;

/// Room that nobody else is given; until it is dropped, by when it is recorded or not needed.
#[derive(Debug)]
#[must_use]
pub(crate) struct Claim {
    claims: Arc<Mutex<Claims>>,
    id: AgreementId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        locked(&self.claims).remove(&self.id);
    }
}

fn locked<T>(all: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps are changed only by whole insertions and removals: a panic elsewhere leaves nothing half-done in them.
    all.lock().unwrap_or_else(PoisonError::into_inner)
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
            claims: Arc::default(),
        })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        locked(&self.cache)
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

    /// Claims room for a job's files on a cluster, of what its customer may take there in all. `Err`: so many bytes are
    /// taken by other jobs, and it is not enough.
    pub(crate) fn claim(
        &self,
        cluster: ClusterId,
        id: AgreementId,
        room: &Room,
        quota: u64,
    ) -> Result<Claim, u64> {
        let mut claims = locked(&self.claims);
        let taken = {
            let cache = self.cache();
            let kept = cache.values().map(|kept| &kept.job);
            let recorded = kept
                .filter(|job| job.cluster == cluster && !claims.contains_key(&job.agreement))
                .filter_map(|job| Some((job.agreement, job.room.as_ref()?)));
            let claimed = claims.iter().filter(|(_, (at, _))| *at == cluster);
            recorded
                .chain(claimed.map(|(id, (_, room))| (*id, room)))
                .filter(|(other, its)| *other != id && its.customer == room.customer)
                .fold(0u64, |sum, (_, its)| sum.saturating_add(its.bytes))
        };
        if taken.saturating_add(room.bytes) > quota {
            return Err(taken);
        }
        claims.insert(id, (cluster, room.clone()));
        Ok(Claim {
            claims: self.claims.clone(),
            id,
        })
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
    async fn room_should_be_given_once_when_it_is_claimed_and_when_it_is_recorded() {
        let records = Records::load(Database::in_memory().await.unwrap());
        let records = records.await.unwrap();
        let room = |customer: u8, bytes: u64| Room {
            customer: [customer; 32],
            bytes,
        };
        let claim = |cluster, id, customer, bytes| {
            let room = room(customer, bytes);
            records.claim(cluster, id, &room, 100)
        };
        let first = claim(0, 1, 7, 60).unwrap();
        assert_eq!(claim(0, 2, 7, 41).err(), Some(60), "it is claimed");
        assert_eq!(claim(0, 1, 7, 101).err(), Some(0), "its own does not count");
        drop(claim(0, 2, 8, 100).expect("another customer's"));
        drop(claim(1, 2, 7, 100).expect("on another cluster"));
        let job = LocalJob {
            room: Some(room(7, 60)),
            ..LocalJob::new(1, 0)
        };
        records.put(&job).await.unwrap();
        let second = claim(0, 2, 7, 40).expect("it counts once");
        drop(first);
        assert_eq!(claim(0, 3, 7, 1).err(), Some(100), "it is recorded");
        drop(second);
        drop(claim(0, 3, 7, 40).expect("the second is given back"));
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
