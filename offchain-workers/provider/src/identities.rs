//! Who has which identity of a cluster's pool.
//!
//! * A member of the pool belongs to one customer from their first job until the last of their jobs has been cleared
//!   away, directories included; all their jobs meanwhile run as it.
//! * A lease is on disk before anything is done as the member, and remains on disk until all that its customer left there
//!   has been removed: killed at any instant, the next start does what is missing.
//! * A member of which nothing is known here and whose directory is not empty is not given to anybody: what lies there may
//!   be somebody's.

use crate::{
    files::Agent,
    policy::{Outside, StepError},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sp_core::crypto::AccountId32;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use ve_slurm::{
    identity::{Identity, PerMember, Pool},
    Gather,
};
use ve_store::{Database, Record};
use virtengine_primitives::{AgreementId, ClusterId};

const KIND: &str = "identity-lease";
const PAGE: u32 = 500;
/// How long the jobs of a member that is cleared may take to end before it is tried again later, and how often to look.
const ENDING: Duration = Duration::from_secs(5);
const ENDING_POLL: Duration = Duration::from_millis(250);

/// The directories of a pool's members.
#[async_trait]
pub trait Homes: Send + Sync {
    /// Whether nothing lies in the directory of a member.
    async fn is_empty(&self, member: &Identity) -> io::Result<bool>;
    /// Ends what a member still runs, on the cluster and on this machine, and removes all that lies in its directory.
    /// `NotConnected`: the cluster gave no answer; `TimedOut`: what the member runs does not end.
    async fn clear(&self, member: &Identity) -> io::Result<()>;
}

/// A pool and the way to its members' directories.
#[derive(Clone)]
pub struct PoolSettings {
    /// Whom it consists of.
    pub pool: Pool,
    /// How one acts as one of them.
    pub agent: Agent,
    /// How each of them speaks to the scheduler.
    pub clients: Arc<PerMember>,
}

#[async_trait]
impl Homes for PoolSettings {
    async fn is_empty(&self, member: &Identity) -> io::Result<bool> {
        let (agent, member, home) = self.of(member);
        tokio::task::spawn_blocking(move || agent.is_empty(&member, &home)).await?
    }

    async fn clear(&self, member: &Identity) -> io::Result<()> {
        // First what runs on the cluster: it could go on writing, and reading what the next customer brings.
        self.end_jobs(member).await?;
        let (agent, whom, home) = self.of(member);
        tokio::task::spawn_blocking(move || agent.clear(&whom, &home)).await??;
        // What ran here until a moment ago may have submitted more.
        self.end_jobs(member).await
    }
}

impl PoolSettings {
    /// Ends all jobs of a member, those that its jobs have submitted too; waits a little for that.
    async fn end_jobs(&self, member: &Identity) -> io::Result<()> {
        let no_answer = |why: String| io::Error::new(io::ErrorKind::NotConnected, why);
        let client = self.clients.of(member).map_err(no_answer)?;
        let until = Instant::now() + ENDING;
        loop {
            let left = client.end_all().await;
            let left = left.map_err(|error| no_answer(error.to_string()))?;
            if left == 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                let user = &member.user;
                let why = format!(
                    "{left} jobs of {user} were asked to end and are still there, see `squeue -u {user}`; if they go on to \
                     submit others, set AllocNodes of the partitions to the machines that may submit"
                );
                return Err(io::Error::new(io::ErrorKind::TimedOut, why));
            }
            tokio::time::sleep(ENDING_POLL).await;
        }
    }

    fn of(&self, member: &Identity) -> (Agent, Identity, PathBuf) {
        (self.agent.clone(), member.clone(), self.pool.home(member))
    }
}

/// Who has a member, and for which jobs. Without jobs it is being cleared, and nobody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    customer: String,
    jobs: BTreeSet<AgreementId>,
}

/// What comes of looking for a member.
enum Choice {
    /// It is the customer's.
    Leased(Identity),
    /// None is free before this one is cleared.
    Clear(Identity),
}

/// Why no identity was leased.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Every member is somebody's.
    #[error(
        "the identity pool of cluster {cluster} is empty: {leased} of {size} members are in use{strange}; make it larger \
         (`size` in the configuration, then `virtengine-worker pool`), or wait until customers' jobs are cleared away"
    )]
    Exhausted {
        /// Of which cluster.
        cluster: ClusterId,
        /// Members that customers have.
        leased: usize,
        /// All members.
        size: u16,
        /// What else is wrong, or empty.
        strange: String,
    },
    /// A member could not be looked at or cleared.
    #[error("member {user} of the identity pool: {source}")]
    Member {
        /// Which.
        user: String,
        /// Why.
        source: io::Error,
    },
    /// The worker's database failed.
    #[error(transparent)]
    Store(#[from] ve_store::Error),
}

