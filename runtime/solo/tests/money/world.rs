//! A chain with three providers and four customers, and a source of plausible calls.

use frame_support::{
    traits::{fungibles::Inspect as _, Hooks},
    weights::{Weight, WeightMeter},
};
use rand::{rngs::StdRng, seq::IndexedRandom, Rng, SeedableRng};
use sp_core::H256;
use sp_keyring::Sr25519Keyring as Key;
use sp_runtime::{traits::Dispatchable, AccountId32, BoundedVec, BuildStorage};
use virtengine_primitives::{
    apis::PAGE, billing::*, blake2_256, calendar, envelope::*, hpc::*, AgreementId, AssetKind,
    Balance, Moment, Role,
};
use virtengine_runtime::{
    Assets, Balances, Billing, Escrow, Hpc, Keyring, Providers, Runtime, RuntimeCall,
    RuntimeOrigin, System,
};

const VE: Balance = 1_000_000_000_000;
const USDX: u32 = 1;
/// 2026-11-30 12:00 UTC, so that worlds cross into December.
const START: Moment = 1_796_040_000_000;

/// One chain, its clock, and what the random source needs to remember.
pub struct World {
    ext: sp_io::TestExternalities,
    rng: StdRng,
    block: u32,
    now: Moment,
    native: Balance,
    usdx: Balance,
}

fn owners() -> [AccountId32; 3] {
    [
        Key::Bob.to_account_id(),
        Key::Ferdie.to_account_id(),
        Key::Eve.to_account_id(),
    ]
}
fn workers() -> [AccountId32; 3] {
    [1u8, 2, 3].map(|n| AccountId32::new([n; 32]))
}
fn customers() -> [AccountId32; 4] {
    // The last one owns next to nothing.
    [
        Key::Charlie.to_account_id(),
        Key::Dave.to_account_id(),
        AccountId32::new([8; 32]),
        AccountId32::new([9; 32]),
    ]
}
fn arbiter() -> AccountId32 {
    Key::Alice.to_account_id()
}

fn public(who: &AccountId32) -> [u8; 32] {
    let mut public = blake2_256(who.as_ref()).0;
    // A canonical encoding of a point has its top bit clear.
    public[31] &= 0x7f;
    public
}

/// A header sealed to the keys of `to`; nothing on chain can open it, so its contents do not matter here.
fn header(to: &[AccountId32], rng: &mut StdRng) -> EnvelopeHeader {
    let mut keys: Vec<KeyId> = to.iter().map(|who| key_id(&public(who))).collect();
    keys.sort();
    keys.dedup();
    let recipients = keys
        .into_iter()
        .map(|key| Recipient {
            key,
            encapsulated: [7; 32],
            wrapped: vec![7u8; 48].try_into().unwrap(),
        })
        .collect::<Vec<_>>();
    EnvelopeHeader {
        version: EnvelopeHeader::VERSION,
        algorithm: Algorithm::X25519Aes256Gcm,
        recipients: recipients.try_into().unwrap(),
        hash: H256(rng.random()),
        length: 1024,
    }
}

fn must(call: RuntimeCall, origin: RuntimeOrigin) {
    let shown = format!("{call:?}");
    call.dispatch(origin)
        .unwrap_or_else(|e| panic!("setting up: {shown}: {:?}", e.error));
}

impl World {
    /// Genesis, three providers with a cluster each, and everybody's keys.
    pub fn new(seed: u64) -> Self {
        let preset =
            virtengine_runtime::genesis_config_presets::get_preset(&"development".into()).unwrap();
        let storage = frame_system::GenesisConfig::<Runtime>::default()
            .build_storage()
            .unwrap();
        let mut ext = sp_io::TestExternalities::new(storage);
        ext.execute_with(|| {
            frame_support::genesis_builder_helper::build_state::<
                virtengine_runtime::RuntimeGenesisConfig,
            >(preset)
            .unwrap()
        });
        let rng = StdRng::seed_from_u64(seed);
        let mut world = Self {
            ext,
            rng,
            block: 1,
            now: START,
            native: 0,
            usdx: 0,
        };
        world.set_clock();
        let mut rng = world.rng.clone();
        world.ext.execute_with(|| Self::set_up(&mut rng));
        world.rng = rng;
        world.native = world.ext.execute_with(Balances::total_issuance);
        world.usdx = world.ext.execute_with(|| Assets::total_issuance(USDX));
        world
    }

