//! A chain in a file: the rules of the pallets that matter to a worker, shared by processes that may die.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sp_core::{crypto::AccountId32, Encode, H256};
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use ve_chain::ChainError;
use ve_provider::{now_ms, Batch, ChainJob, ChainView, News, Outcomes, Snapshot};
use virtengine_primitives::{
    billing::*,
    blake2_256,
    calendar::month_of,
    envelope::{key_id, EncryptionKey, KeyId},
    hpc::*,
    AgreementId, BlockNumber, ClusterId, Moment, Name, PlanId, ProviderId, TemplateHash,
};

pub const GENESIS: [u8; 32] = [0xa5; 32];
pub const CLUSTER: ClusterId = 3;
/// Another cluster of the same provider.
pub const OTHER_CLUSTER: ClusterId = 4;
/// Milliseconds of a block.
const BLOCK: u64 = 200;

/// Everything on this chain.
#[derive(Clone, Serialize, Deserialize)]
pub struct State {
    pub born: Moment,
    pub jobs: BTreeMap<AgreementId, ChainJob>,
    pub agreements: BTreeMap<AgreementId, Agreement<AccountId32>>,
    /// The last dispute of an agreement, open or over.
    pub disputes: BTreeMap<AgreementId, Dispute>,
    /// Whether every job is disputed as soon as it has ended, and decided on soon after the evidence was opened.
    pub disputing: bool,
    pub reports: Vec<(AgreementId, UsageReport)>,
    pub keys: Vec<(AccountId32, [u8; 32])>,
    pub plan: PricePlan,
    pub cluster: Cluster,
    pub template: H256,
    /// Successful and refused items: call, job, outcome.
    pub calls: Vec<(String, AgreementId, Result<(), String>)>,
    /// In which block each acceptance is.
    pub accepted_in: BTreeMap<AgreementId, BlockNumber>,
    /// Blocks until an acceptance is final. Everything else is at once, which asks no less of the worker.
    pub finality: BlockNumber,
    /// Acceptances are refused.
    pub refusing: bool,
    /// Until when nobody is answered.
    pub silent_until: Moment,
}

/// A handle to the chain in a directory.
#[derive(Clone)]
pub struct FileChain(pub PathBuf);

impl FileChain {
    pub fn create(directory: &Path, state: &State) -> Self {
        let chain = Self(directory.to_owned());
        std::fs::write(chain.file(), serde_json::to_vec(state).unwrap()).unwrap();
        chain
    }

    fn file(&self) -> PathBuf {
        self.0.join("chain.json")
    }

    /// Reads, and writes back what `change` made of it, whole or not at all.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let lock = File::create(self.0.join("chain.lock")).unwrap();
        lock.lock().unwrap();
        let mut state = self.read();
        let answer = change(&mut state);
        let partial = self.0.join("chain.partial");
        std::fs::write(&partial, serde_json::to_vec(&state).unwrap()).unwrap();
        std::fs::rename(partial, self.file()).unwrap();
        answer
    }

    pub fn read(&self) -> State {
        serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap()
    }

    fn reachable(&self) -> Result<State, ChainError> {
        let state = self.read();
        if now_ms() < state.silent_until {
            return Err(ChainError::Unreachable {
                url: "file".into(),
                reason: "silent".into(),
            });
        }
        Ok(state)
    }
}

impl State {
    pub fn block(&self) -> BlockNumber {
        u32::try_from((now_ms() - self.born) / BLOCK).unwrap()
    }

    /// The dispute that is still open: time ends it as it does on the real chain.
    pub fn open_dispute(&self, id: AgreementId) -> Option<&Dispute> {
        let block = self.block();
        self.disputes.get(&id).filter(|d| match d.evidence {
            None => block < d.evidence_by,
            Some(_) => block < d.decide_by,
        })
    }

    /// An agreement, settled when its time has come.
    fn agreement(&self, id: AgreementId) -> Option<Agreement<AccountId32>> {
        let mut agreement = self.agreements.get(&id)?.clone();
        if let AgreementState::Ended { release_at } = agreement.state {
            if self.block() >= release_at && self.open_dispute(id).is_none() {
                agreement.state = AgreementState::Settled { prune_at: u32::MAX };
            }
        }
        Some(agreement)
    }