impl From<LeaseError> for StepError {
    fn from(error: LeaseError) -> Self {
        let outside = match &error {
            LeaseError::Store(_) => Outside::Store,
            LeaseError::Exhausted { .. } => Outside::Scheduler,
            LeaseError::Member { source, .. } => match (source.raw_os_error(), source.kind()) {
                (None, io::ErrorKind::TimedOut) => Outside::Member,
                (None, io::ErrorKind::NotConnected) => Outside::Scheduler,
                _ => Outside::Disk,
            },
        };
        Self::Unanswered {
            outside,
            reason: error.to_string(),
        }
    }
}

fn of(member: &Identity) -> impl FnOnce(io::Error) -> LeaseError {
    let user = member.user.clone();
    move |source| LeaseError::Member { user, source }
}

/// The leases of one cluster's pool. The database belongs to this process alone.
pub struct Identities {
    database: Database,
    cluster: ClusterId,
    pool: Pool,
    homes: Arc<dyn Homes>,
    /// One change at a time.
    turn: Mutex<()>,
    /// Customers, and their next jobs.
    joining: Gather<(String, AgreementId), Option<Identity>>,
    /// By member: one clearing of it at a time.
    clearing: std::sync::Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
}

impl Identities {
    /// The leases that are on record.
    pub fn new(database: Database, cluster: ClusterId, pool: Pool, homes: Arc<dyn Homes>) -> Self {
        Self {
            database,
            cluster,
            pool,
            homes,
            turn: Mutex::new(()),
            joining: Gather::default(),
            clearing: Default::default(),
        }
    }

    /// The identity of a customer, leased for one more job. Done before for this job, it is the same again. Waits for a member
    /// to be cleared only if the customer has none and no other is free.
    ///
    /// `fresh`: the job cannot have run before. If it can, the worker's store was lost; then a directory that holds
    /// something unknown may be this job's, and nothing is leased until somebody has looked at it.
    pub async fn lease(
        &self,
        customer: &AccountId32,
        job: AgreementId,
        fresh: bool,
    ) -> Result<Identity, LeaseError> {
        let customer = hex::encode(customer);
        let join = (customer.clone(), job);
        let joined = self.joining.put(join, |all| self.join(all)).await;
        if let Some(member) = joined.flatten() {
            return Ok(member);
        }
        // Why members were not cleared.
        let mut tried = BTreeMap::new();
        loop {
            let member = {
                let _turn = self.turn.lock().await;
                match self.choose(&customer, job, fresh, &tried).await? {
                    Choice::Leased(member) => return Ok(member),
                    Choice::Clear(member) => member,
                }
            };
            if let Err(error) = self.clear(&member).await {
                tried.insert(member.user, error.to_string());
            }
        }
    }

    /// Leases members to further jobs of customers who have one: of a thousand jobs, most are bought by few customers, and
    /// to record them together costs what one costs. `None`: the customer has none, or it could not be recorded.
    async fn join(&self, all: Vec<(String, AgreementId)>) -> Vec<Option<Identity>> {
        let _turn = self.turn.lock().await;
        let mut joined = HashMap::new();
        // What is wrong with the database, they are told when they are tried one by one.
        for (member, mut lease) in self.leases().await.unwrap_or_default() {
            let Lease { customer, jobs } = &mut lease.value;
            if jobs.is_empty() || joined.contains_key(customer) {
                continue;
            }
            let before = jobs.len();
            let theirs = all.iter().filter(|(whose, _)| whose == customer);
            jobs.extend(theirs.map(|(_, job)| job));
            let (customer, changed) = (customer.clone(), jobs.len() > before);
            if !changed || self.database.update(KIND, &mut lease).await.is_ok() {
                joined.insert(customer, member);
            }
        }
        let member = |(customer, _): &(String, AgreementId)| joined.get(customer).cloned();
        all.iter().map(member).collect()
    }