    fn set_up(rng: &mut StdRng) {
        let signed = RuntimeOrigin::signed;
        for who in owners() {
            // The preset may have given the role already.
            let _ = RuntimeCall::Accounts(pallet_accounts::Call::nominate {
                who: who.clone(),
                role: Role::Provider,
            })
            .dispatch(RuntimeOrigin::root());
        }
        let _ = RuntimeCall::Accounts(pallet_accounts::Call::nominate {
            who: arbiter(),
            role: Role::Arbiter,
        })
        .dispatch(RuntimeOrigin::root());
        let call = pallet_balances::Call::transfer_keep_alive {
            dest: customers()[2].clone().into(),
            value: 5_000 * VE,
        };
        must(call.into(), signed(Key::Alice.to_account_id()));
        for who in workers().into_iter().chain(customers().into_iter().skip(3)) {
            let call = pallet_balances::Call::transfer_keep_alive {
                dest: who.into(),
                value: 3 * VE,
            };
            must(call.into(), signed(Key::Alice.to_account_id()));
        }
        for who in workers().into_iter().chain(customers()) {
            let call = pallet_keyring::Call::register_key {
                public: public(&who),
                label: b"key".to_vec().try_into().unwrap(),
            };
            must(call.into(), signed(who));
        }
        for (n, (owner, worker)) in owners().into_iter().zip(workers()).enumerate() {
            let name: virtengine_primitives::Name =
                format!("provider {n}").into_bytes().try_into().unwrap();
            must(
                pallet_providers::Call::register {
                    name: name.clone(),
                    payout: owner.clone(),
                }
                .into(),
                signed(owner.clone()),
            );
            must(
                pallet_providers::Call::add_hot_key { who: worker }.into(),
                signed(owner.clone()),
            );
            must(
                pallet_providers::Call::bond_more { amount: 500 * VE }.into(),
                signed(owner.clone()),
            );
            let asset = if n == 2 {
                AssetKind::Asset(USDX)
            } else {
                AssetKind::Native
            };
            let plan = Self::plan(asset, rng);
            must(
                pallet_billing::Call::publish_plan { plan }.into(),
                signed(owner.clone()),
            );
            let id = Providers::provider_of(owner.clone()).unwrap();
            let plan = pallet_billing::Plans::<Runtime>::iter()
                .find(|(_, p)| p.provider == id)
                .unwrap()
                .0;
            let partition = Partition {
                name: b"main".to_vec().try_into().unwrap(),
                nodes: 4,
                cpus_per_node: 8,
                memory_mib_per_node: 16_000,
                gpus_per_node: 0,
                gpu_type: 0,
                max_walltime: 86_400,
                plan,
            };
            let spec = ClusterSpec {
                name,
                partitions: vec![partition].try_into().unwrap(),
                max_open_jobs: 40,
                min_score: 0,
                custom_scripts: true,
            };
            must(
                pallet_hpc::Call::register_cluster { spec }.into(),
                signed(owner),
            );
        }
    }

    fn plan(asset: AssetKind, rng: &mut StdRng) -> PricePlan {
        let unit = if asset == AssetKind::Native {
            VE
        } else {
            1_000_000
        };
        let rates = vec![
            Rate {
                component: Component::CpuSeconds,
                price_per_million: rng.random_range(0..unit * 10),
            },
            Rate {
                component: Component::MemoryMibSeconds,
                price_per_million: rng.random_range(0..unit / 100),
            },
        ];
        PricePlan {
            asset,
            rates: rates.try_into().unwrap(),
            minimum_charge: rng.random_range(0..unit / 50),
        }
    }

    fn set_clock(&mut self) {
        let (block, now) = (self.block, self.now);
        self.ext.execute_with(|| {
            System::set_block_number(block);
            pallet_timestamp::Now::<Runtime>::put(now);
        });
    }

    /// Advances by `blocks` that are so full that no hook gets its turn: deadlines pass and nobody acts on them.
    fn advance_full(&mut self, blocks: u32) {
        self.block += blocks;
        self.now += u64::from(blocks) * 1_000;
        self.set_clock();
    }

    /// Advances by `blocks`; the hooks run as they do in a block, with room for everything.
    fn advance(&mut self, blocks: u32) {
        self.advance_full(blocks);
        let block = self.block;
        self.ext.execute_with(|| {
            System::reset_events();
            // More than one round, as the hooks leave part of each block to others.
            for _ in 0..8 {
                let mut meter =
                    WeightMeter::with_limit(Weight::from_parts(u64::MAX / 2, u64::MAX / 2));
                Hpc::on_poll(block, &mut meter);
                Billing::on_poll(block, &mut meter);
            }
        });
    }

