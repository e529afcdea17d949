//! One scheduler for all members of a pool.

use super::Identity;
use crate::{
    scheduler::{ForgetError, QueryError, Scheduler, SubmitError},
    types::{Attempt, Health, Lookup, SchedulerJobId, Status, SubmitSpec},
};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Makes the client that submits as one member. The error is for people.
pub type MakeMember = dyn Fn(&Identity) -> Result<Arc<dyn Scheduler>, String> + Send + Sync;

/// A cluster whose jobs are submitted as members of a pool, each by a client of its own that has the member's rights and no
/// others, and watched by one client that sees the jobs of all.
pub struct PerMember {
    watcher: Arc<dyn Scheduler>,
    make: Box<MakeMember>,
    members: Mutex<HashMap<Identity, Arc<dyn Scheduler>>>,
}

impl PerMember {
    /// `watcher` sees and ends the jobs of all members and submits nothing; `make` makes the client of one. Both must share
    /// whatever they keep of handles that were submitted.
    pub fn new(watcher: Arc<dyn Scheduler>, make: Box<MakeMember>) -> Self {
        Self {
            watcher,
            make,
            members: Mutex::default(),
        }
    }

    fn member(&self, identity: &Identity) -> Result<Arc<dyn Scheduler>, String> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = members.get(identity) {
            return Ok(known.clone());
        }
        let made = (self.make)(identity)?;
        members.insert(identity.clone(), made.clone());
        Ok(made)
    }
}

#[async_trait]
impl Scheduler for PerMember {
    async fn health(&self) -> Health {
        self.watcher.health().await
    }

    async fn submit(&self, spec: &SubmitSpec) -> Result<SchedulerJobId, SubmitError> {
        let Some(identity) = &spec.identity else {
            let why = "identity: jobs of this cluster run as a member of its pool, name one";
            return Err(SubmitError::Refused(why.into()));
        };
        let member = self.member(identity).map_err(SubmitError::Unavailable)?;
        member.submit(spec).await
    }

    async fn find(&self, handle: &str) -> Lookup {
        self.watcher.find(handle).await
    }

    async fn status(&self, id: &SchedulerJobId) -> Status {
        self.watcher.status(id).await
    }

    async fn statuses(&self, ids: &[SchedulerJobId]) -> Vec<Status> {
        self.watcher.statuses(ids).await
    }

    async fn cancel(&self, id: &SchedulerJobId) -> Result<(), QueryError> {
        self.watcher.cancel(id).await
    }

    async fn attempts(&self, id: &SchedulerJobId) -> Result<Vec<Attempt>, QueryError> {
        self.watcher.attempts(id).await
    }

    async fn forget(&self, id: &SchedulerJobId) -> Result<(), ForgetError> {
        self.watcher.forget(id).await
    }
}
