//! A runtime with real balances, deposits and clocks, and in-memory doubles of the other pallets that move real
//! balances: what customers pay lies on [`ESCROW`], what providers bond on [`BONDS`], so that tests can count it.

#![allow(missing_docs)]

use crate::*;
use codec::{Decode, Encode};
use frame_support::{
    derive_impl, ensure, parameter_types, storage_alias,
    traits::{
        fungible::{HoldConsideration, Inspect, Mutate},
        tokens::Preservation::Expendable,
        ConstU128, ConstU32, ConstU64, Hooks, LinearStoragePrice,
    },
    weights::{Weight, WeightMeter},
    Twox64Concat,
};
use sp_runtime::{traits::Zero, BuildStorage, DispatchError, DispatchResult, Perbill};
use virtengine_primitives::{
    billing::{Allocation, Component, Fault, UsageReport},
    envelope::{Algorithm, EnvelopeHeader, KeyId, Recipient},
    hpc::*,
    traits::*,
    AgreementId, AssetKind, Balance, BlockNumber, ClusterId, Moment, Name, PlanId, ProviderId,
    Role, TemplateHash,
};

mod doubles;
pub use doubles::*;

pub type AccountId = u64;

/// Where the customers' money lies.
pub const ESCROW: AccountId = 1_000;
/// Where the providers' bonds lie.
pub const BONDS: AccountId = 1_001;
/// Customers.
pub const ALICE: AccountId = 1;
pub const BOB: AccountId = 2;
/// Nobody in particular.
pub const STRANGER: AccountId = 99;
/// What everybody has at the start.
pub const ENDOWMENT: Balance = 1_000_000;
/// Free bond of each provider at the start.
pub const BOND: Balance = 1_000;
/// What taking back the lines of past months weighs.
pub const TAKE_BACK: Weight = Weight::from_parts(77_000, 7);
/// Plan in an asset that no request of these tests pays in.
pub const FOREIGN_PLAN: PlanId = 9;

/// Owner of a provider.
pub const fn owner(provider: ProviderId) -> AccountId {
    10 + provider as u64
}

/// First hot key of a provider.
pub const fn worker(provider: ProviderId) -> AccountId {
    20 + provider as u64
}

#[frame_support::runtime]
mod runtime {
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask
    )]
    pub struct Test;

    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp;
    #[runtime::pallet_index(2)]
    pub type Balances = pallet_balances;
    #[runtime::pallet_index(3)]
    pub type Hpc = crate;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = frame_system::mocking::MockBlockU32<Test>;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<1>;
    type AccountStore = System;
}

parameter_types! {
    pub const DepositReason: RuntimeHoldReason = RuntimeHoldReason::Hpc(HoldReason::StorageDeposit);
    pub const SlashShare: Perbill = Perbill::from_percent(50);
}

impl Config for Test {
    type WeightInfo = ();
    type BlockNumberProvider = System;
    type Time = Timestamp;
    type Billing = Double;
    type Providers = Double;
    type Envelopes = Double;
    type Accounts = Double;
    type Identity = Double;
    type Consideration = HoldConsideration<
        AccountId,
        Balances,
        DepositReason,
        LinearStoragePrice<ConstU128<10>, ConstU128<1>, Balance>,
    >;
    type AcceptTimeout = ConstU32<5>;
    type CancelTimeout = ConstU32<5>;
    type MinStartWithin = ConstU32<10>;
    type MaxJobLife = ConstU32<1_000>;
    type BlockDuration = ConstU64<1_000>;
    type MaxTemplates = ConstU32<4>;
    type AcceptanceBond = ConstU128<100>;
    type SlashShare = SlashShare;
}

/// A provider's usage report moves money to pending.
pub fn meter(agreement: AgreementId, amount: Balance) {
    Agreements::mutate_extant(agreement, |a| {
        if a.started_at.is_some() && a.ended.is_none() {
            let amount = amount.min(a.available);
            a.available -= amount;
            a.pending += amount;
        }
    });
}

/// What happens after the dispute window: pays the provider and prunes an ended agreement. Whether it did.
pub fn settle(agreement: AgreementId) -> bool {
    match Agreements::get(agreement) {
        Some(a) if a.ended.is_some() => {
            let payee = Double::payout(a.provider).unwrap();
            pay(ESCROW, payee, a.pending).unwrap();
            Double::agreement_closed(a.provider);
            Agreements::remove(agreement);
            <Hpc as OnAgreementEnded>::on_settled(agreement);
            true
        }
        _ => false,
    }
}