    /// A plausible call from a plausible origin, now and then an implausible one; returns its name and whether it
    /// succeeded.
    pub fn random_call(&mut self) -> (String, bool) {
        if self.rng.random_ratio(1, 4) {
            let blocks = if self.rng.random_ratio(1, 40) {
                2_000
            } else {
                self.rng.random_range(1..12)
            };
            if self.rng.random_ratio(1, 3) {
                self.advance_full(blocks);
            } else {
                self.advance(blocks);
            }
        }
        let mut rng = self.rng.clone();
        let (block, now) = (self.block, self.now);
        let (name, ok) = self.ext.execute_with(|| {
            let (origin, call) = Source {
                rng: &mut rng,
                block,
                now,
            }
            .call();
            let metadata = frame_support::traits::GetCallMetadata::get_call_metadata(&call);
            let name = format!(
                "{}.{}",
                metadata.pallet_name.to_lowercase(),
                metadata.function_name
            );
            (name, call.dispatch(origin).is_ok())
        });
        self.rng = rng;
        (name, ok)
    }

    /// What must hold after every single call: no unit appeared or vanished.
    pub fn check_money(&mut self, context: &str) {
        let (native, usdx) = (self.native, self.usdx);
        self.ext.execute_with(|| {
            assert_eq!(
                Balances::total_issuance(),
                native,
                "{context}: native issuance"
            );
            assert_eq!(
                Assets::total_issuance(USDX),
                usdx,
                "{context}: USDX issuance"
            );
        });
    }

    /// All invariants of all our pallets, and the one that spans them.
    pub fn try_state(&mut self, context: &str) {
        self.ext.execute_with(|| {
            let check = |pallet: &str, result: Result<(), sp_runtime::TryRuntimeError>| {
                result.unwrap_or_else(|e| panic!("{context}: {pallet}: {e:?}"))
            };
            check("accounts", virtengine_runtime::Accounts::do_try_state());
            check("keyring", Keyring::do_try_state());
            check("providers", Providers::do_try_state());
            check("escrow", Escrow::do_try_state());
            check("billing", Billing::do_try_state());
            check("hpc", Hpc::do_try_state());
            for (id, agreement) in pallet_billing::Agreements::<Runtime>::iter() {
                let ledger = Escrow::ledger(id)
                    .unwrap_or_else(|| panic!("{context}: agreement {id} has no ledger"));
                assert_eq!(ledger.payer, agreement.payer, "{context}: {id}");
                assert!(
                    ledger.deposited <= agreement.ceiling,
                    "{context}: {id} holds more than its ceiling"
                );
                assert!(
                    ledger.pending + ledger.paid + ledger.credited <= agreement.ceiling,
                    "{context}: {id}"
                );
            }
        });
    }

    /// Lets far more time pass than any deadline needs, in steps.
    pub fn let_time_pass(&mut self) {
        // An asset that its issuer froze is thawed: nobody can be paid in a frozen asset.
        self.ext.execute_with(|| {
            let call = pallet_assets::Call::thaw_asset { id: USDX.into() };
            let _ =
                RuntimeCall::from(call).dispatch(RuntimeOrigin::signed(Key::Alice.to_account_id()));
        });
        for _ in 0..400 {
            self.advance(500);
        }
    }

    /// After enough time nobody's money is held for an agreement, and nobody did anything but wait.
    pub fn nothing_is_stuck(&mut self, context: &str) {
        self.try_state(context);
        self.ext.execute_with(|| {
            for (id, ledger) in pallet_escrow::Ledgers::<Runtime>::iter() {
                assert_eq!(
                    (ledger.available, ledger.pending),
                    (0, 0),
                    "{context}: agreement {id}: {ledger:?}"
                );
            }
            for (id, job) in pallet_hpc::Jobs::<Runtime>::iter() {
                assert!(
                    matches!(job.state, JobState::Ended(_)),
                    "{context}: job {id} is {:?}",
                    job.state
                );
            }
            for (id, provider) in pallet_providers::Organisations::<Runtime>::iter() {
                assert_eq!(
                    (provider.locked, provider.live_agreements),
                    (0, 0),
                    "{context}: provider {id}"
                );
            }
        });
    }

    /// Hash over the whole state.
    pub fn state_root(&mut self) -> H256 {
        self.ext
            .execute_with(|| H256::from_slice(&sp_io::storage::root(sp_runtime::StateVersion::V1)))
    }
}

/// Makes calls out of randomness and what the chain says now.
struct Source<'a> {
    rng: &'a mut StdRng,
    block: u32,
    now: Moment,
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

    fn call(&mut self) -> (RuntimeOrigin, RuntimeCall) {
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
            89..=93 => self.clean_up(),
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
        let mut candidates: Vec<_> = clusters.iter().map(|(id, _)| (*id, 0u8)).collect();
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
        pallet_hpc::Call::complete {
            job: id,
            end: JobEnd {
                reason,
                exit_code: 0,
                tasks,
                result,
            },
        }
        .into()
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
}