    /// Opens a dispute.
    pub fn dispute(&mut self, id: AgreementId, evidence_window: u32, decision_window: u32) {
        let evidence_by = self.block() + evidence_window;
        let dispute = Dispute {
            amount: 1,
            grounds: H256::zero(),
            evidence_by,
            evidence: None,
            decide_by: evidence_by + decision_window,
        };
        self.disputes.insert(id, dispute);
    }

    fn open_evidence(&mut self, id: AgreementId, evidence: H256) -> Result<(), String> {
        let (block, soon) = (self.block(), self.disputing);
        self.open_dispute(id).ok_or("NoDispute")?;
        let dispute = self.disputes.get_mut(&id).ok_or("NoDispute")?;
        if dispute.evidence.is_some() {
            return Err("EvidenceOpened".into());
        }
        dispute.evidence = Some(evidence);
        if soon {
            dispute.decide_by = block + 8;
        }
        Ok(())
    }

    fn own(&mut self, id: AgreementId) -> Result<&mut ChainJob, String> {
        let block = self.block();
        let job = self.jobs.get_mut(&id).ok_or("UnknownJob")?;
        if job.ended_at.is_some() {
            return Err("AlreadyEnded".into());
        }
        if ![CLUSTER, OTHER_CLUSTER].contains(&job.assignment.cluster) {
            return Err("NotYourJob".into());
        }
        if block >= job.deadline {
            return Err("DeadlinePassed".into());
        }
        Ok(job)
    }

    fn accept(&mut self, id: AgreementId) -> Result<(), String> {
        let (block, refusing) = (self.block(), self.refusing);
        let job = self.own(id)?;
        if job.state != JobState::Assigned {
            return Err("AlreadyAccepted".into());
        }
        if refusing {
            return Err("BondTooLow".into());
        }
        job.state = JobState::Accepted;
        job.accepted_at = Some(now_ms());
        self.accepted_in.insert(id, block);
        Ok(())
    }

    /// Replaces the block with a job's acceptance by one without it.
    pub fn undo_acceptance(&mut self, id: AgreementId) {
        let job = self.jobs.get_mut(&id).unwrap();
        undo_acceptance(job);
        self.accepted_in.remove(&id);
        let agreement = self.agreements.get_mut(&id).unwrap();
        agreement.started_at = None;
        agreement.state = AgreementState::Open;
    }

    /// What is final of this.
    fn finalized(mut self) -> Self {
        let block = self.block();
        for (id, job) in &mut self.jobs {
            let accepted = self.accepted_in.get(id);
            if accepted.is_some_and(|at| at + self.finality > block) && job.ended_at.is_none() {
                undo_acceptance(job);
            }
        }
        self
    }

    fn decline(&mut self, id: AgreementId) -> Result<(), String> {
        let block = self.block();
        let job = self.own(id)?;
        job.state = JobState::Ended(EndReason::Expired);
        job.ended_at = Some(block);
        if let Some(agreement) = self.agreements.get_mut(&id) {
            agreement.state = AgreementState::Settled { prune_at: u32::MAX };
        }
        Ok(())
    }

    fn update(&mut self, id: AgreementId, progress: JobProgress) -> Result<(), String> {
        let job = self.own(id)?;
        let to = match progress {
            JobProgress::Staging => JobState::Staging,
            JobProgress::Queued => JobState::Queued,
            JobProgress::Running(_) => JobState::Running,
        };
        if !job.state.may_become(&to) {
            return Err("WrongState".into());
        }
        if let JobProgress::Running(at) = progress {
            if job.cancel_by.is_some() && job.started_at.is_none() {
                return Err("CancelRequestedAlready".into());
            }
            if job.accepted_at.is_none_or(|accepted| at < accepted) {
                return Err("StartedBeforeAcceptance".into());
            }
            if at > now_ms() + 60_000 {
                return Err("StartedInFuture".into());
            }
            job.started_at.get_or_insert(at);
            let started = job.started_at;
            let agreement = self.agreements.get_mut(&id).ok_or("NotFound")?;
            agreement.started_at = started;
            agreement.state = AgreementState::Metering;
        }
        self.own(id)?.state = to;
        Ok(())
    }

