//! What the chain said of each job when it was last asked, so that a round need not ask for all of them again.
//!
//! The events of the finalised blocks say which jobs to look at; what is true of them is read at the block. Every
//! [`EVERYTHING`], at the start, and whenever it cannot be told what happened, all jobs are looked at, page by page.

use crate::{
    context::Context,
    policy::{Outside, StepError},
    reconcile::{Observed, OnChain, Settlement},
    view::{ChainJob, News, Snapshot},
};
use futures::{stream, StreamExt, TryStreamExt};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};
use virtengine_primitives::{
    apis::PAGE, hpc::JobState, AgreementId, BlockNumber, ClusterId, Moment,
};

/// Between two looks at everything: an event that was overlooked costs no more time than this.
const EVERYTHING: Duration = Duration::from_secs(60);
/// Between two looks at the money of ended jobs, which waits for weeks and whose disputes are told by events.
const MONEY: Duration = Duration::from_secs(600);

/// What is known of a job; small, because there may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The cluster of ours that looks after it.
    pub cluster: ClusterId,
    pub observed: Observed,
    pub accepted_at: Option<Moment>,
    pub started_at: Option<Moment>,
}

impl Seen {
    pub(crate) fn new(cluster: ClusterId, job: Option<&ChainJob>) -> Self {
        Self {
            cluster,
            observed: observe(cluster, job),
            accepted_at: job.and_then(|j| j.accepted_at),
            started_at: job.and_then(|j| j.started_at),
        }
    }

    /// What a block that may still be replaced adds to a job that is finally assigned to us; `None` if nothing.
    pub(crate) fn ahead(cluster: ClusterId, job: Option<&ChainJob>) -> Option<Self> {
        let seen = Self::new(cluster, job);
        let observed = match seen.observed {
            Observed::Open(OnChain {
                state: JobState::Assigned,
                ..
            }) => return None,
            Observed::Open(job) => Observed::Ahead(job),
            // Nothing that is of use to us; what it is, finality will tell.
            _ => Observed::Ahead(OnChain {
                state: JobState::Assigned,
                deadline: 0,
                cancel_requested: false,
                started: false,
            }),
        };
        Some(Self { observed, ..seen })
    }
}

/// What the chain says about a job of a cluster of ours. Where the money of an ended one stands is not known yet.
pub(crate) fn observe(cluster: ClusterId, job: Option<&ChainJob>) -> Observed {
    match job {
        None => Observed::Gone,
        Some(job) if job.ended_at.is_some() || matches!(job.state, JobState::Ended(_)) => {
            Observed::Ended(if job.assignment.cluster == cluster {
                Settlement::Unknown
            } else {
                // It ended at somebody else's, who answers for it.
                Settlement::Settled
            })
        }
        Some(job) if job.assignment.cluster != cluster => Observed::Elsewhere,
        Some(job) => Observed::Open(OnChain {
            state: job.state,
            deadline: job.deadline,
            cancel_requested: job.cancel_by.is_some(),
            started: job.started_at.is_some(),
        }),
    }
}

/// What is known of all jobs that concern us.
#[derive(Default)]
pub(crate) struct Watch {
    seen: BTreeMap<AgreementId, Seen>,
    /// To be looked at in the next round, whatever the events say.
    stale: HashSet<AgreementId>,
    /// The finalised block that was last looked at.
    block: Option<BlockNumber>,
    everything_at: Option<Instant>,
    money_at: Option<Instant>,
}

