//! A source of plausible calls, and now and then of implausible ones.

use crate::world::{arbiter, customers, header, owners, workers, World, USDX, VE};
use rand::{rngs::StdRng, seq::IndexedRandom, Rng};
use sp_core::H256;
use sp_keyring::Sr25519Keyring as Key;
use sp_runtime::{AccountId32, BoundedVec};
use virtengine_primitives::{
    apis::PAGE, billing::*, calendar, hpc::*, AgreementId, AssetKind, Moment,
};
use virtengine_runtime::{Billing, Escrow, Hpc, Providers, Runtime, RuntimeCall, RuntimeOrigin};

/// Makes calls out of randomness and what the chain says now.
pub struct Source<'a> {
    pub rng: &'a mut StdRng,
    pub block: u32,
    pub now: Moment,
}

impl Source<'_> {
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from.choose(self.rng).expect("never empty").clone()
    }

    fn job(&mut self) -> AgreementId {
        let next = Hpc::next_job();
        // Young ones are where things happen.
        self.rng.random_range(next.saturating_sub(60)..next + 1)
    }

    /// A young job for which `fits` holds, if there is one; else any.
    fn job_where(&mut self, fits: impl Fn(AgreementId, &Job<AccountId32>) -> bool) -> AgreementId {
        let next = Hpc::next_job();
        let all: Vec<_> = (next.saturating_sub(60)..next)
            .filter(|id| Hpc::job(*id).is_some_and(|job| fits(*id, &job)))
            .collect();
        match all.choose(self.rng) {
            Some(id) if self.rng.random_ratio(9, 10) => *id,
            _ => self.job(),
        }
    }

    fn anyone(&mut self) -> AccountId32 {
        let all: Vec<_> = owners()
            .into_iter()
            .chain(workers())
            .chain(customers())
            .chain([arbiter()])
            .collect();
        self.pick(&all)
    }

    /// The right account nine times out of ten.
    fn mostly(&mut self, who: Option<AccountId32>) -> RuntimeOrigin {
        let wrong = self.rng.random_ratio(1, 10);
        RuntimeOrigin::signed(match who {
            Some(who) if !wrong => who,
            _ => self.anyone(),
        })
    }

    fn worker_of(&self, job: AgreementId) -> Option<AccountId32> {
        let provider = Hpc::job(job)?.provider;
        Providers::hot_keys(provider).into_iter().next()
    }

    /// A call and who makes it.
    pub fn call(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        match self.rng.random_range(0..100) {
            0..=17 => self.submit(),
            18..=45 => self.provider_step(),
            46..=60 => self.report(),
            61..=65 => {
                let job = self.job_where(|_, j| !matches!(j.state, JobState::Ended(_)));
                let who = Hpc::job(job).map(|j| j.customer);
                (self.mostly(who), pallet_hpc::Call::cancel { job }.into())
            }
            66..=69 => {
                let block = self.block;
                let job = self.job_where(|_, j| {
                    !matches!(j.state, JobState::Ended(_)) && j.deadline <= block
                });
                (self.mostly(None), pallet_hpc::Call::expire { job }.into())
            }
            70..=76 => {
                let agreement = self.job();
                (
                    self.mostly(None),
                    pallet_billing::Call::settle { agreement }.into(),
                )
            }
            77..=88 => self.argue(),
            89..=92 => self.clean_up(),
            93..=94 => self.reorganise(),
            _ => self.organise(),
        }
    }

    fn submit(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let who = self.pick(&customers());
        let asset = if self.rng.random_ratio(1, 3) {
            AssetKind::Asset(USDX)
        } else {
            AssetKind::Native
        };
        let mut to: Vec<AccountId32> = workers().to_vec();
        if self.rng.random_ratio(1, 8) {
            to.truncate(1);
        }
        let (clusters, _) = Hpc::clusters(0);
        let mut candidates: Vec<_> = clusters
            .choose_multiple(self.rng, MAX_CANDIDATES as usize)
            .map(|(id, _)| (*id, 0u8))
            .collect();
        if self.rng.random_ratio(1, 4) {
            candidates.truncate(1);
        }
        let cpus = self.rng.random_range(1..20);
        let walltime = self.rng.random_range(1..600);
        let start_within = self.rng.random_range(1..150);
        let unit = if asset == AssetKind::Native {
            VE
        } else {
            1_000_000
        };
        let request = JobRequest {
            candidates: candidates.try_into().expect("at most eight clusters"),
            workload: Workload::Script,
            payload: header(&to, self.rng),
            inputs: BoundedVec::default(),
            resources: Resources {
                nodes: self.rng.random_range(1..3),
                cpus: cpus.max(2),
                memory_mib: self.rng.random_range(1..8_000),
                gpus: 0,
                gpu_type: 0,
                array_tasks: self.rng.random_range(1..4),
            },
            walltime,
            asset,
            ceiling: self.rng.random_range(0..unit * 2),
            start_within,
            end_by: self.block + start_within + walltime as u32 + self.rng.random_range(0..300),
        };
        (
            RuntimeOrigin::signed(who),
            pallet_hpc::Call::submit {
                request: Box::new(request),
            }
            .into(),
        )
    }

    fn provider_step(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let id = self.job_where(|_, job| !matches!(job.state, JobState::Ended(_)));
        let job = Hpc::job(id);
        let worker = self.worker_of(id);
        let origin = self.mostly(worker);
        let started_at = job
            .as_ref()
            .and_then(|j| j.accepted_at)
            .map_or(self.now, |at| {
                if at < self.now {
                    self.rng.random_range(at..=self.now)
                } else {
                    at
                }
            });
        let state = job.as_ref().map(|j| j.state);
        let sensible = self.rng.random_ratio(9, 10);
        let call: RuntimeCall = match state {
            Some(JobState::Assigned) if sensible && self.rng.random_ratio(1, 6) => {
                pallet_hpc::Call::decline {
                    job: id,
                    reason: self.pick(&[DeclineReason::NoCapacity, DeclineReason::Maintenance]),
                }
                .into()
            }
            Some(JobState::Assigned) if sensible => pallet_hpc::Call::accept_many {
                jobs: vec![id, self.job()].try_into().unwrap(),
            }
            .into(),
            Some(JobState::Running) if sensible && self.rng.random_ratio(1, 3) => {
                self.complete(id, job)
            }
            Some(JobState::Running) if self.rng.random_ratio(1, 5) => {
                pallet_hpc::Call::update_many {
                    items: vec![(id, JobProgress::Queued)].try_into().unwrap(),
                }
                .into()
            }
            _ if self.rng.random_ratio(1, 10) => self.complete(id, job),
            _ => {
                let progress = self.pick(&[
                    JobProgress::Staging,
                    JobProgress::Queued,
                    JobProgress::Running(started_at),
                    JobProgress::Running(started_at),
                ]);
                pallet_hpc::Call::update_many {
                    items: vec![(id, progress)].try_into().unwrap(),
                }
                .into()
            }
        };
        (origin, call)
    }

    fn complete(&mut self, id: AgreementId, job: Option<Job<AccountId32>>) -> RuntimeCall {
        use EndReason::*;
        let other = self.job_where(|_, other| other.started_at.is_some());
        let reason = self.pick(&[
            Completed,
            Completed,
            Failed,
            OutOfMemory,
            TimedOut,
            Cancelled,
            BadInput,
            NodeFailure,
            Preempted,
            ProviderFailure,
            Obstructed(other),
        ]);
        let customer = job.as_ref().map(|j| j.customer.clone());
        let tasks = job.map_or(1, |j| j.request.resources.array_tasks);
        let result = match customer {
            Some(who) if self.rng.random_ratio(3, 4) => Some(header(&[who], self.rng)),
            _ => None,
        };
        let tasks = if reason == Completed {
            TaskCounts {
                done: tasks,
                ..Default::default()
            }
        } else {
            TaskCounts {
                failed: tasks,
                ..Default::default()
            }
        };
        let end = JobEnd {
            reason,
            exit_code: 0,
            tasks,
            result,
        };
        if self.rng.random_ratio(1, 3) {
            let items = vec![(id, end)].try_into().unwrap();
            return pallet_hpc::Call::complete_many { items }.into();
        }
        pallet_hpc::Call::complete { job: id, end }.into()
    }

    fn report(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let id = self.job_where(|_, job| job.state == JobState::Running);
        let worker = self.worker_of(id);
        let origin = self.mostly(worker);
        let Some(agreement) = Billing::agreement(id) else {
            return (
                origin,
                pallet_billing::Call::settle { agreement: id }.into(),
            );
        };
        let from = agreement
            .metered_until
            .max(agreement.started_at.unwrap_or(self.now));
        let left = agreement.allocation.walltime * 1_000
            - agreement
                .metered_ms
                .min(agreement.allocation.walltime * 1_000);
        let until = (from + self.rng.random_range(1..=left.max(1)))
            .min(self.now.max(from + 1))
            .min(calendar::end_of(calendar::month_of(from)));
        let seconds = (until - from).div_ceil(1_000);
        // Now and then more than was allocated, or a sequence that is off.
        let quantities: Vec<_> = agreement
            .allocation
            .per_second
            .iter()
            .map(|(component, rate)| {
                let most = rate * u128::from(seconds);
                (
                    *component,
                    if self.rng.random_ratio(1, 20) {
                        most + 1
                    } else {
                        self.rng.random_range(0..=most)
                    },
                )
            })
            .collect();
        let sequence = agreement.sequence + if self.rng.random_ratio(1, 20) { 2 } else { 1 };
        let report = UsageReport {
            sequence,
            from,
            until,
            quantities: quantities.try_into().unwrap(),
            evidence: H256(self.rng.random()),
        };
        let call = if self.rng.random_ratio(1, 2) {
            pallet_billing::Call::report {
                agreement: id,
                report,
            }
        } else {
            pallet_billing::Call::report_many {
                reports: vec![(id, report)].try_into().unwrap(),
            }
        };
        (origin, call.into())
    }

    fn argue(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let id = self.job_where(|id, job| {
            matches!(job.state, JobState::Ended(_))
                && Escrow::ledger(id).is_some_and(|l| l.pending > 0)
        });
        let disputed: Vec<AgreementId> = pallet_billing::Disputes::<Runtime>::iter_keys()
            .take(50)
            .collect();
        let mut disputed_ids = disputed;
        disputed_ids.sort();
        let contested = disputed_ids.choose(self.rng).copied().unwrap_or(id);
        match self.rng.random_range(0..4) {
            0 | 1 => {
                let who = Hpc::job(id).map(|j| j.customer);
                let pending = Escrow::ledger(id).map_or(0, |l| l.pending);
                let amount = self.rng.random_range(0..=pending + 1);
                (
                    self.mostly(who),
                    pallet_billing::Call::dispute {
                        agreement: id,
                        amount,
                        grounds: H256::zero(),
                    }
                    .into(),
                )
            }
            2 => {
                let who = self.worker_of(contested);
                let call = pallet_billing::Call::open_evidence {
                    agreement: contested,
                    evidence: H256::zero(),
                };
                (self.mostly(who), call.into())
            }
            _ => {
                let amount =
                    pallet_billing::Disputes::<Runtime>::get(contested).map_or(0, |d| d.amount);
                let to_payee = self.rng.random_range(0..=amount + 1);
                let call = pallet_billing::Call::decide {
                    agreement: contested,
                    to_payee,
                };
                (self.mostly(Some(arbiter())), call.into())
            }
        }
    }

    fn clean_up(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let next = Hpc::next_job();
        let settled: Vec<_> = (next.saturating_sub(400)..next)
            .filter(|id| {
                Billing::agreement(*id)
                    .is_some_and(|a| matches!(a.state, AgreementState::Settled { .. }))
            })
            .collect();
        let gone: Vec<_> = (next.saturating_sub(400)..next)
            .filter(|id| Hpc::job(*id).is_some() && Billing::agreement(*id).is_none())
            .collect();
        let old = settled.choose(self.rng).copied().unwrap_or(next);
        let prunable = gone.choose(self.rng).copied().unwrap_or(old);
        let credits: Vec<_> = pallet_escrow::Credits::<Runtime>::iter_keys()
            .take(20)
            .collect();
        if let (true, Some((agreement, recipient))) = (
            self.rng.random_ratio(1, 3),
            credits.choose(self.rng).cloned(),
        ) {
            return (
                self.mostly(None),
                pallet_escrow::Call::claim {
                    agreement,
                    recipient,
                }
                .into(),
            );
        }
        let month = calendar::month_of(self.now).saturating_sub(self.rng.random_range(0..3));
        let who = self.pick(&customers());
        let invoices = Billing::invoices(who.clone(), month);
        assert!(invoices.len() as u32 <= PAGE);
        let invoice = invoices.choose(self.rng).map(|(key, _)| key.clone());
        let call: RuntimeCall = match (self.rng.random_range(0..6), invoice) {
            (0, _) => pallet_hpc::Call::prune { job: prunable }.into(),
            (1, _) => pallet_billing::Call::prune_agreement { agreement: old }.into(),
            (2, _) => pallet_escrow::Call::claim {
                agreement: old,
                recipient: who,
            }
            .into(),
            (3, Some(invoice)) => pallet_billing::Call::close_invoice { invoice }.into(),
            (4, Some(invoice)) => {
                let lines = Billing::invoice_lines(invoice.clone(), 0);
                let line = self.rng.random_range(0..lines.len().max(1) as u32 + 1);
                let amount = lines
                    .get(line as usize)
                    .map_or(1, |l| self.rng.random_range(0..=l.amount + 1));
                let by = if self.rng.random_ratio(1, 2) {
                    Some(arbiter())
                } else {
                    None
                };
                let by = by.or_else(|| Providers::provider(invoice.provider).map(|p| p.owner));
                return (
                    self.mostly(by),
                    pallet_billing::Call::credit_note {
                        invoice,
                        line,
                        amount,
                    }
                    .into(),
                );
            }
            (_, Some(invoice)) => pallet_billing::Call::prune_invoice { invoice }.into(),
            (_, None) => pallet_billing::Call::settle { agreement: old }.into(),
        };
        (self.mostly(None), call)
    }

    fn organise(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let owner = self.pick(&owners());
        let origin = self.mostly(Some(owner.clone()));
        let mine = Providers::provider_of(owner);
        let (clusters, _) = Hpc::clusters(0);
        let own = clusters
            .iter()
            .find(|(_, c)| Some(c.provider) == mine)
            .cloned();
        let alice = || RuntimeOrigin::signed(Key::Alice.to_account_id());
        match (self.rng.random_range(0..9), own) {
            (0, _) => {
                let asset = if self.rng.random_ratio(1, 3) {
                    AssetKind::Asset(USDX)
                } else {
                    AssetKind::Native
                };
                (
                    origin,
                    pallet_billing::Call::publish_plan {
                        plan: World::plan(asset, self.rng),
                    }
                    .into(),
                )
            }
            (1, Some((id, cluster))) => {
                // A price that changes mid-job: the cluster points at another plan of its provider.
                let mut plans: Vec<_> = pallet_billing::Plans::<Runtime>::iter()
                    .filter(|(_, p)| Some(p.provider) == mine)
                    .map(|(id, _)| id)
                    .collect();
                plans.sort();
                let mut spec = cluster.spec;
                if let (Some(plan), Some(partition)) =
                    (plans.choose(self.rng), spec.partitions.iter_mut().next())
                {
                    partition.plan = *plan;
                }
                (
                    origin,
                    pallet_hpc::Call::update_cluster { cluster: id, spec }.into(),
                )
            }
            (2, Some((id, _))) => {
                let state = self.pick(&[
                    ClusterState::Open,
                    ClusterState::Open,
                    ClusterState::Draining,
                ]);
                (
                    origin,
                    pallet_hpc::Call::set_cluster_state { cluster: id, state }.into(),
                )
            }
            (3, _) => (
                origin,
                pallet_providers::Call::bond_more {
                    amount: self.rng.random_range(0..20 * VE),
                }
                .into(),
            ),
            (4, _) => (
                origin,
                pallet_providers::Call::withdraw_bond {
                    amount: self.rng.random_range(0..30 * VE),
                }
                .into(),
            ),
            (5, _) if self.rng.random_ratio(1, 50) => {
                (origin, pallet_providers::Call::leave {}.into())
            }
            (6, _) => (
                alice(),
                pallet_assets::Call::freeze_asset { id: USDX.into() }.into(),
            ),
            (7, _) => (
                alice(),
                pallet_assets::Call::thaw_asset { id: USDX.into() }.into(),
            ),
            _ => {
                let plan = self.rng.random_range(0..12);
                (origin, pallet_billing::Call::retire_plan { plan }.into())
            }
        }
    }

    /// What changes who acts for whom, who may act at all, and where the money goes, while jobs are under way.
    fn reorganise(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let mut all: Vec<_> = pallet_providers::Organisations::<Runtime>::iter().collect();
        all.sort_by_key(|(id, _)| *id);
        let Some((provider, record)) = all.choose(self.rng).cloned() else {
            return self.organise();
        };
        let by_owner = self.mostly(Some(record.owner.clone()));
        let cluster = Hpc::clusters(0)
            .0
            .into_iter()
            .find(|(_, c)| c.provider == provider)
            .map_or(0, |(id, _)| id);
        let alice = || RuntimeOrigin::signed(Key::Alice.to_account_id());
        let template = H256::repeat_byte(self.rng.random_range(0..3));
        let (by, call): (_, RuntimeCall) = match self.rng.random_range(0..12) {
            // Also accounts that do not exist: what is below the existential deposit becomes a credit.
            0 => {
                let nobody = AccountId32::new([self.rng.random_range(100..104); 32]);
                let payout = self.pick(&[record.owner, nobody]);
                (
                    by_owner,
                    pallet_providers::Call::set_payout { payout }.into(),
                )
            }
            1 => {
                let who = AccountId32::new([self.rng.random_range(10..20); 32]);
                (by_owner, pallet_providers::Call::add_hot_key { who }.into())
            }
            // The first one is the worker of this world and stays.
            2 => {
                let others: Vec<_> = Providers::hot_keys(provider).into_iter().skip(1).collect();
                let who = others.choose(self.rng).cloned().unwrap_or(record.owner);
                (
                    by_owner,
                    pallet_providers::Call::remove_hot_key { who }.into(),
                )
            }
            3 if self.rng.random_ratio(1, 4) => {
                // Both hold the role of a provider.
                let to = self.pick(&customers()[..2]);
                (
                    by_owner,
                    pallet_providers::Call::offer_transfer { to }.into(),
                )
            }
            4 => {
                let offered = pallet_providers::Offers::<Runtime>::get(provider);
                (
                    self.mostly(offered),
                    pallet_providers::Call::accept_transfer { provider }.into(),
                )
            }
            5 => {
                let who = self.anyone();
                let reason = b"random".to_vec().try_into().unwrap();
                (
                    alice(),
                    pallet_accounts::Call::suspend { who, reason }.into(),
                )
            }
            6..=8 => {
                let mut suspended: Vec<_> =
                    pallet_accounts::States::<Runtime>::iter_keys().collect();
                suspended.sort();
                let who = suspended.choose(self.rng).cloned().unwrap_or(record.owner);
                (alice(), pallet_accounts::Call::reactivate { who }.into())
            }
            9 => {
                let name = b"template".to_vec().try_into().unwrap();
                (
                    by_owner,
                    pallet_hpc::Call::allow_template {
                        cluster,
                        template,
                        name,
                    }
                    .into(),
                )
            }
            10 => (
                by_owner,
                pallet_hpc::Call::disallow_template { cluster, template }.into(),
            ),
            _ => {
                let Some(spec) = Hpc::cluster(cluster).map(|c| c.spec) else {
                    return self.organise();
                };
                if self.rng.random_ratio(1, 2) {
                    (by_owner, pallet_hpc::Call::register_cluster { spec }.into())
                } else {
                    let (clusters, _) = Hpc::clusters(0);
                    let newest = clusters.last().map_or(0, |(id, _)| *id);
                    (
                        by_owner,
                        pallet_hpc::Call::deregister_cluster { cluster: newest }.into(),
                    )
                }
            }
        };
        (by, call)
    }
}