    fn report(&mut self, id: AgreementId, report: &UsageReport) -> Result<(), String> {
        let agreement = self.agreements.get_mut(&id).ok_or("NotFound")?;
        let refuse = |why: &str| Err(why.to_owned());
        if agreement.state != AgreementState::Metering {
            return refuse("NotMetering");
        }
        if report.sequence != agreement.sequence + 1 {
            return refuse("SequenceMismatch");
        }
        let earliest = agreement.started_at.unwrap().max(agreement.metered_until);
        if report.from < earliest || report.from >= report.until {
            return refuse("PeriodOverlaps");
        }
        if report.until > now_ms() + 60_000 {
            return refuse("InFuture");
        }
        if month_of(report.from) != month_of(report.until - 1) {
            return refuse("PeriodCrossesMonth");
        }
        let period = report.until - report.from;
        agreement.metered_ms += period;
        if agreement.metered_ms > agreement.allocation.walltime * 1000 {
            agreement.metered_ms -= period;
            return refuse("WalltimeExceeded");
        }
        let most = |component: &Component, ms: u64| {
            let units = agreement
                .allocation
                .per_second
                .iter()
                .find(|(c, _)| c == component)
                .unwrap()
                .1;
            units * u128::from(ms.div_ceil(1000))
        };
        let cumulative = add_quantities(&agreement.cumulative, &report.quantities).unwrap();
        let over = |all: &Quantities, ms: u64| all.iter().any(|(c, q)| *q > most(c, ms));
        if !is_canonical(&report.quantities)
            || over(&report.quantities, period)
            || over(&cumulative, agreement.metered_ms)
        {
            agreement.metered_ms -= period;
            return refuse("UsageExceedsAllocation");
        }
        agreement.sequence = report.sequence;
        let mut head = agreement.head.as_bytes().to_vec();
        report.encode_to(&mut head);
        agreement.head = blake2_256(&head);
        agreement.metered_until = report.until;
        agreement.cumulative = cumulative;
        self.reports.push((id, report.clone()));
        Ok(())
    }

    fn complete(&mut self, id: AgreementId, end: JobEnd) -> Result<(), String> {
        let block = self.block();
        let job = self.own(id)?;
        let tasks = end.tasks.done + end.tasks.failed + end.tasks.cancelled;
        use EndReason::*;
        if job.state == JobState::Assigned {
            return Err("NotAccepted".into());
        }
        if end.reason == Cancelled && job.cancel_by.is_none() {
            return Err("CancelNotRequested".into());
        }
        if matches!(end.reason, Completed | Failed | OutOfMemory | TimedOut)
            && job.started_at.is_none()
        {
            return Err("NotStarted".into());
        }
        if tasks != job.request.resources.array_tasks {
            return Err("TaskCountMismatch".into());
        }
        if end.reason == Completed && (end.exit_code != 0 || end.tasks.done != tasks) {
            return Err("EndContradictsItself".into());
        }
        if end.result.as_ref().is_some_and(|r| !r.is_well_formed()) {
            return Err("BadEnvelope".into());
        }
        job.state = JobState::Ended(end.reason);
        job.end = Some(end);
        job.ended_at = Some(block);
        if let Some(agreement) = self.agreements.get_mut(&id) {
            agreement.state = AgreementState::Ended {
                release_at: block + agreement.dispute_window,
            };
        }
        if self.disputing {
            self.dispute(id, 300, 300);
        }
        Ok(())
    }

    fn apply(&mut self, batch: &Batch) -> Outcomes {
        let outcomes: Outcomes = match batch.clone() {
            Batch::Accept(jobs) => jobs.into_iter().map(|job| self.accept(job)).collect(),
            Batch::Decline(items) => items
                .into_iter()
                .map(|(job, _)| self.decline(job))
                .collect(),
            Batch::Update(items) => items
                .into_iter()
                .map(|(job, to)| self.update(job, to))
                .collect(),
            Batch::Report(items) => items
                .into_iter()
                .map(|(job, report)| self.report(job, &report))
                .collect(),
            Batch::Complete(items) => items
                .into_iter()
                .map(|(job, end)| self.complete(job, end))
                .collect(),
            Batch::OpenEvidence(items) => items
                .into_iter()
                .map(|(job, evidence)| self.open_evidence(job, evidence))
                .collect(),
        };
        for (job, outcome) in batch.jobs().into_iter().zip(&outcomes) {
            self.calls.push((batch.name().into(), job, outcome.clone()));
        }
        outcomes
    }
}

fn undo_acceptance(job: &mut ChainJob) {
    job.state = JobState::Assigned;
    job.deadline = job.start_by;
    job.accepted_at = None;
    job.started_at = None;
}

#[async_trait]
impl ChainView for FileChain {
    async fn block_time(&self) -> Result<Duration, ChainError> {
        Ok(Duration::from_millis(BLOCK))
    }
    fn genesis(&self) -> H256 {
        H256(GENESIS)
    }

