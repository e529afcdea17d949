//! What the schedulers say of jobs, asked beside everything else: one that is silent, or slow, holds up its own jobs and
//! nothing besides.
//!
//! Each client (a cluster, as one user) is asked once at a time for all that it has. It is asked again after
//! [`Settings::poll`](crate::settings::Settings::poll), or sooner when something has happened to jobs, but never for more
//! than a fifth of the time: the slower it answers, the less it is asked.

use crate::{
    context::Context,
    local::{LocalJob, Submission},
    reconcile::{needs_scheduler, InScheduler},
    watch::Seen,
};
use futures::{stream, StreamExt};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use ve_slurm::SchedulerJobId;
use virtengine_primitives::{AgreementId, ClusterId, Moment};

/// Jobs about which a client is asked at the same time, where it is asked about one at a time.
const AT_ONCE: usize = 32;
/// A client rests for so many times as long as it took to answer.
const REST: u32 = 4;

/// A cluster, and as whom it is asked.
type Client = (ClusterId, Option<String>);

/// Jobs that a client is asked about.
#[derive(Default)]
struct Question {
    /// Those it has a name for.
    named: Vec<(AgreementId, Seen, SchedulerJobId)>,
    /// Those that are looked for.
    unnamed: Vec<(AgreementId, Seen, LocalJob)>,
}

/// When a client was and will be asked.
struct Turn {
    /// The answer is on its way.
    under_way: bool,
    begun: Instant,
    /// Rested from then on.
    rested: Instant,
    /// Something has happened since it was asked.
    wanted: bool,
}

/// What came of a question.
struct Answer {
    client: Client,
    took: Duration,
    looks: Vec<(AgreementId, InScheduler)>,
}

/// Questions under way, and answers that nothing was done on yet.
#[derive(Default)]
pub(crate) struct Looks {
    asking: JoinSet<Answer>,
    turns: HashMap<Client, Turn>,
    /// Jobs whose answer, when it comes, is still of use: nothing was begun since the question.
    expected: HashSet<AgreementId>,
    answers: HashMap<AgreementId, InScheduler>,
}

impl Looks {
    /// What is known of a job now.
    pub(crate) fn of(&self, id: AgreementId) -> InScheduler {
        self.answers
            .get(&id)
            .copied()
            .unwrap_or(InScheduler::Unknown)
    }

    /// Something is being done with a job: what was said of it is not true any more.
    pub(crate) fn outdated(&mut self, id: AgreementId) {
        self.answers.remove(&id);
        self.expected.remove(&id);
    }

    /// Asks every client whose turn it is about `jobs`. `news`: something has happened since the last call. Returns when
    /// the next client's turn comes.
    pub(crate) fn ask(
        &mut self,
        context: &Arc<Context>,
        jobs: impl Iterator<Item = (AgreementId, Seen)>,
        now: Moment,
        news: bool,
    ) -> Option<Instant> {
        let (mut next, at) = (None, Instant::now());
        for (client, question) in questions(context, jobs, now) {
            let turn = self.turns.entry(client.clone()).or_insert(Turn {
                under_way: false,
                begun: at,
                rested: at,
                wanted: true,
            });
            turn.wanted |= news;
            if turn.under_way {
                continue;
            }
            let due = match turn.wanted {
                true => turn.rested,
                false => turn.rested.max(turn.begun + context.settings.poll),
            };
            if due > at {
                next = Some(next.map_or(due, |next: Instant| next.min(due)));
                continue;
            }
            (turn.under_way, turn.begun, turn.wanted) = (true, at, false);
            let named = question.named.iter().map(|(id, ..)| *id);
            let unnamed = question.unnamed.iter().map(|(id, ..)| *id);
            self.expected.extend(named.chain(unnamed));
            let context = context.clone();
            self.asking.spawn(async move {
                let looks = question.put(&context, &client).await;
                let took = at.elapsed();
                Answer {
                    client,
                    took,
                    looks,
                }
            });
        }
        next
    }

    /// Waits for an answer, and keeps it. Never returns while nobody is asked.
    pub(crate) async fn answered(&mut self) {
        match self.asking.join_next().await {
            Some(answer) => self.keep(answer),
            None => std::future::pending().await,
        }
        while let Some(answer) = self.asking.try_join_next() {
            self.keep(answer);
        }
    }

    fn keep(&mut self, answer: Result<Answer, tokio::task::JoinError>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, "a question to a scheduler was not put to its end");
                // Whose it was is not known: everybody is asked again.
                self.turns.clear();
                return;
            }
        };
        if let Some(turn) = self.turns.get_mut(&answer.client) {
            turn.under_way = false;
            turn.rested = Instant::now() + answer.took.saturating_mul(REST);
        }
        for (id, look) in answer.looks {
            if self.expected.remove(&id) {
                self.answers.insert(id, look);
            }
        }
    }
}

/// What each client is to be asked, of these jobs.
fn questions(
    context: &Context,
    jobs: impl Iterator<Item = (AgreementId, Seen)>,
    now: Moment,
) -> BTreeMap<Client, Question> {
    let retention = context.settings.intervals.retention;
    let most = context.settings.parallel.saturating_mul(4);
    let mut questions = BTreeMap::<Client, Question>::new();
    for (id, seen) in jobs {
        context.records.with(id, |local| {
            let Some(local) = local.filter(|l| needs_scheduler(&seen.observed, Some(l))) else {
                return;
            };
            // What has ended for good stays so until its directory may go.
            let rests = |at: Moment| now < at.saturating_add(retention);
            if local.retired_at.is_some_and(rests) {
                return;
            }
            let client = (seen.cluster, local.identity.clone());
            let question = questions.entry(client).or_default();
            match &local.scheduler_job {
                Some(name) if local.submission == Submission::Done => {
                    question.named.push((id, seen, name.clone()));
                }
                // Looked for one by one, and only as many as may be taken further now: the oldest.
                _ if question.unnamed.len() < most => {
                    question.unnamed.push((id, seen, local.clone()));
                }
                _ => {}
            }
        });
    }
    questions
}

impl Question {
    /// Puts it. A job that is missing from the answer could not be asked about.
    async fn put(self, context: &Context, client: &Client) -> Vec<(AgreementId, InScheduler)> {
        let mut looks = Vec::new();
        let (cluster, identity) = client;
        let scheduler = match context.settings.cluster(*cluster) {
            Some(cluster) => cluster.scheduler(identity.as_deref()),
            None => Ok(None),
        };
        match scheduler {
            Ok(Some(scheduler)) if !self.named.is_empty() => {
                let scheduler = &*scheduler;
                let names: Vec<_> = self.named.iter().map(|(.., name)| name.clone()).collect();
                let statuses = scheduler.statuses(&names).await;
                let understood = stream::iter(self.named.into_iter().zip(statuses))
                    .map(|((id, seen, name), status)| async move {
                        let started = seen.started_at;
                        let look = context
                            .understand(scheduler, &name, true, started, status)
                            .await;
                        (id, look)
                    })
                    .buffer_unordered(AT_ONCE);
                looks.extend(understood.collect::<Vec<_>>().await);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(cluster, %error, "the scheduler cannot be asked"),
        }
        let found = stream::iter(self.unnamed)
            .map(|(id, seen, local)| async move {
                let look = context.look(seen.cluster, &local, seen.started_at).await;
                (id, look)
            })
            .buffer_unordered(AT_ONCE);
        looks.extend(found.collect::<Vec<_>>().await);
        looks
    }
}