    /// Leases a member if one is the customer's or nobody's; else which one to clear first, but for those that were `tried`.
    /// To be called in `turn`.
    async fn choose(
        &self,
        customer: &str,
        job: AgreementId,
        fresh: bool,
        tried: &BTreeMap<String, String>,
    ) -> Result<Choice, LeaseError> {
        let all = self.leases().await?;
        let theirs = all
            .iter()
            .find(|(_, lease)| lease.value.customer == customer && !lease.value.jobs.is_empty());
        if let Some((member, lease)) = theirs {
            let mut lease = lease.clone();
            if lease.value.jobs.insert(job) {
                self.database.update(KIND, &mut lease).await?;
            }
            return Ok(Choice::Leased(member.clone()));
        }
        let (mut unused, mut left) = (Vec::new(), None);
        for member in self.pool.members() {
            match all.iter().find(|(leased, _)| *leased == member) {
                None => unused.push(member),
                Some((_, found)) if found.value.jobs.is_empty() => {
                    if !tried.contains_key(&member.user) {
                        left = left.or(Some(member));
                    }
                }
                Some(_) => {}
            }
        }
        let mut strange: Vec<String> = tried.values().cloned().collect();
        let mut chosen = None;
        for member in unused {
            if self.homes.is_empty(&member).await.map_err(of(&member))? {
                chosen = chosen.or(Some(member));
                if fresh {
                    break;
                }
            } else {
                strange.push(format!(
                    "the directory of {} holds files of which this worker knows nothing: look at them and empty it",
                    member.user
                ));
            }
        }
        if let Some(member) = chosen.filter(|_| fresh || (strange.is_empty() && left.is_none())) {
            let lease = Lease {
                customer: customer.to_owned(),
                jobs: BTreeSet::from([job]),
            };
            self.database
                .insert(KIND, &self.id(&member), &lease)
                .await?;
            return Ok(Choice::Leased(member));
        }
        if let Some(member) = left {
            return Ok(Choice::Clear(member));
        }
        Err(LeaseError::Exhausted {
            cluster: self.cluster,
            leased: all.len(),
            size: self.pool.size(),
            strange: strange.iter().map(|why| format!("; {why}")).collect(),
        })
    }

    /// A job needs its identity no more. With the last one all that the member has left is removed before anybody else can
    /// get it. Repeated until it succeeds; `member` as the job knows it, if it does.
    pub async fn release(&self, member: Option<&str>, job: AgreementId) -> Result<(), LeaseError> {
        let turn = self.turn.lock().await;
        let mut left = Vec::new();
        for (identity, mut lease) in self.leases().await? {
            let was = lease.value.jobs.remove(&job);
            if was {
                self.database.update(KIND, &mut lease).await?;
            }
            let theirs = was || member == Some(identity.user.as_str());
            if theirs && lease.value.jobs.is_empty() {
                left.push(identity);
            }
        }
        drop(turn);
        for member in left {
            self.clear(&member).await?;
        }
        Ok(())
    }

    /// Clears the members that were being cleared when the last process ended. All are tried; the first error is returned.
    pub async fn sweep(&self) -> Result<(), LeaseError> {
        let mut result = Ok(());
        for (identity, lease) in self.leases().await? {
            if lease.value.jobs.is_empty() {
                result = result.and(self.clear(&identity).await);
            }
        }
        result
    }

    /// Number of members that are somebody's.
    pub async fn leased(&self) -> Result<usize, LeaseError> {
        Ok(self.leases().await?.len())
    }

    /// Removes what a member has left, then the record that it has; nothing if it is somebody's, or was cleared meanwhile.
    /// May take minutes, so `turn` is not held for it: a lease without jobs is changed by nobody else.
    async fn clear(&self, member: &Identity) -> Result<(), LeaseError> {
        let alone = self.clearing(member);
        let _alone = alone.lock().await;
        let lease: Option<Record<Lease>> = self.database.get(KIND, &self.id(member)).await?;
        let Some(lease) = lease.filter(|lease| lease.value.jobs.is_empty()) else {
            return Ok(());
        };
        self.homes.clear(member).await.map_err(of(member))?;
        let _turn = self.turn.lock().await;
        self.database.remove(KIND, &lease.id, lease.version).await?;
        Ok(())
    }

    /// Held while a member is cleared.
    fn clearing(&self, member: &Identity) -> Arc<Mutex<()>> {
        // Nothing is left half-done in the map by a panic.
        let all = self.clearing.lock();
        let mut all = all.unwrap_or_else(|poisoned| poisoned.into_inner());
        all.entry(member.user.clone()).or_default().clone()
    }

    fn id(&self, member: &Identity) -> String {
        format!("{:010}/{}", self.cluster, member.user)
    }

    async fn leases(&self) -> Result<Vec<(Identity, Record<Lease>)>, LeaseError> {
        let prefix = format!("{:010}/", self.cluster);
        let mut all = Vec::new();
        let mut after = prefix.clone();
        loop {
            let page: Vec<Record<Lease>> = self.database.list(KIND, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id.clone();
            let here = page.into_iter().filter_map(|record| {
                let member = self.pool.known(record.id.strip_prefix(&prefix)?)?;
                Some((member, record))
            });
            all.extend(here);
            if !after.starts_with(&prefix) {
                break;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
#[path = "identities_tests.rs"]
mod tests;
