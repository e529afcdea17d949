//! One scheduler for each member of a pool.

use super::Identity;
use crate::scheduler::Scheduler;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Makes the client that acts as one member. The error is for people.
pub type MakeClient = dyn Fn(&Identity) -> Result<Arc<dyn Scheduler>, String> + Send + Sync;

/// A cluster seen by the members of a pool: each has a client of its own, with the member's rights and no others, so that
/// nothing the worker does for one customer can touch another's jobs.
pub struct PerMember {
    make: Box<MakeClient>,
    clients: Mutex<HashMap<Identity, Arc<dyn Scheduler>>>,
}

impl PerMember {
    /// Clients that `make` makes when they are first needed.
    pub fn new(make: Box<MakeClient>) -> Self {
        Self {
            make,
            clients: Mutex::default(),
        }
    }

    /// The client of a member.
    pub fn of(&self, identity: &Identity) -> Result<Arc<dyn Scheduler>, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(identity) {
            return Ok(known.clone());
        }
        let made = (self.make)(identity)?;
        clients.insert(identity.clone(), made.clone());
        Ok(made)
    }
}