impl Watch {
    /// All jobs that concern us, in order of number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (AgreementId, &Seen)> {
        self.seen.iter().map(|(id, seen)| (*id, seen))
    }

    /// The next round looks at this job.
    pub(crate) fn look_again(&mut self, id: AgreementId) {
        self.stale.insert(id);
    }

    /// Brings what is known to a finalised block. After an error everything is looked at the next time.
    pub(crate) async fn refresh(
        &mut self,
        context: &Context,
        snapshot: &dyn Snapshot,
    ) -> Result<(), StepError> {
        let block = snapshot.number();
        let known = self.block.take();
        if known.is_some_and(|known| known > block) {
            self.block = known;
            let reason =
                format!("the node is at block {block} and was further before; it is waited for");
            return Err(StepError::Unanswered {
                outside: Outside::Chain,
                reason,
            });
        }
        let due = |at: Option<Instant>, every| at.is_none_or(|at| at.elapsed() >= every);
        let news = match known {
            Some(since) if !due(self.everything_at, EVERYTHING) => {
                if since == block {
                    Some(News::new())
                } else {
                    let news = snapshot.news(since).await;
                    news.map_err(StepError::unanswered(Outside::Chain))?
                }
            }
            _ => None,
        };
        match news {
            Some(news) => {
                let ours = |cluster: &ClusterId| context.settings.cluster(*cluster).is_some();
                let mut ids: BTreeSet<_> = news
                    .into_iter()
                    .filter(|(id, to)| self.seen.contains_key(id) || to.as_ref().is_some_and(ours))
                    .map(|(id, _)| id)
                    .collect();
                ids.extend(self.stale.iter().copied());
                self.look_at(context, snapshot, ids).await?;
            }
            None => {
                let money = due(self.money_at, MONEY);
                self.look_at_everything(context, snapshot, money).await?;
                self.everything_at = Some(Instant::now());
                if money {
                    self.money_at = Some(Instant::now());
                }
            }
        }
        self.block = Some(block);
        Ok(())
    }

    async fn look_at_everything(
        &mut self,
        context: &Context,
        snapshot: &dyn Snapshot,
        money: bool,
    ) -> Result<(), StepError> {
        let recorded = context.records.clusters();
        let mut open = HashSet::new();
        for cluster in &context.settings.clusters {
            let mut after = None;
            loop {
                let page = snapshot.open_jobs(cluster.id, after).await;
                let page = page.map_err(StepError::unanswered(Outside::Chain))?;
                for (id, job) in &page {
                    // A job that left another cluster of ours is cleared away there before it is taken up here.
                    if recorded.get(id).is_none_or(|at| *at == cluster.id) {
                        open.insert(*id);
                        self.seen.insert(*id, Seen::new(cluster.id, Some(job)));
                    }
                }
                after = page.last().map(|(id, _)| *id);
                if page.len() < PAGE as usize {
                    break;
                }
            }
        }
        self.seen
            .retain(|id, _| open.contains(id) || recorded.contains_key(id));
        let rest = recorded.into_keys().filter(|id| {
            let rests = match self.seen.get(id).map(|seen| &seen.observed) {
                Some(Observed::Gone | Observed::Ended(Settlement::Settled)) => true,
                Some(Observed::Ended(Settlement::Pending)) => !money,
                _ => false,
            };
            !open.contains(id) && (!rests || self.stale.contains(id))
        });
        let rest = rest.collect();
        self.look_at(context, snapshot, rest).await
    }

    /// Looks at some jobs.
    async fn look_at(
        &mut self,
        context: &Context,
        snapshot: &dyn Snapshot,
        ids: BTreeSet<AgreementId>,
    ) -> Result<(), StepError> {
        let asked = stream::iter(ids).map(|id| async move {
            let job = snapshot.job(id).await;
            let job = job.map_err(StepError::unanswered(Outside::Chain))?;
            let recorded = context.records.with(id, |local| local.map(|l| l.cluster));
            let assigned = job.as_ref().map(|job| job.assignment.cluster);
            let Some(cluster) = recorded.or(assigned) else {
                return Ok((id, None));
            };
            let mut seen = Seen::new(cluster, job.as_ref());
            if seen.observed == Observed::Ended(Settlement::Unknown) && recorded.is_some() {
                seen.observed = Observed::Ended(context.settlement_known(snapshot, id).await);
            }
            let is_ours = context.settings.cluster(cluster).is_some();
            let concerns_us =
                recorded.is_some() || (is_ours && matches!(seen.observed, Observed::Open(_)));
            Ok::<_, StepError>((id, concerns_us.then_some(seen)))
        });
        let mut answers = asked.buffer_unordered(PAGE as usize);
        while let Some((id, seen)) = answers.try_next().await? {
            self.stale.remove(&id);
            match seen {
                Some(seen) => {
                    // Nobody answered: asked again in the next round.
                    if seen.observed == Observed::Ended(Settlement::Unknown) {
                        self.stale.insert(id);
                    }
                    self.seen.insert(id, seen);
                }
                None => {
                    self.seen.remove(&id);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