/// Publishes a plan.
pub fn publish(id: PlanId, provider: ProviderId, asset: AssetKind, price: Balance) {
    Plans::insert(
        id,
        Plan {
            provider,
            asset,
            price,
            minimum: 5,
            retired: false,
            pins: 0,
        },
    );
}

/// The template that every cluster of these tests runs.
pub fn template() -> TemplateHash {
    TemplateHash::repeat_byte(1)
}

pub fn name(text: &str) -> Name {
    text.as_bytes().to_vec().try_into().unwrap()
}

pub fn partition(text: &str, plan: PlanId) -> Partition {
    Partition {
        name: name(text),
        nodes: 4,
        cpus_per_node: 8,
        memory_mib_per_node: 1_000,
        gpus_per_node: 0,
        gpu_type: 0,
        max_walltime: 3_600,
        plan,
    }
}

pub fn spec(plan: PlanId) -> ClusterSpec {
    ClusterSpec {
        name: name("a cluster"),
        partitions: vec![partition("cpu", plan)].try_into().unwrap(),
        max_open_jobs: 3,
        min_score: 0,
        custom_scripts: false,
    }
}

/// A request of 2 processors for 10 s: costs 60 on cluster 1, 40 on cluster 2, 20 on cluster 3.
pub fn request(candidates: &[ClusterId]) -> JobRequest {
    let now = System::block_number();
    JobRequest {
        candidates: candidates
            .iter()
            .map(|cluster| (*cluster, 0))
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
        workload: Workload::Template(template()),
        payload: sealed_to(&[owner(1), worker(2), worker(3) + 100]),
        inputs: Default::default(),
        resources: Resources {
            nodes: 1,
            cpus: 2,
            memory_mib: 100,
            gpus: 0,
            gpu_type: 0,
            array_tasks: 1,
        },
        walltime: 10,
        asset: AssetKind::Native,
        ceiling: 1_000,
        start_within: 20,
        end_by: now + 100,
    }
}

/// An end that fits the requests of these tests.
pub fn end(reason: EndReason) -> JobEnd {
    let done = reason == EndReason::Completed;
    JobEnd {
        reason,
        exit_code: 0,
        tasks: TaskCounts {
            done: done.into(),
            failed: 0,
            cancelled: (!done).into(),
        },
        result: done.then(|| sealed_to(&[ALICE])),
    }
}

/// Unix time of the chain.
pub fn clock() -> Moment {
    pallet_timestamp::Now::<Test>::get()
}

/// Begins block `n` without acting on deadlines.
pub fn jump_to(n: BlockNumber) {
    System::set_block_number(n);
    Timestamp::set_timestamp(1_800_000_000_000 + u64::from(n) * 1_000);
}

/// Runs whole blocks until `n` has begun.
pub fn run_to(n: BlockNumber) {
    for block in System::block_number() + 1..=n {
        jump_to(block);
        Hpc::on_poll(block, &mut WeightMeter::new());
    }
}

/// Acts on the job's deadline in the block of the deadline, and not a block earlier.
pub fn run_to_deadline(job: AgreementId) {
    let before = Hpc::job(job).unwrap();
    run_to(before.deadline - 1);
    assert_eq!(Hpc::job(job).unwrap(), before, "nothing happens before");
    run_to(before.deadline);
}

/// Events of this pallet since the last call.
pub fn events() -> Vec<Event<Test>> {
    System::read_events_for_pallet::<Event<Test>>()
}