    async fn wait(&self, at_most: Duration) {
        tokio::time::sleep(at_most.min(Duration::from_millis(BLOCK))).await;
    }

    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, ChainError> {
        Ok(Arc::new(FileSnapshot(self.reachable()?.finalized())))
    }

    async fn tip(&self) -> Result<Arc<dyn Snapshot>, ChainError> {
        Ok(Arc::new(FileSnapshot(self.reachable()?)))
    }

    async fn send(
        &self,
        batch: Batch,
        included: &(dyn Fn() + Send + Sync),
    ) -> Result<Outcomes, ChainError> {
        self.reachable()?;
        tokio::time::sleep(Duration::from_millis(BLOCK)).await;
        let outcomes = self.change(|state| state.apply(&batch));
        included();
        let finality = u64::from(self.read().finality);
        tokio::time::sleep(Duration::from_millis(BLOCK * finality)).await;
        let state = self.read();
        let undone = |(job, outcome): (AgreementId, &Result<(), String>)| {
            outcome.is_ok() && !state.accepted_in.contains_key(&job)
        };
        if matches!(batch, Batch::Accept(_)) && batch.jobs().into_iter().zip(&outcomes).any(undone)
        {
            return Err(ChainError::NotIncluded {
                what: "Hpc.accept_many".into(),
                valid_before: state.block(),
            });
        }
        Ok(outcomes)
    }
}

struct FileSnapshot(State);

#[async_trait]
impl Snapshot for FileSnapshot {
    fn number(&self) -> BlockNumber {
        self.0.block()
    }
    async fn timestamp(&self) -> Result<Moment, ChainError> {
        Ok(now_ms())
    }
    async fn news(&self, _: BlockNumber) -> Result<Option<News>, ChainError> {
        // Something may have happened to any of them.
        let all = self.0.jobs.iter();
        Ok(Some(
            all.map(|(id, job)| (*id, Some(job.assignment.cluster)))
                .collect(),
        ))
    }
    async fn open_jobs(
        &self,
        cluster: ClusterId,
        after: Option<AgreementId>,
    ) -> Result<Vec<(AgreementId, ChainJob)>, ChainError> {
        let open = self.0.jobs.iter().filter(|(id, j)| {
            j.ended_at.is_none() && j.assignment.cluster == cluster && after < Some(**id)
        });
        let page = open.map(|(id, job)| (*id, job.clone()));
        Ok(page
            .take(virtengine_primitives::apis::PAGE as usize)
            .collect())
    }
    async fn job(&self, id: AgreementId) -> Result<Option<ChainJob>, ChainError> {
        Ok(self.0.jobs.get(&id).cloned())
    }
    async fn agreement(
        &self,
        id: AgreementId,
    ) -> Result<Option<Agreement<AccountId32>>, ChainError> {
        Ok(self.0.agreement(id))
    }
    async fn dispute(&self, id: AgreementId) -> Result<Option<Dispute>, ChainError> {
        Ok(self.0.open_dispute(id).cloned())
    }
    async fn plan(&self, _: PlanId) -> Result<Option<(ProviderId, PricePlan)>, ChainError> {
        Ok(Some((0, self.0.plan.clone())))
    }
    async fn cluster(&self, _: ClusterId) -> Result<Option<Cluster>, ChainError> {
        Ok(Some(self.0.cluster.clone()))
    }
    async fn templates(&self, _: ClusterId) -> Result<Vec<(TemplateHash, Name)>, ChainError> {
        Ok(vec![(self.0.template, Name::default())])
    }
    async fn keys(&self, who: &AccountId32) -> Result<Vec<(KeyId, EncryptionKey)>, ChainError> {
        let own = self.0.keys.iter().filter(|(account, _)| account == who);
        Ok(own
            .map(|(_, public)| {
                let key = EncryptionKey {
                    public: *public,
                    label: Name::default(),
                    registered_at: 0,
                    revoked_at: None,
                };
                (key_id(public), key)
            })
            .collect())
    }
    async fn arbiter_keys(&self, _: usize) -> Result<Vec<Vec<EncryptionKey>>, ChainError> {
        let keys = self.keys(&AccountId32::new(crate::world::ARBITER)).await?;
        Ok(vec![keys.into_iter().map(|(_, key)| key).collect()])
    }
    async fn provider_of(&self, _: &AccountId32) -> Result<Option<ProviderId>, ChainError> {
        Ok(Some(0))
    }
}