/// All invariants, and all money: nothing made, nothing lost, every pin and every bond accounted for.
pub fn check() {
    Hpc::do_try_state().unwrap();
    let held: Balance = Agreements::iter_values()
        .map(|a| a.available + a.pending)
        .sum();
    assert_eq!(Balances::total_balance(&ESCROW), held + 1, "escrow");
    let locked: Balance = Locks::iter_values().sum();
    let free: Balance = Organisations::iter_values().map(|o| o.free).sum();
    assert_eq!(Balances::total_balance(&BONDS), free + locked + 1, "bonds");
    let mut accounts = Balance::zero();
    for (_, account) in frame_system::Account::<Test>::iter() {
        accounts += account.data.free + account.data.reserved;
    }
    assert_eq!(accounts, Balances::total_issuance(), "issuance");
    for (provider, job, _) in Locks::iter() {
        let job = Hpc::job(job).unwrap();
        assert_eq!(job.provider, provider, "the bond of whose job it is");
        assert!(job.accepted_at.is_some() && job.ended_at.is_none());
    }
    for (plan, content) in Plans::iter() {
        let running = Agreements::iter_values().filter(|a| a.ended.is_none() && a.plan == plan);
        let waiting = Jobs::<Test>::iter_values()
            .map(|job| job.remaining.iter().filter(|c| c.plan == plan).count())
            .sum::<usize>();
        assert_eq!(
            content.pins as usize,
            running.count() + waiting,
            "pins of {plan}"
        );
    }
    for (id, job) in Jobs::<Test>::iter().filter(|(_, job)| job.ended_at.is_none()) {
        let agreement = Agreements::get(id).expect("an agreement for every open job");
        assert!(agreement.ended.is_none());
        assert_eq!(agreement.provider, job.provider);
        assert_eq!(agreement.plan, job.assignment.plan);
        assert_eq!(agreement.started_at, job.started_at);
        assert_eq!(
            Locks::contains_key(job.provider, id),
            job.accepted_at.is_some(),
            "bonded iff accepted"
        );
    }
}

/// Storage with accounts only.
pub fn bare() -> sp_io::TestExternalities {
    let accounts = [ALICE, BOB, 3, STRANGER, owner(1), owner(2), owner(3)];
    let storage = RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances: accounts
                .into_iter()
                .map(|who| (who, ENDOWMENT))
                .chain([(ESCROW, 1), (BONDS, 1)])
                .collect(),
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    let mut ext = sp_io::TestExternalities::new(storage);
    ext.execute_with(|| jump_to(1));
    ext
}

/// Runs `test` with three providers, each with one cluster of its own number, and checks everything afterwards.
pub fn run(test: impl FnOnce()) {
    bare().execute_with(|| {
        for id in 1..=3u32 {
            organise(id, owner(id), worker(id));
            publish(id, id, AssetKind::Native, 4 - Balance::from(id));
            let who = owner(id);
            assert_eq!(Hpc::do_register_cluster(who, spec(id)), Ok(id));
            Hpc::do_allow_template(who, id, template(), name("one")).unwrap();
        }
        publish(FOREIGN_PLAN, 1, AssetKind::Asset(7), 1);
        events();
        System::reset_events();
        test();
        check();
    });
}

/// Submits a job of [`ALICE`]'s for the given clusters.
pub fn submit(candidates: &[ClusterId]) -> AgreementId {
    Hpc::do_submit(ALICE, request(candidates)).unwrap()
}

/// Where a job can stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Assigned,
    Accepted,
    Staging,
    Queued,
    Running,
    Requeued,
    CancelAccepted,
    CancelStaging,
    CancelQueued,
    CancelRunning,
    CancelRequeued,
    Ended,
}

pub const PLACES: [At; 12] = [
    At::Assigned,
    At::Accepted,
    At::Staging,
    At::Queued,
    At::Running,
    At::Requeued,
    At::CancelAccepted,
    At::CancelStaging,
    At::CancelQueued,
    At::CancelRunning,
    At::CancelRequeued,
    At::Ended,
];

/// Brings a new job of [`ALICE`]'s there, on the last of its candidates' clusters by price, 3.
pub fn job_at(place: At, candidates: &[ClusterId]) -> AgreementId {
    use JobProgress::*;
    let job = submit(candidates);
    let at = Hpc::job(job).unwrap().provider;
    let update = |progress| Hpc::do_update(at, job, progress).unwrap();
    let cancel = || Hpc::do_cancel(&ALICE, job).unwrap();
    if place == At::Assigned {
        return job;
    }
    Hpc::do_accept(at, job).unwrap();
    match place {
        At::Assigned | At::Accepted => {}
        At::Staging => update(Staging),
        At::Queued => update(Queued),
        At::Running => update(Running(clock())),
        At::Requeued => [Running(clock()), Queued].into_iter().for_each(update),
        At::CancelAccepted => cancel(),
        At::CancelStaging => {
            update(Staging);
            cancel()
        }
        At::CancelQueued => {
            update(Queued);
            cancel()
        }
        At::CancelRunning => {
            update(Running(clock()));
            cancel()
        }
        At::CancelRequeued => {
            [Running(clock()), Queued].into_iter().for_each(update);
            cancel()
        }
        At::Ended => {
            update(Running(clock()));
            Hpc::do_complete(at, job, end(EndReason::Completed)).unwrap()
        }
    }
    job
}
